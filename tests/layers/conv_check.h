/* Convolution under test: its settings, the layer's text and straight loops in double. */
#ifndef CONV_CHECK_H
#define CONV_CHECK_H

#include "conv.h"
#include "layer_check.h"

/* The layer's private struct begins with its options; the test reads them back from the model text
 * instead. */
typedef struct setting {
    int filters, kernel[2], stride[2], dilation[2], groups, top, left;
    bool bias;
} setting;
static setting now;

/* Adds to one pixel's sums what pixel (h, w) of the input gives through tap (a, b). */
static inline void add_tap(const layer_run *r, int n, int h, int w, int tap, double *sum)
{
    int in = r->in[0].c / now.groups, out = now.filters / now.groups;
    for (int group = 0; group < now.groups; group++)
        for (int c = 0; c < in; c++) {
            double x = r->x[0][at(r->in[0], n, h, w, group * in + c)];
            const double *weights = r->param[0] + (size_t)(tap * in + c) * (size_t)now.filters + group * out;
            for (int o = 0; o < out; o++)
                sum[group * out + o] += x * weights[o];
        }
}

static inline void reference(const layer_run *r, double *y)
{
    for (int n = 0; n < r->n; n++)
        for (int i = 0; i < r->out.h; i++)
            for (int j = 0; j < r->out.w; j++) {
                double *sum = y + at(r->out, n, i, j, 0);
                for (int o = 0; o < now.filters; o++)
                    sum[o] = now.bias ? r->param[1][o] : 0;
                for (int tap = 0; tap < now.kernel[0] * now.kernel[1]; tap++) {
                    int h = i * now.stride[0] - now.top + tap / now.kernel[1] * now.dilation[0];
                    int w = j * now.stride[1] - now.left + tap % now.kernel[1] * now.dilation[1];
                    if (h >= 0 && w >= 0 && h < r->in[0].h && w < r->in[0].w)
                        add_tap(r, n, h, w, tap, sum);
                }
            }
}

static inline const char *layer_text(const char *algorithm)
{
    return text("conv: {filters: %d, kernel: [%d, %d], stride: [%d, %d], dilation: [%d, %d], groups: %d, "
                "pad: [%d, %d], bias: %s, algorithm: %s}",
                now.filters, now.kernel[0], now.kernel[1], now.stride[0], now.stride[1], now.dilation[0],
                now.dilation[1], now.groups, now.top, now.left, now.bias ? "true" : "false", algorithm);
}

static inline int reach(int axis)
{
    return now.dilation[axis] * (now.kernel[axis] - 1) + 1;
}

#endif
