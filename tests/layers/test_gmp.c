/* Global max pooling against straight loops, numerical derivatives and PyTorch's values. */
#include "layer_check.h"
#include "run_suite.h"

static void reference(const layer_run *r, double *y)
{
    for (int n = 0; n < r->n; n++)
        for (int c = 0; c < r->out.c; c++) {
            double most = r->x[0][at(r->in[0], n, 0, 0, c)];
            for (int h = 0; h < r->in[0].h; h++)
                for (int w = 0; w < r->in[0].w; w++) {
                    double x = r->x[0][at(r->in[0], n, h, w, c)];
                    most = x > most ? x : most;
                }
            y[at(r->out, n, 0, 0, c)] = most;
        }
}

START_TEST(random_shapes)
{
    for (int i = 0; i < 32; i++)
        check_layer(&(layer_case){"gmp: {}", {{pick(1, 7), pick(1, 7), pick(1, 40)}}, .n = pick(1, 3), .linear = true},
                    reference);
}
END_TEST

START_TEST(golden_values)
{
    check_golden("gmp");
}
END_TEST

SUITE("gmp", random_shapes, golden_values)
