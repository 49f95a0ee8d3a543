/* gelu against its formula, numerical derivatives and PyTorch's values. */
#include "pointwise_check.h"

static double formula(double x)
{
    return now ? 0.5 * x * (1 + tanh(sqrt(2 / acos(-1)) * (x + 0.044715 * x * x * x))) : 0.5 * x * erfc(-x / sqrt(2));
}

POINTWISE_SUITE("gelu", "gelu: {}", "gelu: {approximate: tanh}")
