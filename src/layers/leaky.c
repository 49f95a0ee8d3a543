/* y = x above zero, slope * x below (Maas et al. 2013); dx = dy * (1 or slope). Backward keeps y,
 * whose sign is x's. */
#include "pointwise_template.h"

typedef struct leaky {
    double slope;
} leaky;

static const nm_option options[] = {
    {"slope", NM_OPT_REAL, offsetof(leaky, slope), "0.01", 0, 1e6, .help = "factor below zero"},
    {0},
};

static void sloped(const void *self, const real *x, real *y, size_t count)
{
    const real slope = (real)((const leaky *)self)->slope;
    NM_INDEPENDENT
    for (size_t i = 0; i < count; i++)
        y[i] = x[i] > 0 ? x[i] : slope * x[i];
}

static void sloped_gradient(const void *self, const real *x, const real *y, const real *dy, real *dx, size_t count)
{
    (void)x;
    const real slope = (real)((const leaky *)self)->slope;
    NM_INDEPENDENT
    for (size_t i = 0; i < count; i++)
        dx[i] = y[i] > 0 ? dy[i] : slope * dy[i];
}

NM_RECTIFIER_TYPE(leaky, sloped, "y = x above zero, slope * x below", sizeof(leaky), options, NM_INPLACE | NM_BACK_Y)
