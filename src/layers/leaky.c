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

static inline real leaky_forward(const void *self, real x)
{
    const real slope = (real)((const leaky *)self)->slope;
    return x > 0 ? x : slope * x;
}

static inline real leaky_backward(const void *self, nm_element e)
{
    const real slope = (real)((const leaky *)self)->slope;
    return e.y > 0 ? e.dy : slope * e.dy;
}

NM_RECTIFIER_TYPE(leaky, "y = x above zero, slope * x below", sizeof(leaky), options, NM_INPLACE | NM_BACK_Y)
