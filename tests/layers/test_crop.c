/* Cropping against straight loops, numerical derivatives and PyTorch's values. */
#include "layer_check.h"
#include "run_suite.h"

static int top, left;

static void reference(const layer_run *r, double *y)
{
    for (int n = 0; n < r->n; n++)
        for (int h = 0; h < r->out.h; h++)
            for (int w = 0; w < r->out.w; w++)
                for (int c = 0; c < r->out.c; c++)
                    y[at(r->out, n, h, w, c)] = r->x[0][at(r->in[0], n, h + top, w + left, c)];
}

START_TEST(random_shapes)
{
    for (int i = 0; i < 32; i++) {
        int h = pick(1, 6), w = pick(1, 6);
        top = pick(0, h - 1);
        left = pick(0, w - 1);
        check_layer(&(layer_case){text("crop: {crop: [%d, %d, %d, %d]}", top, pick(0, h - 1 - top), left,
                                       pick(0, w - 1 - left)),
                                  {{h, w, pick(1, 9)}},
                                  .n = pick(1, 3),
                                  .linear = true},
                    reference);
    }
}
END_TEST

START_TEST(as_large_as_another)
{
    for (int i = 0; i < 16; i++) {
        int h = pick(1, 7), w = pick(1, 7), smaller_h = pick(1, h), smaller_w = pick(1, w);
        top = (h - smaller_h) / 2;
        left = (w - smaller_w) / 2;
        check_layer(&(layer_case){"crop: {}", {{h, w, pick(1, 5)}, {smaller_h, smaller_w, 2}}, .n = 2, .linear = true},
                    reference);
    }
}
END_TEST

START_TEST(refused)
{
    check_refused(&(layer_case){"crop: {crop: [1, 1, 0, 0]}", {{2, 2, 3}}}, "cannot be cropped to 0x2");
    check_refused(&(layer_case){"crop: {}", {{2, 2, 3}, {3, 2, 1}}}, "cannot be cropped to 3x2");
}
END_TEST

START_TEST(golden_values)
{
    check_golden("crop");
}
END_TEST

SUITE("crop", random_shapes, as_large_as_another, refused, golden_values)
