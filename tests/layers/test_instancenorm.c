/* Instance normalisation against straight loops, numerical derivatives and PyTorch's values. */
#include "sample_norm_check.h"

START_TEST(random_shapes)
{
    for (int i = 0; i < 40; i++)
        check_layer(&(layer_case){i % 4 ? "instancenorm: {affine: true}" : "instancenorm: {}",
                                  {{pick(2, 5), pick(2, 5), pick(1, 9)}},
                                  .n = pick(1, 3),
                                  .mode = i % 2 ? NM_TRAIN : NM_EVAL,
                                  .float_tolerance = 1e-4},
                    reference);
}
END_TEST

START_TEST(refused)
{
    check_refused(&(layer_case){"instancenorm: {}", {{1, 1, 6}}}, "nothing to normalise");
}
END_TEST

START_TEST(golden_values)
{
    check_golden("instancenorm");
}
END_TEST

SUITE("instancenorm", random_shapes, refused, golden_values)
