/* Local response normalisation against its formula, numerical derivatives and PyTorch's values. */
#include "layer_check.h"
#include "run_suite.h"

#include <math.h>

static int size;
static double alpha, beta, k;

static void reference(const layer_run *r, double *y)
{
    for (int n = 0; n < r->n; n++)
        for (int h = 0; h < r->out.h; h++)
            for (int w = 0; w < r->out.w; w++)
                for (int c = 0; c < r->out.c; c++) {
                    double sum = 0;
                    for (int i = c - size / 2; i <= c + (size - 1) / 2; i++)
                        if (i >= 0 && i < r->out.c)
                            sum += pow(r->x[0][at(r->out, n, h, w, i)], 2);
                    y[at(r->out, n, h, w, c)] = r->x[0][at(r->out, n, h, w, c)] / pow(k + alpha / size * sum, beta);
                }
}

START_TEST(random_shapes)
{
    for (int i = 0; i < 40; i++) {
        size = pick(1, 7);
        alpha = 0.1 * pick(0, 20);
        beta = i % 2 ? 0.75 : 0.1 * pick(1, 12);
        k = 0.5 * pick(1, 4);
        check_layer(&(layer_case){text("lrn: {size: %d, alpha: %g, beta: %g, k: %g}", size, alpha, beta, k),
                                  {{pick(1, 4), pick(1, 4), pick(1, 12)}},
                                  .n = pick(1, 3)},
                    reference);
    }
}
END_TEST

START_TEST(golden_values)
{
    check_golden("lrn");
}
END_TEST

SUITE("lrn", random_shapes, golden_values)
