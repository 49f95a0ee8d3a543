/* The reference of pools that sum over a window, and their random shapes: POOL is the type's name,
 * POOL_TERM(x) what a pixel adds, POOL_RESULT(sum) what comes out, POOL_LINEAR whether that is
 * linear. */
#ifndef SUM_POOL_CHECK_H
#define SUM_POOL_CHECK_H

#include "layer_check.h"
#include "pool_setting.h"
#include "run_suite.h"

#include <math.h>

static void pool_reference(const layer_run *r, double *y)
{
    for (int n = 0; n < r->n; n++)
        for (int i = 0; i < r->out.h; i++)
            for (int j = 0; j < r->out.w; j++)
                for (int c = 0; c < r->out.c; c++) {
                    double sum = 0;
                    for (int a = 0; a < now.size[0]; a++)
                        for (int b = 0; b < now.size[1]; b++) {
                            int h = i * now.stride[0] - now.pad[0] + a, w = j * now.stride[1] - now.pad[1] + b;
                            if (h >= 0 && w >= 0 && h < r->in[0].h && w < r->in[0].w)
                                sum += POOL_TERM(r->x[0][at(r->in[0], n, h, w, c)]);
                        }
                    y[at(r->out, n, i, j, c)] = POOL_RESULT(sum);
                }
}

START_TEST(random_shapes)
{
    for (int i = 0; i < 40; i++) {
        random_setting();
        check_layer(&(layer_case){text(POOL ": {size: [%d, %d], stride: [%d, %d], pad: [%d, %d], ceil: %s}",
                                       now.size[0], now.size[1], now.stride[0], now.stride[1], now.pad[0], now.pad[1],
                                       now.ceil ? "true" : "false"),
                                  {{pick(3, 8), pick(3, 8), pick(1, 20)}},
                                  .n = pick(1, 3),
                                  .linear = POOL_LINEAR},
                    pool_reference);
    }
}
END_TEST

START_TEST(ceil_over_small_maps)
{
    for (int i = 0; i < 40; i++) {
        random_setting();
        int height = draw_small_map(0), width = draw_small_map(1);
        check_layer(&(layer_case){text(POOL ": {size: [%d, %d], stride: [%d, %d], pad: [%d, %d], ceil: %s}",
                                       now.size[0], now.size[1], now.stride[0], now.stride[1], now.pad[0], now.pad[1],
                                       now.ceil ? "true" : "false"),
                                  {{height, width, pick(1, 20)}},
                                  .n = pick(1, 3),
                                  .linear = POOL_LINEAR},
                    pool_reference);
    }
}
END_TEST

#endif
