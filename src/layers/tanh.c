/* y = tanh(x); dx = dy * (1 - y^2). Backward keeps y. */
#include "pointwise_template.h"
#include "vmath.h"

static void hyperbolic(const void *self, const real *x, real *y, size_t count)
{
    (void)self;
    NM_INDEPENDENT
    for (size_t i = 0; i < count; i++)
        y[i] = nm_tanh(x[i]);
}

static void hyperbolic_gradient(const void *self, const real *x, const real *y, const real *dy, real *dx, size_t count)
{
    (void)self;
    (void)x;
    NM_INDEPENDENT
    for (size_t i = 0; i < count; i++)
        dx[i] = dy[i] * (1 - y[i] * y[i]);
}

NM_POINTWISE_TYPE(tanh, hyperbolic, "y = tanh(x)", 0, NULL, NM_INPLACE | NM_BACK_Y)
