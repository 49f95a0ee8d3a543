/* y = max(x, 0); dx = dy where y > 0. Backward keeps y. */
#include "pointwise_template.h"

static void positive(const void *self, const real *x, real *y, size_t count)
{
    (void)self;
    NM_INDEPENDENT
    for (size_t i = 0; i < count; i++)
        y[i] = x[i] > 0 ? x[i] : x[i] != x[i] ? x[i] : 0; /* NaN stays NaN */
}

static void positive_gradient(const void *self, const real *x, const real *y, const real *dy, real *dx, size_t count)
{
    (void)self;
    (void)x;
    NM_INDEPENDENT
    for (size_t i = 0; i < count; i++)
        dx[i] = y[i] > 0 ? dy[i] : 0;
}

NM_RECTIFIER_TYPE(relu, positive, "y = max(x, 0)", 0, NULL, NM_INPLACE | NM_BACK_Y)
