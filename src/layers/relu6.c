/* y = min(max(x, 0), 6); dx = dy where 0 < y < 6. Backward keeps y. */
#include "pointwise_template.h"

static inline real relu6_forward(const void *self, real x)
{
    (void)self;
    real positive = x > 0 ? x : x != x ? x : 0; /* NaN stays NaN */
    return positive > 6 ? 6 : positive;
}

static inline real relu6_backward(const void *self, nm_element e)
{
    (void)self;
    return e.y > 0 && e.y < 6 ? e.dy : 0;
}

NM_RECTIFIER_TYPE(relu6, "y = min(max(x, 0), 6)", 0, NULL, NM_INPLACE | NM_BACK_Y)
