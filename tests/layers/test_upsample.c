/* Upsampling against its formula, numerical derivatives and PyTorch's values. */
#include "layer_check.h"
#include "run_suite.h"

#include <math.h>

static bool bilinear, corners;

static double along(double at, int size, int i) /* weight of pixel i at a position */
{
    at = fmin(fmax(at, 0), size - 1);
    return fmax(0, 1 - fabs(at - i));
}

static double position(int i, int in, int out)
{
    return corners ? (out > 1 ? (double)i * (in - 1) / (out - 1) : 0) : (i + 0.5) * in / out - 0.5;
}

static void reference(const layer_run *r, double *y)
{
    nm_shape in = r->in[0], out = r->out;
    for (int n = 0; n < r->n; n++)
        for (int i = 0; i < out.h; i++)
            for (int j = 0; j < out.w; j++)
                for (int c = 0; c < out.c; c++) {
                    double sum = 0;
                    for (int h = 0; h < in.h; h++)
                        for (int w = 0; w < in.w; w++) {
                            bool here = i * in.h / out.h == h && j * in.w / out.w == w;
                            double share = !bilinear ? here
                                                     : along(position(i, in.h, out.h), in.h, h) *
                                                           along(position(j, in.w, out.w), in.w, w);
                            sum += share * r->x[0][at(in, n, h, w, c)];
                        }
                    y[at(out, n, i, j, c)] = sum;
                }
}

START_TEST(random_shapes)
{
    for (int i = 0; i < 60; i++) {
        bilinear = i % 3 > 0;
        corners = i % 3 == 2;
        const char *mode = bilinear ? "bilinear" : "nearest", *more = corners ? ", align_corners: true" : "";
        const char *layer = i % 2 ? text("upsample: {scale: [%d, %d], mode: %s%s}", pick(1, 3), pick(1, 3), mode, more)
                                  : text("upsample: {size: [%d, %d], mode: %s%s}", pick(1, 9), pick(1, 9), mode, more);
        check_layer(&(layer_case){layer, {{pick(1, 5), pick(1, 5), pick(1, 9)}}, .n = pick(1, 3), .linear = true},
                    reference);
    }
}
END_TEST

START_TEST(refused)
{
    check_refused(&(layer_case){"upsample: {scale: 2, size: 4}", {{2, 2, 1}}}, "expected scale or size; found both");
    check_refused(&(layer_case){"upsample: {align_corners: true}", {{2, 2, 1}}}, "align_corners is for mode bilinear");
}
END_TEST

START_TEST(golden_values)
{
    check_golden("upsample");
}
END_TEST

SUITE("upsample", random_shapes, refused, golden_values)
