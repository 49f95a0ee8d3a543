/* Slices of channels against straight loops and PyTorch's values; concat of slices is the whole. */
#include "layer_check.h"
#include "run_suite.h"

static int first;

static void reference(const layer_run *r, double *y)
{
    for (int n = 0; n < r->n; n++)
        for (int h = 0; h < r->out.h; h++)
            for (int w = 0; w < r->out.w; w++)
                for (int c = 0; c < r->out.c; c++)
                    y[at(r->out, n, h, w, c)] = r->x[0][at(r->in[0], n, h, w, first + c)];
}

static void same(const layer_run *r, double *y)
{
    for (size_t i = 0; i < (size_t)r->n * nm_shape_size(r->out); i++)
        y[i] = r->x[0][i];
}

START_TEST(random_shapes)
{
    for (int i = 0; i < 32; i++) {
        int c = pick(2, 20);
        first = pick(0, c - 1);
        check_layer(&(layer_case){i % 4 ? text("slice: {first: %d, count: %d}", first, pick(1, c - first))
                                        : text("slice: {first: %d}", first),
                                  {{pick(1, 6), pick(1, 6), c}},
                                  .n = pick(1, 3),
                                  .linear = true},
                    reference);
    }
}
END_TEST

START_TEST(concat_of_slices)
{
    for (int i = 0; i < 10; i++) {
        int c = pick(2, 9), cut = pick(1, c - 1);
        check_layer(&(layer_case){text("slice: {count: %d}\n- {name: b, slice: {first: %d}, from: x0}\n"
                                       "- {name: c, concat: {}, from: [l, b]}",
                                       cut, cut),
                                  {{pick(1, 5), pick(1, 5), c}},
                                  .n = 2,
                                  .linear = true},
                    same);
    }
}
END_TEST

START_TEST(refused)
{
    check_refused(&(layer_case){"slice: {first: 3, count: 2}", {{1, 1, 4}}}, "takes channels 3 to 4");
    check_refused(&(layer_case){"slice: {first: 4}", {{1, 1, 4}}}, "has 0 to 3");
}
END_TEST

START_TEST(golden_values)
{
    check_golden("slice");
}
END_TEST

SUITE("slice", random_shapes, concat_of_slices, refused, golden_values)
