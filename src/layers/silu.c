/* y = x / (1 + exp(-x)), also called swish (Elfwing et al. 2017, Ramachandran et al. 2017); with s
 * the sigmoid of x, dx = dy * s * (1 + x * (1 - s)). Backward reads x. */
#include "pointwise_template.h"
#include "vmath.h"

static inline real silu_forward(const void *self, real x)
{
    (void)self;
    return x * (1 / (1 + nm_exp(-x)));
}

static inline real silu_backward(const void *self, nm_element e)
{
    (void)self;
    real s = 1 / (1 + nm_exp(-e.x));
    return e.dy * s * (1 + e.x * (1 - s));
}

NM_RECTIFIER_TYPE(silu, "y = x / (1 + exp(-x))", 0, NULL, NM_BACK_X)
