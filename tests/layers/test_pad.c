/* Padding against straight loops, numerical derivatives and PyTorch's values. */
#include "layer_check.h"
#include "run_suite.h"

static int top, left;

static void reference(const layer_run *r, double *y)
{
    for (int n = 0; n < r->n; n++)
        for (int h = 0; h < r->out.h; h++)
            for (int w = 0; w < r->out.w; w++)
                for (int c = 0; c < r->out.c; c++) {
                    int y0 = h - top, x0 = w - left;
                    bool inside = y0 >= 0 && x0 >= 0 && y0 < r->in[0].h && x0 < r->in[0].w;
                    y[at(r->out, n, h, w, c)] = inside ? r->x[0][at(r->in[0], n, y0, x0, c)] : 0;
                }
}

START_TEST(random_shapes)
{
    for (int i = 0; i < 32; i++) {
        top = pick(0, 3);
        left = pick(0, 3);
        check_layer(&(layer_case){text("pad: {pad: [%d, %d, %d, %d]}", top, pick(0, 3), left, pick(0, 3)),
                                  {{pick(1, 5), pick(1, 5), pick(1, 9)}},
                                  .n = pick(1, 3),
                                  .linear = true},
                    reference);
    }
}
END_TEST

START_TEST(refused)
{
    check_refused(&(layer_case){"pad: {pad: same}", {{1, 2, 3}}}, "'same' says nothing here");
    check_refused(&(layer_case){"pad: {pad: -1}", {{1, 2, 3}}}, "pad");
}
END_TEST

START_TEST(golden_values)
{
    check_golden("pad");
}
END_TEST

SUITE("pad", random_shapes, refused, golden_values)
