/* y = log(1 + exp(beta * x)) / beta, stable for any x; dx = dy / (1 + exp(-beta * x)). Backward
 * reads x. */
#include "pointwise_template.h"
#include "vmath.h"

typedef struct softplus {
    double beta;
} softplus;

static const nm_option options[] = {
    {"beta", NM_OPT_REAL, offsetof(softplus, beta), "1", 1e-6, 1e6, .help = "sharpness of the bend"},
    {0},
};

static void smooth(const void *self, const real *x, real *y, size_t count)
{
    const real beta = (real)((const softplus *)self)->beta, inverse = (real)(1 / ((const softplus *)self)->beta);
    NM_INDEPENDENT
    for (size_t i = 0; i < count; i++) {
        real z = beta * x[i], away = z < 0 ? z : -z;
        y[i] = ((z > 0 ? z : 0) + nm_log1p(nm_exp(away))) * inverse;
    }
}

static void smooth_gradient(const void *self, const real *x, const real *y, const real *dy, real *dx, size_t count)
{
    (void)y;
    const real beta = (real)((const softplus *)self)->beta;
    NM_INDEPENDENT
    for (size_t i = 0; i < count; i++)
        dx[i] = dy[i] / (1 + nm_exp(-beta * x[i]));
}

NM_RECTIFIER_TYPE(softplus, smooth, "y = log(1 + exp(x)), a smooth relu", sizeof(softplus), options, NM_BACK_X)
