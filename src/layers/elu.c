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

static inline real elu_forward(const void *self, real x)
{
    const real alpha = (real)((const elu *)self)->alpha;
    return x > 0 ? x : alpha * nm_expm1(x);
}

static inline real elu_backward(const void *self, nm_element e)
{
    const real alpha = (real)((const elu *)self)->alpha;
    return e.y > 0 ? e.dy : e.dy * (e.y + alpha);
}

NM_RECTIFIER_TYPE(elu, "y = x above zero, alpha * (exp(x) - 1) below", sizeof(elu), options, NM_INPLACE | NM_BACK_Y)
