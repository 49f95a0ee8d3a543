/* leaky against its formula, numerical derivatives and PyTorch's values. */
#include "pointwise_check.h"

static double formula(double x)
{
    return x > 0 ? x : (now == 0 ? 0.01 : now == 1 ? 0.3 : 0) * x;
}

POINTWISE_SUITE("leaky", "leaky: {}", "leaky: {slope: 0.3}", "leaky: {slope: 0}")
