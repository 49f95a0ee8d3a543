/* Concatenation against straight loops, numerical derivatives and PyTorch's values. */
#include "layer_check.h"
#include "run_suite.h"

static void reference(const layer_run *r, double *y)
{
    int first = 0;
    for (int k = 0; k < r->inputs; first += r->in[k++].c)
        for (int n = 0; n < r->n; n++)
            for (int h = 0; h < r->out.h; h++)
                for (int w = 0; w < r->out.w; w++)
                    for (int c = 0; c < r->in[k].c; c++)
                        y[at(r->out, n, h, w, first + c)] = r->x[k][at(r->in[k], n, h, w, c)];
}

START_TEST(random_shapes)
{
    for (int i = 0; i < 32; i++) {
        int h = pick(1, 6), w = pick(1, 20);
        layer_case c = {"concat: {}", {{h, w, pick(1, 9)}}, .n = pick(1, 3), .linear = true};
        for (int k = 1; k < pick(1, 4); k++)
            c.in[k] = (nm_shape){h, w, pick(1, 9)};
        check_layer(&c, reference);
    }
}
END_TEST

START_TEST(golden_values)
{
    check_golden("concat");
}
END_TEST

START_TEST(refused)
{
    check_refused(&(layer_case){"concat: {}", {{2, 2, 3}, {2, 3, 3}}}, "found 2x2x3 and 2x3x3");
}
END_TEST

SUITE("concat", random_shapes, golden_values, refused)
