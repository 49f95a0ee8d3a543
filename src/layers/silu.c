/* y = x / (1 + exp(-x)), also called swish (Elfwing et al. 2017, Ramachandran et al. 2017); with s
 * the sigmoid of x, dx = dy * s * (1 + x * (1 - s)). Backward reads x. */
#include "pointwise_template.h"
#include "vmath.h"

static void swish(const void *self, const real *x, real *y, size_t count)
{
    (void)self;
    NM_INDEPENDENT
    for (size_t i = 0; i < count; i++)
        y[i] = x[i] * (1 / (1 + nm_exp(-x[i])));
}

static void swish_gradient(const void *self, const real *x, const real *y, const real *dy, real *dx, size_t count)
{
    (void)self;
    (void)y;
    NM_INDEPENDENT
    for (size_t i = 0; i < count; i++) {
        real s = 1 / (1 + nm_exp(-x[i]));
        dx[i] = dy[i] * s * (1 + x[i] * (1 - s));
    }
}

NM_RECTIFIER_TYPE(silu, swish, "y = x / (1 + exp(-x))", 0, NULL, NM_BACK_X)
