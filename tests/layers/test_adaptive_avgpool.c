/* Adaptive average pooling against straight loops, numerical derivatives and PyTorch's values. */
#include "layer_check.h"
#include "run_suite.h"

static void reference(const layer_run *r, double *y)
{
    nm_shape in = r->in[0], out = r->out;
    for (int n = 0; n < r->n; n++)
        for (int i = 0; i < out.h; i++)
            for (int j = 0; j < out.w; j++)
                for (int c = 0; c < out.c; c++) {
                    double sum = 0;
                    int count = 0;
                    for (int h = 0; h < in.h; h++)
                        for (int w = 0; w < in.w; w++) /* whether the pixel touches the bin */
                            if (h * out.h < (i + 1) * in.h && (h + 1) * out.h > i * in.h &&
                                w * out.w < (j + 1) * in.w && (w + 1) * out.w > j * in.w) {
                                sum += r->x[0][at(in, n, h, w, c)];
                                count++;
                            }
                    y[at(out, n, i, j, c)] = sum / count;
                }
}

START_TEST(random_shapes)
{
    for (int i = 0; i < 40; i++)
        check_layer(&(layer_case){text("adaptive_avgpool: {size: [%d, %d]}", pick(1, 9), pick(1, 9)),
                                  {{pick(1, 8), pick(1, 8), pick(1, 20)}},
                                  .n = pick(1, 3),
                                  .linear = true},
                    reference);
}
END_TEST

START_TEST(golden_values)
{
    check_golden("adaptive_avgpool");
}
END_TEST

SUITE("adaptive_avgpool", random_shapes, golden_values)
