/* y = min(max(x + 3, 0), 6) / 6 (Howard et al. 2019); dx = dy / 6 where 0 < y < 1. Backward keeps
 * y. */
#include "pointwise_template.h"

static void ramp(const void *self, const real *x, real *y, size_t count)
{
    (void)self;
    const real sixth = (real)(1.0 / 6);
    NM_INDEPENDENT
    for (size_t i = 0; i < count; i++) {
        real up = x[i] + 3, clipped = up < 0 ? 0 : up > 6 ? 6 : up;
        y[i] = clipped >= 6 ? 1 : clipped * sixth;
    }
}

static void ramp_gradient(const void *self, const real *x, const real *y, const real *dy, real *dx, size_t count)
{
    (void)self;
    (void)x;
    const real sixth = (real)(1.0 / 6);
    NM_INDEPENDENT
    for (size_t i = 0; i < count; i++)
        dx[i] = y[i] > 0 && y[i] < 1 ? dy[i] * sixth : 0;
}

NM_POINTWISE_TYPE(hardsigmoid, ramp, "y = min(max(x + 3, 0), 6) / 6", 0, NULL, NM_INPLACE | NM_BACK_Y)
