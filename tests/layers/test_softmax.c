/* Softmax against its formula, numerical derivatives and PyTorch's values. */
#include "layer_check.h"
#include "run_suite.h"

#include <math.h>

static void reference(const layer_run *r, double *y)
{
    int channels = r->out.c;
    for (int i = 0; i < r->n * r->out.h * r->out.w; i++) {
        double sum = 0;
        for (int c = 0; c < channels; c++)
            sum += exp(r->x[0][i * channels + c]);
        for (int c = 0; c < channels; c++)
            y[i * channels + c] = exp(r->x[0][i * channels + c]) / sum;
    }
}

START_TEST(random_shapes)
{
    for (int i = 0; i < 32; i++)
        check_layer(&(layer_case){"softmax: {}", {{pick(1, 9), pick(1, 9), pick(1, 12)}}, .n = pick(1, 3)}, reference);
}
END_TEST

START_TEST(golden_values)
{
    check_golden("softmax");
}
END_TEST

SUITE("softmax", random_shapes, golden_values)
