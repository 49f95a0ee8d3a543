/* hardsigmoid against its formula, numerical derivatives and PyTorch's values. */
#include "pointwise_check.h"

static double formula(double x)
{
    return x < -3 ? 0 : x > 3 ? 1 : (x + 3) / 6;
}

POINTWISE_SUITE("hardsigmoid", "hardsigmoid: {}")
