/* elu against its formula, numerical derivatives and PyTorch's values. */
#include "pointwise_check.h"

static double formula(double x)
{
    return x > 0 ? x : (now ? 0.7 : 1) * (exp(x) - 1);
}

POINTWISE_SUITE("elu", "elu: {}", "elu: {alpha: 0.7}")
