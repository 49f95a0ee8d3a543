/* L2 pooling against straight loops, numerical derivatives and PyTorch's values. */
#define POOL "l2pool"
#define POOL_TERM(x) pow(x, 2)
#define POOL_RESULT(sum) sqrt(sum)
#define POOL_LINEAR false
#include "sum_pool_check.h"

/* A window of zeros has no direction: its gradient is zero, not NaN. */
START_TEST(zeros)
{
    check_layer(&(layer_case){"multiply: {}\n- {name: p, l2pool: {size: 2}}", {{4, 4, 3}, {1, 1, 3}}, .n = 2}, NULL);
}
END_TEST

START_TEST(golden_values)
{
    check_golden("l2pool");
}
END_TEST

SUITE("l2pool", random_shapes, ceil_over_small_maps, zeros, golden_values)
