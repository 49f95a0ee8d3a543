/* y = 1 / (1 + exp(-x)); dx = dy * y * (1 - y). Backward keeps y. */
#include "pointwise_template.h"
#include "vmath.h"

static inline real sigmoid_forward(const void *self, real x)
{
    (void)self;
    return 1 / (1 + nm_exp(-x));
}

static inline real sigmoid_backward(const void *self, nm_element e)
{
    (void)self;
    return e.dy * e.y * (1 - e.y);
}

NM_POINTWISE_TYPE_WITH(sigmoid, "y = 1 / (1 + exp(-x))", 0, NULL, NM_INPLACE | NM_BACK_Y, .activation = NM_SIGMOID)
