/* Flatten keeps the order in memory. */
#include "layer_check.h"
#include "run_suite.h"

static void reference(const layer_run *r, double *y)
{
    for (size_t i = 0; i < (size_t)r->n * nm_shape_size(r->out); i++)
        y[i] = r->x[0][i];
}

START_TEST(random_shapes)
{
    for (int i = 0; i < 30; i++)
        check_layer(
            &(layer_case){"flatten: {}", {{pick(1, 9), pick(1, 9), pick(1, 9)}}, .n = pick(1, 3), .linear = true},
            reference);
}
END_TEST

START_TEST(golden_values)
{
    check_golden("flatten");
}
END_TEST

SUITE("flatten", random_shapes, golden_values)
