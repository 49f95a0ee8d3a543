/* Group normalisation against straight loops, numerical derivatives and PyTorch's values. */
#include "sample_norm_check.h"

START_TEST(random_shapes)
{
    for (int i = 0; i < 40; i++) {
        groups = pick(1, 4);
        epsilon = i % 3 ? 1e-5 : 0.1;
        check_layer(&(layer_case){text("groupnorm: {groups: %d, epsilon: %g, affine: %s}", groups, epsilon,
                                       i % 4 ? "true" : "false"),
                                  {{pick(2, 5), pick(1, 5), groups * pick(1, 6)}},
                                  .n = pick(1, 3),
                                  .mode = i % 2 ? NM_TRAIN : NM_EVAL,
                                  .float_tolerance = 1e-4},
                    reference);
    }
}
END_TEST

START_TEST(refused)
{
    check_refused(&(layer_case){"groupnorm: {groups: 4}", {{2, 2, 6}}}, "found 4 groups and 6 channels");
    check_refused(&(layer_case){"groupnorm: {}", {{2, 2, 6}}}, "groups");
}
END_TEST

START_TEST(golden_values)
{
    check_golden("groupnorm");
}
END_TEST

SUITE("groupnorm", random_shapes, refused, golden_values)
