/* Sums of depthwise convolution, by vectors of channels: what all kernels share, and taps in any
 * arrangement. */
#ifndef NM_DEPTHWISE_SUMS_H
#define NM_DEPTHWISE_SUMS_H

#include "conv.h"

#include <stddef.h>

enum { DW_PIXELS = 4 };

/* Vectors of channels follow each other from 0 on; where there are enough for a whole vector, the
 * last one reaches back over channels that the one before has done. */
static inline int dw_next(int channel, int channels)
{
    return channel + NM_VECTOR >= channels       ? channels
           : channel + 2 * NM_VECTOR <= channels ? channel + NM_VECTOR
                                                 : channels - NM_VECTOR;
}

/* Channels are walked in groups of about so many, for one place of an image before the next: they
 * lie side by side in memory, and what neighbouring places share stays in L1. */
enum { DW_GROUP = 128 };

/* One beyond the last channel of the group that begins at `channel`; what makes no vector of its
 * own belongs to it. */
static inline int dw_group_end(int channel, int channels)
{
    return channel + DW_GROUP + NM_VECTOR <= channels ? channel + DW_GROUP : channels;
}

/* ---- the end of a sum ---------------------------------------------------------------------- */

/* Scale, bias and relu of a call for one vector of channels. */
typedef struct dw_ending {
    nm_vector scale, bias;
    bool affine, relu;
} dw_ending;

static inline void dw_ending_of(dw_ending *e, const nm_conv_call *call, int channel, int lanes)
{
    e->affine = call->scale || call->bias;
    e->relu = call->relu;
    e->scale = e->bias = (nm_vector){0};
    if (call->scale)
        nm_vector_load(&e->scale, call->scale + channel, lanes);
    else
        e->scale += 1;
    if (call->bias)
        nm_vector_load(&e->bias, call->bias + channel, lanes);
}

static inline void dw_end(const dw_ending *e, nm_vector *y)
{
    if (e->affine)
        *y = *y * e->scale + e->bias;
    if (e->relu)
        nm_vector_positive(y);
}

/* ---- any taps ------------------------------------------------------------------------------ */

/* rows x cols taps; how many numbers lie from one to the next in what is read and in the weights.
 */
typedef struct dw_taps {
    int rows, cols;
    ptrdiff_t x_row, x_col, w_row, w_col;
} dw_taps;

/* Sums of some outputs, whose first taps lie `step` numbers apart from x on. */
NM_INLINE void dw_sum(const dw_taps *t, const real *x, ptrdiff_t step, const real *w, int lanes, const int pixels,
                      nm_vector *sum)
{
    nm_vector weight, value;
    for (int p = 0; p < pixels; p++)
        sum[p] = (nm_vector){0};
    for (int a = 0; a < t->rows; a++)
        for (int b = 0; b < t->cols; b++) {
            const real *from = x + a * t->x_row + b * t->x_col;
            nm_vector_load(&weight, w + a * t->w_row + b * t->w_col, lanes);
            for (int p = 0; p < pixels; p++) {
                nm_vector_load(&value, from + p * step, lanes);
                sum[p] += value * weight;
            }
        }
}

/* `count` outputs that have the same taps, all channels, written `y_step` numbers apart. x, w and y
 * are channel 0's. */
static inline void dw_outputs(const nm_conv_call *call, const dw_taps *t, const real *x, ptrdiff_t step, const real *w,
                              int count, real *y, ptrdiff_t y_step)
{
    int channels = call->g->in.c;
    for (int i = 0, pixels; i < count; i += pixels) {
        pixels = count - i >= DW_PIXELS ? DW_PIXELS : 1;
        for (int c = 0; c < channels; c = dw_next(c, channels)) {
            const real *from = x + i * step + c;
            nm_vector sum[DW_PIXELS];
            dw_ending e;
            dw_ending_of(&e, call, c, channels);
            if (channels < NM_VECTOR)
                for (int p = 0; p < pixels; p++)
                    dw_sum(t, from + p * step, step, w + c, channels, 1, &sum[p]);
            else if (pixels == DW_PIXELS)
                dw_sum(t, from, step, w + c, NM_VECTOR, DW_PIXELS, sum);
            else
                dw_sum(t, from, step, w + c, NM_VECTOR, 1, sum);
            for (int p = 0; p < pixels; p++) {
                dw_end(&e, &sum[p]);
                nm_vector_store(y + (i + p) * y_step + c, &sum[p], channels);
            }
        }
    }
}

/* ---- gradient by the weights --------------------------------------------------------------- */

/* Sums, over some columns of a row of outputs, x * dy of `count` taps side by side. x: the first
 * column's first tap. */
NM_INLINE void dw_sum_taps(const nm_conv_geometry *g, const real *x, const real *dy, int cols, int lanes,
                           const int count, nm_vector *sum)
{
    ptrdiff_t c = g->in.c, step = g->stride[1] * c, tap_stride = g->dilation[1] * c;
    nm_vector d, value;
    for (int t = 0; t < count; t++)
        sum[t] = (nm_vector){0};
    for (; cols > 0; cols--, x += step, dy += c) {
        nm_vector_load(&d, dy, lanes);
        for (int t = 0; t < count; t++) {
            nm_vector_load(&value, x + t * tap_stride, lanes);
            sum[t] += value * d;
        }
    }
}

/* Adds a vector of `lanes` channels, from `channel` on; those before `done` were added with the
 * vector before. */
static inline void dw_add_new(const nm_vector *sum, int channel, int done, int lanes, real *to)
{
    if (done == channel && lanes >= NM_VECTOR) {
        nm_vector before;
        nm_vector_load(&before, to + channel, NM_VECTOR);
        before += *sum;
        nm_vector_store(to + channel, &before, NM_VECTOR);
    } else {
        lanes = lanes < NM_VECTOR ? lanes : NM_VECTOR;
        for (int c = done; c < channel + lanes; c++)
            to[c] += (*sum)[c - channel];
    }
}

/* ---- gradient by x ------------------------------------------------------------------------- */

/* Along an axis, the taps that carry outputs to a pixel: the first, how many, `tap_stride` from
 * each other; `place` is the output of the first, each further one's is `back` before it. */
typedef struct dw_reach {
    int first, count, tap_stride, place, back;
} dw_reach;

/* `size` outputs; pixel `at`, counted from the first padded one. */
static inline dw_reach dw_reach_of(const nm_conv_geometry *g, int axis, int at)
{
    int stride = g->stride[axis], dilation = g->dilation[axis], kernel = g->kernel[axis];
    dw_reach r = {.tap_stride = 1};
    while (r.tap_stride * dilation % stride)
        r.tap_stride++;
    while (r.first < kernel && (at - r.first * dilation) % stride)
        r.first++;
    r.count = nm_ceil_div(kernel - r.first, r.tap_stride);
    r.place = (at - r.first * dilation) / stride;
    r.back = r.tap_stride * dilation / stride;
    return r;
}

/* Without the taps whose outputs do not exist. */
static inline dw_reach dw_clipped(dw_reach r, int size)
{
    for (; r.count > 0 && r.place >= size; r.count--, r.place -= r.back)
        r.first += r.tap_stride;
    while (r.count > 0 && r.place - (r.count - 1) * r.back < 0)
        r.count--;
    return r;
}
#endif
