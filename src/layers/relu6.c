/* y = min(max(x, 0), 6); dx = dy where 0 < y < 6. Backward keeps y. */
#include "pointwise_template.h"

static void clipped(const void *self, const real *x, real *y, size_t count)
{
    (void)self;
    NM_INDEPENDENT
    for (size_t i = 0; i < count; i++) {
        real positive = x[i] > 0 ? x[i] : x[i] != x[i] ? x[i] : 0; /* NaN stays NaN */
        y[i] = positive > 6 ? 6 : positive;
    }
}

static void clipped_gradient(const void *self, const real *x, const real *y, const real *dy, real *dx, size_t count)
{
    (void)self;
    (void)x;
    NM_INDEPENDENT
    for (size_t i = 0; i < count; i++)
        dx[i] = y[i] > 0 && y[i] < 6 ? dy[i] : 0;
}

NM_RECTIFIER_TYPE(relu6, clipped, "y = min(max(x, 0), 6)", 0, NULL, NM_INPLACE | NM_BACK_Y)
