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

static inline real gelu_exact_forward(const void *self, real x)
{
    (void)self;
    return (real)0.5 * x * nm_erfc(-(real)root_half * x);
}

static inline real gelu_exact_backward(const void *self, nm_element e)
{
    (void)self;
    const real x = e.x, half = (real)0.5;
    return e.dy * (half * nm_erfc(-(real)root_half * x) + x * (real)inverse_root_tau * nm_exp(-half * x * x));
}

static inline real gelu_tanh_forward(const void *self, real x)
{
    (void)self;
    const real factor = (real)root_two_over_pi, k = (real)cubic;
    return (real)0.5 * x * (1 + nm_tanh(factor * (x + k * x * x * x)));
}

static inline real gelu_tanh_backward(const void *self, nm_element e)
{
    (void)self;
    const real x = e.x, factor = (real)root_two_over_pi, k = (real)cubic;
    real t = nm_tanh(factor * (x + k * x * x * x));
    return e.dy * (real)0.5 * (1 + t + x * (1 - t * t) * factor * (1 + 3 * k * x * x));
}

/* The choice is made outside of the loops, which would else compute both. */
NM_POINTWISE_LOOPS(gelu_exact, NM_BACK_X)
NM_POINTWISE_LOOPS(gelu_tanh, NM_BACK_X)

static void gelu_forward_pass(const nm_pass *p, const void *self)
{
    nm_pointwise_forward(p, self, ((const gelu *)self)->approximate ? gelu_tanh_forward_loop : gelu_exact_forward_loop);
}

static void gelu_backward_pass(const nm_pass *p, const void *self)
{
    nm_pointwise_backward(p, self, NM_BACK_X,
                          ((const gelu *)self)->approximate ? gelu_tanh_backward_loop : gelu_exact_backward_loop);
}

NM_POINTWISE_VTABLE(gelu, "y = x * the normal distribution's probability below x", sizeof(gelu), options, NM_BACK_X,
                    .role = NM_ROLE_RECTIFIER)
