/* mish against its formula, numerical derivatives and PyTorch's values. */
#include "pointwise_check.h"

static double formula(double x)
{
    return x * tanh(log1p(exp(x)));
}

POINTWISE_SUITE("mish", "mish: {}")
