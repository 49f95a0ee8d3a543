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

static inline real softplus_forward(const void *self, real x)
{
    const real beta = (real)((const softplus *)self)->beta, inverse = (real)(1 / ((const softplus *)self)->beta);
    real z = beta * x, away = z < 0 ? z : -z;
    return ((z > 0 ? z : 0) + nm_log1p(nm_exp(away))) * inverse;
}

static inline real softplus_backward(const void *self, nm_element e)
{
    const real beta = (real)((const softplus *)self)->beta;
    return e.dy / (1 + nm_exp(-beta * e.x));
}

NM_RECTIFIER_TYPE(softplus, "y = log(1 + exp(x)), a smooth relu", sizeof(softplus), options, NM_BACK_X)
