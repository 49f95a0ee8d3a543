/* y = x above zero, alpha * (exp(x) - 1) below (Clevert et al. 2015); below zero dx = dy * (y +
 * alpha). Backward keeps y. */
#include "pointwise_template.h"
#include "vmath.h"

typedef struct elu {
    double alpha;
} elu;

static const nm_option options[] = {
    {"alpha", NM_OPT_REAL, offsetof(elu, alpha), "1", 0, 1e6, .help = "minus the limit for very negative x"},
    {0},
};

static void bent(const void *self, const real *x, real *y, size_t count)
{
    const real alpha = (real)((const elu *)self)->alpha;
    NM_INDEPENDENT
    for (size_t i = 0; i < count; i++)
        y[i] = x[i] > 0 ? x[i] : alpha * nm_expm1(x[i]);
}

static void bent_gradient(const void *self, const real *x, const real *y, const real *dy, real *dx, size_t count)
{
    (void)x;
    const real alpha = (real)((const elu *)self)->alpha;
    NM_INDEPENDENT
    for (size_t i = 0; i < count; i++)
        dx[i] = y[i] > 0 ? dy[i] : dy[i] * (y[i] + alpha);
}

NM_RECTIFIER_TYPE(elu, bent, "y = x above zero, alpha * (exp(x) - 1) below", sizeof(elu), options,
                  NM_INPLACE | NM_BACK_Y)
