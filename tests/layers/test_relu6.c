/* relu6 against its formula, numerical derivatives and PyTorch's values. */
#include "pointwise_check.h"

static double formula(double x)
{
    return x < 0 ? 0 : x > 6 ? 6 : x;
}

POINTWISE_SUITE("relu6", "relu6: {}")
