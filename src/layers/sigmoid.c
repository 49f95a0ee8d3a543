/* y = 1 / (1 + exp(-x)); dx = dy * y * (1 - y). Backward keeps y. */
#include "pointwise_template.h"
#include "vmath.h"

static void logistic(const void *self, const real *x, real *y, size_t count)
{
    (void)self;
    NM_INDEPENDENT
    for (size_t i = 0; i < count; i++)
        y[i] = 1 / (1 + nm_exp(-x[i]));
}

static void logistic_gradient(const void *self, const real *x, const real *y, const real *dy, real *dx, size_t count)
{
    (void)self;
    (void)x;
    NM_INDEPENDENT
    for (size_t i = 0; i < count; i++)
        dx[i] = dy[i] * y[i] * (1 - y[i]);
}

NM_POINTWISE_TYPE_WITH(sigmoid, logistic, "y = 1 / (1 + exp(-x))", 0, NULL, NM_INPLACE | NM_BACK_Y,
                       .activation = NM_SIGMOID)
