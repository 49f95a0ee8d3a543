/* Max pooling against straight loops, numerical derivatives and PyTorch's values. */
#include "layer_check.h"
#include "pool_setting.h"
#include "run_suite.h"

#include <math.h>

static void reference(const layer_run *r, double *y)
{
    for (int n = 0; n < r->n; n++)
        for (int i = 0; i < r->out.h; i++)
            for (int j = 0; j < r->out.w; j++)
                for (int c = 0; c < r->out.c; c++) {
                    double most = -INFINITY;
                    for (int a = 0; a < now.size[0]; a++)
                        for (int b = 0; b < now.size[1]; b++) {
                            int h = i * now.stride[0] - now.pad[0] + a, w = j * now.stride[1] - now.pad[1] + b;
                            if (h >= 0 && w >= 0 && h < r->in[0].h && w < r->in[0].w)
                                most = fmax(most, r->x[0][at(r->in[0], n, h, w, c)]);
                        }
                    y[at(r->out, n, i, j, c)] = most;
                }
}

START_TEST(random_shapes)
{
    for (int i = 0; i < 40; i++) {
        random_setting();
        check_layer(&(layer_case){text("maxpool: {size: [%d, %d], stride: [%d, %d], pad: [%d, %d], ceil: %s}",
                                       now.size[0], now.size[1], now.stride[0], now.stride[1], now.pad[0], now.pad[1],
                                       now.ceil ? "true" : "false"),
                                  {{pick(3, 8), pick(3, 8), pick(1, 40)}},
                                  .n = pick(1, 3),
                                  .linear = true},
                    reference);
    }
}
END_TEST

START_TEST(ceil_over_small_maps)
{
    for (int i = 0; i < 40; i++) {
        random_setting();
        int height = draw_small_map(0), width = draw_small_map(1);
        check_layer(&(layer_case){text("maxpool: {size: [%d, %d], stride: [%d, %d], pad: [%d, %d], ceil: %s}",
                                       now.size[0], now.size[1], now.stride[0], now.stride[1], now.pad[0], now.pad[1],
                                       now.ceil ? "true" : "false"),
                                  {{height, width, pick(1, 40)}},
                                  .n = pick(1, 3),
                                  .linear = true},
                    reference);
    }
}
END_TEST

START_TEST(golden_values)
{
    check_golden("maxpool");
}
END_TEST

START_TEST(refused)
{
    check_refused(&(layer_case){"maxpool: {size: 2, pad: 2}", {{4, 4, 1}}}, "pad must be smaller than the window");
    check_refused(&(layer_case){"maxpool: {size: 5}", {{4, 4, 1}}}, "a window of 5 does not fit into its input 4x4x1");
    check_refused(&(layer_case){"maxpool: {size: 3, stride: 2, ceil: true}", {{1, 4, 1}}},
                  "a window of 3 does not fit into its input 1x4x1");
    check_refused(&(layer_case){"maxpool: {}", {{4, 4, 1}}}, "option 'size'");
}
END_TEST

SUITE("maxpool", random_shapes, ceil_over_small_maps, golden_values, refused)
