/* tanh against its formula, numerical derivatives and PyTorch's values. */
#include "pointwise_check.h"

static double formula(double x)
{
    return tanh(x);
}

POINTWISE_SUITE("tanh", "tanh: {}")
