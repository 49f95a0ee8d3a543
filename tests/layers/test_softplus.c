/* softplus against its formula, numerical derivatives and PyTorch's values. */
#include "pointwise_check.h"

static double formula(double x)
{
    double beta = now ? 3 : 1;
    return log1p(exp(beta * x)) / beta;
}

POINTWISE_SUITE("softplus", "softplus: {}", "softplus: {beta: 3}")
