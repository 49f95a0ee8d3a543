/* relu against its formula, numerical derivatives and PyTorch's values. */
#include "pointwise_check.h"

static double formula(double x)
{
    return x > 0 ? x : 0;
}

POINTWISE_SUITE("relu", "relu: {}")
