/* Reshaping keeps the order in memory. */
#include "layer_check.h"
#include "run_suite.h"

static void reference(const layer_run *r, double *y)
{
    for (size_t i = 0; i < (size_t)r->n * nm_shape_size(r->out); i++)
        y[i] = r->x[0][i];
}

START_TEST(random_shapes)
{
    for (int i = 0; i < 32; i++) {
        int h = pick(1, 5), w = pick(1, 5), c = pick(1, 5);
        check_layer(&(layer_case){text("reshape: {height: %d, width: %d, channels: %d}", w, c, h),
                                  {{h, w, c}},
                                  .n = pick(1, 3),
                                  .linear = true},
                    reference);
    }
}
END_TEST

START_TEST(refused)
{
    check_refused(&(layer_case){"reshape: {channels: 5}", {{1, 2, 3}}}, "1x2x3 cannot become 1x1x5");
}
END_TEST

START_TEST(golden_values)
{
    check_golden("reshape");
}
END_TEST

SUITE("reshape", random_shapes, refused, golden_values)
