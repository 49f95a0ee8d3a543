/* sigmoid against its formula, numerical derivatives and PyTorch's values. */
#include "pointwise_check.h"

static double formula(double x)
{
    return 1 / (1 + exp(-x));
}

POINTWISE_SUITE("sigmoid", "sigmoid: {}")
