/* Global average pooling against straight loops, numerical derivatives and PyTorch's values. */
#include "layer_check.h"
#include "run_suite.h"

static void reference(const layer_run *r, double *y)
{
    int area = r->in[0].h * r->in[0].w;
    for (int n = 0; n < r->n; n++)
        for (int c = 0; c < r->out.c; c++) {
            double sum = 0;
            for (int i = 0; i < area; i++)
                sum += r->x[0][(n * area + i) * r->out.c + c];
            y[n * r->out.c + c] = sum / area;
        }
}

START_TEST(random_shapes)
{
    for (int i = 0; i < 32; i++)
        check_layer(&(layer_case){"gap: {}", {{pick(1, 9), pick(1, 9), pick(1, 40)}}, .n = pick(1, 4), .linear = true},
                    reference);
}
END_TEST

START_TEST(golden_values)
{
    check_golden("gap");
}
END_TEST

SUITE("gap", random_shapes, golden_values)
