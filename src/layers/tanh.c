/* y = tanh(x); dx = dy * (1 - y^2). Backward keeps y. */
#include "pointwise_template.h"
#include "vmath.h"

static inline real tanh_forward(const void *self, real x)
{
    (void)self;
    return nm_tanh(x);
}

static inline real tanh_backward(const void *self, nm_element e)
{
    (void)self;
    return e.dy * (1 - e.y * e.y);
}

NM_POINTWISE_TYPE(tanh, "y = tanh(x)", 0, NULL, NM_INPLACE | NM_BACK_Y)
