/* Sum pooling against straight loops, numerical derivatives and PyTorch's values. */
#define POOL "sumpool"
#define POOL_TERM(x) (x)
#define POOL_RESULT(sum) (sum)
#define POOL_LINEAR true
#include "sum_pool_check.h"

START_TEST(golden_values)
{
    check_golden("sumpool");
}
END_TEST

SUITE("sumpool", random_shapes, ceil_over_small_maps, golden_values)
