/* y = x * tanh(log(1 + exp(x))) (Misra 2019), by the stable form with u = exp(-|x|): tanh(log(1 +
 * exp(x))) = a / (a + b), a = u * (u + 2) and b = 2 for x < 0, else a = 1 + 2 * u and b = 2 * u^2.
 * With s the sigmoid of x, dx = dy * (a / (a + b) + x * s * b * (2 * a + b) / (a + b)^2). Backward
 * reads x. */
#include "pointwise_template.h"
#include "vmath.h"

static inline real mish_forward(const void *self, real x)
{
    (void)self;
    real u = nm_exp(x < 0 ? x : -x);
    real a = x < 0 ? u * (u + 2) : 1 + 2 * u, b = x < 0 ? 2 : 2 * u * u;
    return x * a / (a + b);
}

static inline real mish_backward(const void *self, nm_element e)
{
    (void)self;
    real x = e.x, u = nm_exp(x < 0 ? x : -x);
    real a = x < 0 ? u * (u + 2) : 1 + 2 * u, b = x < 0 ? 2 : 2 * u * u;
    real s = (x < 0 ? u : 1) / (1 + u);
    return e.dy * (a / (a + b) + x * s * (b * (2 * a + b)) / ((a + b) * (a + b)));
}

NM_RECTIFIER_TYPE(mish, "y = x * tanh(log(1 + exp(x)))", 0, NULL, NM_BACK_X)
