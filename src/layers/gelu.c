/* y = x * P(x), P the normal distribution's probability below x (Hendrycks, Gimpel 2016); dx = dy *
 * (P(x) + x * p(x)). With `approximate: tanh`, P is 0.5 * (1 + tanh(sqrt(2 / pi) * (x + 0.044715
 * x^3))), as that paper and BERT have it. Backward reads x. */
#include "pointwise_template.h"
#include "vmath.h"

typedef struct gelu {
    int approximate;
} gelu;

static const char *const kinds[] = {"none", "tanh", NULL};
static const nm_option options[] = {
    {"approximate", NM_OPT_ENUM, offsetof(gelu, approximate), "none", .choices = kinds,
     .help = "how the normal distribution is computed"},
    {0},
};

static const double root_half = 0.70710678118654752440, /* sqrt(1 / 2) */
    inverse_root_tau = 0.39894228040143267794,          /* 1 / sqrt(2 pi) */
    root_two_over_pi = 0.79788456080286535588, cubic = 0.044715;

static void gaussian(const void *self, const real *x, real *y, size_t count)
{
    const real half = (real)0.5, root = (real)root_half, factor = (real)root_two_over_pi, k = (real)cubic;
    if (((const gelu *)self)->approximate)
        NM_INDEPENDENT
    for (size_t i = 0; i < count; i++)
        y[i] = half * x[i] * (1 + nm_tanh(factor * (x[i] + k * x[i] * x[i] * x[i])));
    else NM_INDEPENDENT for (size_t i = 0; i < count; i++) y[i] = half * x[i] * nm_erfc(-root * x[i]);
}

static void gaussian_gradient(const void *self, const real *x, const real *y, const real *dy, real *dx, size_t count)
{
    (void)y;
    const real half = (real)0.5, root = (real)root_half, density = (real)inverse_root_tau;
    const real factor = (real)root_two_over_pi, k = (real)cubic;
    if (((const gelu *)self)->approximate)
        NM_INDEPENDENT
    for (size_t i = 0; i < count; i++) {
        real t = nm_tanh(factor * (x[i] + k * x[i] * x[i] * x[i]));
        dx[i] = dy[i] * half * (1 + t + x[i] * (1 - t * t) * factor * (1 + 3 * k * x[i] * x[i]));
    }
    else NM_INDEPENDENT for (size_t i = 0; i < count; i++) dx[i] =
        dy[i] * (half * nm_erfc(-root * x[i]) + x[i] * density * nm_exp(-half * x[i] * x[i]));
}

NM_RECTIFIER_TYPE(gelu, gaussian, "y = x * the normal distribution's probability below x", sizeof(gelu), options,
                  NM_BACK_X)
