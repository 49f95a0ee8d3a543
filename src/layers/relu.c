/* y = max(x, 0); dx = dy where y > 0. Backward keeps y. */
#include "fusion.h"
#include "pointwise_template.h"

static inline real relu_forward(const void *self, real x)
{
    (void)self;
    return x > 0 ? x : x != x ? x : 0; /* NaN stays NaN */
}

static inline real relu_backward(const void *self, nm_element e)
{
    (void)self;
    return e.y > 0 ? e.dy : 0;
}

static const nm_fusion relu_fusion = {.place = NM_TAIL_RECTIFIER};

NM_RECTIFIER_TYPE(relu, "y = max(x, 0)", 0, NULL, NM_INPLACE | NM_BACK_Y, .fusion = &relu_fusion)
