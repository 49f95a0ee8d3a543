/* y = min(max(x + 3, 0), 6) / 6 (Howard et al. 2019); dx = dy / 6 where 0 < y < 1. Backward keeps
 * y. */
#include "pointwise_template.h"

static inline real hardsigmoid_forward(const void *self, real x)
{
    (void)self;
    real up = x + 3, clipped = up < 0 ? 0 : up > 6 ? 6 : up;
    return clipped >= 6 ? 1 : clipped * (real)(1.0 / 6);
}

static inline real hardsigmoid_backward(const void *self, nm_element e)
{
    (void)self;
    return e.y > 0 && e.y < 1 ? e.dy * (real)(1.0 / 6) : 0;
}

NM_POINTWISE_TYPE(hardsigmoid, "y = min(max(x + 3, 0), 6) / 6", 0, NULL, NM_INPLACE | NM_BACK_Y)
