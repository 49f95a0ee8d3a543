/* Sums of inputs against straight loops, numerical derivatives and PyTorch's values; the relu that
 * add takes over. */
#include "layer_check.h"
#include "run_suite.h"

static void reference(const layer_run *r, double *y)
{
    for (size_t i = 0; i < (size_t)r->n * nm_shape_size(r->out); i++) {
        y[i] = 0;
        for (int k = 0; k < r->inputs; k++)
            y[i] += r->x[k][i];
    }
}

START_TEST(random_shapes)
{
    for (int i = 0; i < 32; i++) {
        nm_shape s = {pick(1, 6), pick(1, 6), pick(1, 20)};
        layer_case c = {"add: {}", {s, s}, .n = pick(1, 3), .linear = true};
        for (int k = 2; k < pick(2, 4); k++)
            c.in[k] = s;
        check_layer(&c, reference);
    }
}
END_TEST

START_TEST(golden_values)
{
    check_golden("add");
}
END_TEST

START_TEST(refused)
{
    check_refused(&(layer_case){"add: {}", {{2, 2, 3}, {2, 2, 4}}},
                  "its inputs must have one shape; found 2x2x3 and 2x2x4");
    check_refused(&(layer_case){"add: {}", {{2, 2, 3}}}, "takes at least 2 input");
}
END_TEST

SUITE("add", random_shapes, golden_values, refused)
