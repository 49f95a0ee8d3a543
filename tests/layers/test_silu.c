/* silu against its formula, numerical derivatives and PyTorch's values. */
#include "pointwise_check.h"

static double formula(double x)
{
    return x / (1 + exp(-x));
}

POINTWISE_SUITE("silu", "silu: {}")
