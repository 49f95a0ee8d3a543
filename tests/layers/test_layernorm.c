/* Layer normalisation against straight loops, numerical derivatives and PyTorch's values. */
#include "sample_norm_check.h"

START_TEST(random_shapes)
{
    groups = 1;
    elements = true;
    for (int i = 0; i < 40; i++)
        check_layer(&(layer_case){i % 4 ? "layernorm: {}" : "layernorm: {affine: false}",
                                  {{pick(1, 5), pick(1, 5), pick(2, 9)}},
                                  .n = pick(1, 3),
                                  .mode = i % 2 ? NM_TRAIN : NM_EVAL,
                                  .float_tolerance = 1e-4},
                    reference);
}
END_TEST

START_TEST(golden_values)
{
    check_golden("layernorm");
}
END_TEST

SUITE("layernorm", random_shapes, golden_values)
