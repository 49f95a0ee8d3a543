/* y = scale * (x above zero, alpha * (exp(x) - 1) below), with the two constants for which mean 0
 * and variance 1 stay (Klambauer et al. 2017); below zero dx = dy * (y + scale * alpha). Backward
 * keeps y. */
#include "pointwise_template.h"
#include "vmath.h"

static const double selu_scale = 1.0507009873554804934193349852946, selu_alpha = 1.6732632423543772848170429916717;

static inline real selu_forward(const void *self, real x)
{
    (void)self;
    const real scale = (real)selu_scale, low = (real)(selu_scale * selu_alpha);
    const real below = low * nm_expm1(x);
    return x > 0 ? scale * x : below;
}

static inline real selu_backward(const void *self, nm_element e)
{
    (void)self;
    const real scale = (real)selu_scale, low = (real)(selu_scale * selu_alpha);
    return e.dy * (e.y > 0 ? scale : e.y + low);
}

NM_RECTIFIER_TYPE(selu, "elu with the scale that keeps mean 0 and variance 1", 0, NULL, NM_INPLACE | NM_BACK_Y)
