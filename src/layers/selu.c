/* y = scale * (x above zero, alpha * (exp(x) - 1) below), with the two constants for which mean 0
 * and variance 1 stay (Klambauer et al. 2017); below zero dx = dy * (y + scale * alpha). Backward
 * keeps y. */
#include "pointwise_template.h"
#include "vmath.h"

static const double selu_scale = 1.0507009873554804934193349852946, selu_alpha = 1.6732632423543772848170429916717;

static void scaled(const void *self, const real *x, real *y, size_t count)
{
    (void)self;
    const real scale = (real)selu_scale, low = (real)(selu_scale * selu_alpha);
    NM_INDEPENDENT
    for (size_t i = 0; i < count; i++)
        y[i] = x[i] > 0 ? scale * x[i] : low * nm_expm1(x[i]);
}

static void scaled_gradient(const void *self, const real *x, const real *y, const real *dy, real *dx, size_t count)
{
    (void)self;
    (void)x;
    const real scale = (real)selu_scale, low = (real)(selu_scale * selu_alpha);
    NM_INDEPENDENT
    for (size_t i = 0; i < count; i++)
        dx[i] = dy[i] * (y[i] > 0 ? scale : y[i] + low);
}

NM_RECTIFIER_TYPE(selu, scaled, "elu with the scale that keeps mean 0 and variance 1", 0, NULL, NM_INPLACE | NM_BACK_Y)
