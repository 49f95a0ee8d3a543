/* Depthwise 3x3 convolution with strides 1 and 2, by tiles of up to 2x4 outputs of one vector of
 * channels: what a tile reads is loaded once and added to all sums that need it, which stay in
 * registers. Tiles are walked along a row, for each place the channels first, so that memory is
 * read and written in order; walking all columns of one vector first is half as fast where x does
 * not fit the caches. At an edge of the image each row and column that is read is looked at. An
 * output's products are added in the same order in whatever tile it lies. */
#ifndef NM_DEPTHWISE_3X3_H
#define NM_DEPTHWISE_3X3_H

#include "depthwise_sums.h"

enum { DW_ROWS = 2, DW_COLS = 4 };

static inline bool dw_is_3x3(const nm_conv_geometry *g)
{
    return g->kernel[0] == 3 && g->kernel[1] == 3 && g->dilation[0] == 1 && g->dilation[1] == 1 &&
           g->stride[0] == g->stride[1] && g->stride[0] <= 2 && g->in.c >= NM_VECTOR;
}

NM_INLINE void dw_load_weights(const nm_conv_geometry *g, const real *w, int channel, nm_vector *weight)
{
#pragma GCC unroll 9
    for (int t = 0; t < 9; t++)
        nm_vector_load(&weight[t], w + t * (ptrdiff_t)g->in.c + channel, NM_VECTOR);
}

static inline bool dw_inside(int at, int size)
{
    return (unsigned)at < (unsigned)size;
}

/* Whether the tile at (row, col) reads nothing from outside. */
static inline bool dw_within(const nm_conv_geometry *g, int row, int col)
{
    int h = row * g->stride[0] - g->top, v = col * g->stride[1] - g->left;
    return h >= 0 && v >= 0 && h + (DW_ROWS - 1) * g->stride[0] + 3 <= g->in.h &&
           v + (DW_COLS - 1) * g->stride[1] + 3 <= g->in.w;
}

/* A tile's work, its stride and size constants: inlined into the walk for each of its five kinds.
 */
typedef void dw_work(const void *arg, int row, int col, const int stride, const int rows, const int cols,
                     const bool edge);

/* The tiles from `row` on, side by side, of as many rows as there are before `last`. */
NM_INLINE void dw_walk(const nm_conv_geometry *g, int row, int last, const int stride, dw_work *work, const void *arg)
{
    for (int col = 0, cols; col < g->out.w; col += cols) {
        cols = col + DW_COLS <= g->out.w ? DW_COLS : 1;
        bool pair = row + DW_ROWS <= last;
        if (pair && cols == DW_COLS && dw_within(g, row, col))
            work(arg, row, col, stride, DW_ROWS, DW_COLS, false);
        else if (pair && cols == DW_COLS)
            work(arg, row, col, stride, DW_ROWS, DW_COLS, true);
        else if (pair)
            work(arg, row, col, stride, DW_ROWS, 1, true);
        else if (cols == DW_COLS)
            work(arg, row, col, stride, 1, DW_COLS, true);
        else
            work(arg, row, col, stride, 1, 1, true);
    }
}

/* ---- forward ------------------------------------------------------------------------------- */

/* The sums of rows x cols outputs from (row, col) on. x: the sample. */
NM_INLINE void dw_forward_tile(const nm_conv_geometry *g, const real *x, const real *w, int row, int col, int channel,
                               const int stride, const int rows, const int cols, const bool edge, nm_vector *sum)
{
    const int tall = (rows - 1) * stride + 3, wide = (cols - 1) * stride + 3;
    int h = row * stride - g->top, v = col * stride - g->left;
    ptrdiff_t c = g->in.c, line = g->in.w * c, at = h * line + v * c + channel;
    nm_vector weight[9], value;
    dw_load_weights(g, w, channel, weight);
#pragma GCC unroll 8
    for (int i = 0; i < rows * cols; i++)
        sum[i] = (nm_vector){0};
#pragma GCC unroll 5
    for (int a = 0; a < tall; a++) {
        if (edge && !dw_inside(h + a, g->in.h))
            continue;
#pragma GCC unroll 9
        for (int b = 0; b < wide; b++) {
            if (edge && !dw_inside(v + b, g->in.w))
                continue;
            nm_vector_load(&value, x + (at + a * line + b * c), NM_VECTOR);
#pragma GCC unroll 8
            for (int i = 0; i < rows * cols; i++) {
                const int tap_row = a - i / cols * stride, tap_col = b - i % cols * stride;
                if (tap_row >= 0 && tap_row < 3 && tap_col >= 0 && tap_col < 3)
                    sum[i] += value * weight[tap_row * 3 + tap_col];
            }
        }
    }
}

/* channel .. beyond - 1 of a sample: x, y. */
typedef struct dw_forward_group {
    const nm_conv_call *call;
    const real *x;
    real *y;
    int channel, beyond;
} dw_forward_group;

/* The tile, finished, for a group of channels. */
NM_INLINE void dw_forward_channels(const void *arg, int row, int col, const int stride, const int rows, const int cols,
                                   const bool edge)
{
    const dw_forward_group *group = arg;
    const nm_conv_geometry *g = group->call->g;
    ptrdiff_t c = g->in.c;
    for (int channel = group->channel; channel < group->beyond; channel = dw_next(channel, g->in.c)) {
        nm_vector sum[DW_ROWS * DW_COLS];
        dw_ending e;
        dw_forward_tile(g, group->x, group->call->w, row, col, channel, stride, rows, cols, edge, sum);
        dw_ending_of(&e, group->call, channel, NM_VECTOR);
#pragma GCC unroll 8
        for (int i = 0; i < rows * cols; i++) {
            dw_end(&e, &sum[i]);
            nm_vector_store(group->y + ((row + i / cols) * (ptrdiff_t)g->out.w + col + i % cols) * c + channel, &sum[i],
                            NM_VECTOR);
        }
    }
}

/* Rows first..last-1 of a sample. */
NM_INLINE void dw_forward_3x3(const nm_conv_call *call, const real *x, int first, int last, const int stride, real *y)
{
    const nm_conv_geometry *g = call->g;
    for (int row = first; row < last; row += DW_ROWS)
        for (int c = 0, beyond; c < g->in.c; c = beyond) {
            beyond = dw_group_end(c, g->in.c);
            dw_forward_group group = {call, x, y, c, beyond};
            dw_walk(g, row, last, stride, dw_forward_channels, &group);
        }
}

/* ---- gradient by the weights --------------------------------------------------------------- */

/* The sums of a group of channels: for each vector those of nine taps, then of dy. */
typedef nm_vector dw_sums[10];
enum { DW_GROUP_VECTORS = DW_GROUP / NM_VECTOR + 1 };

/* Asks for what the next rows will read: 1.2 times faster where that comes from memory, 1.2 times
 * slower where all fits the caches. Forward, which waits for its writing, gains nothing. */
NM_INLINE void dw_fetch(const real *x, const int rows, const int cols, ptrdiff_t line, ptrdiff_t c)
{
#pragma GCC unroll 4
    for (int a = 0; a < rows; a++)
#pragma GCC unroll 8
        for (int b = 0; b < cols; b++)
            __builtin_prefetch(x + a * line + b * c);
}

/* channel .. beyond - 1 of a sample: x, dy; and their sums. */
typedef struct dw_sums_group {
    const nm_conv_geometry *g;
    const real *x, *dy;
    dw_sums *sums;
    int channel, beyond;
} dw_sums_group;

/* Adds rows x cols outputs of a group of channels. */
NM_INLINE void dw_add_tile(const void *arg, int row, int col, const int stride, const int rows, const int cols,
                           const bool edge)
{
    const dw_sums_group *group = arg;
    const nm_conv_geometry *g = group->g;
    const real *x = group->x, *dy = group->dy;
    dw_sums *sums = group->sums;
    const int tall = (rows - 1) * stride + 3, wide = (cols - 1) * stride + 3;
    int h = row * stride - g->top, v = col * stride - g->left;
    ptrdiff_t c = g->in.c, line = g->in.w * c;
    for (int channel = group->channel; channel < group->beyond; channel = dw_next(channel, g->in.c), sums++) {
        nm_vector sum[10], d[DW_ROWS * DW_COLS], value;
        dw_fetch(x + ((h + tall + stride - 1) * line + v * c + channel), rows * stride, cols * stride, line, c);
        dw_fetch(dy + ((row + rows) * (ptrdiff_t)g->out.w + col) * c + channel, rows, cols, g->out.w * c, c);
#pragma GCC unroll 10
        for (int t = 0; t < 10; t++)
            sum[t] = (*sums)[t];
#pragma GCC unroll 8
        for (int i = 0; i < rows * cols; i++) {
            nm_vector_load(&d[i], dy + ((row + i / cols) * (ptrdiff_t)g->out.w + col + i % cols) * c + channel,
                           NM_VECTOR);
            sum[9] += d[i];
        }
#pragma GCC unroll 5
        for (int a = 0; a < tall; a++) {
            if (edge && !dw_inside(h + a, g->in.h))
                continue;
#pragma GCC unroll 9
            for (int b = 0; b < wide; b++) {
                if (edge && !dw_inside(v + b, g->in.w))
                    continue;
                nm_vector_load(&value, x + ((h + a) * line + (v + b) * c + channel), NM_VECTOR);
#pragma GCC unroll 8
                for (int i = 0; i < rows * cols; i++) {
                    const int tap_row = a - i / cols * stride, tap_col = b - i % cols * stride;
                    if (tap_row >= 0 && tap_row < 3 && tap_col >= 0 && tap_col < 3)
                        sum[tap_row * 3 + tap_col] += value * d[i];
                }
            }
        }
#pragma GCC unroll 10
        for (int t = 0; t < 10; t++)
            (*sums)[t] = sum[t];
    }
}

/* Rows first..last-1 of a sample, for one group of channels. */
NM_INLINE void dw_add_rows(const nm_conv_geometry *g, const real *x, const real *dy, int first, int last, int channel,
                           int beyond, const int stride, dw_sums *sums)
{
    dw_sums_group group = {g, x, dy, sums, channel, beyond};
    for (int row = first; row < last; row += DW_ROWS)
        dw_walk(g, row, last, stride, dw_add_tile, &group);
}

/* ---- gradient by x, stride 2 --------------------------------------------------------------- */

/* Four pixels of each of two rows of dx from (row, col) on, both even: they take from two rows and
 * three columns of dy, and which taps lie between depends on whether the padding is odd. dy, dx:
 * the sample's. */
NM_INLINE void dw_data_tile(const nm_conv_call *call, const real *dy, int row, int col, const int odd, real *dx)
{
    const nm_conv_geometry *g = call->g;
    const int back = 2 - odd, cols = DW_COLS;
    int p0 = (row + g->top - back) / 2, q0 = (col + g->left - back) / 2;
    ptrdiff_t c = g->in.c;
    for (int channel = 0; channel < g->in.c; channel = dw_next(channel, g->in.c)) {
        nm_vector weight[9], sum[DW_ROWS * DW_COLS], d;
        dw_load_weights(g, call->w, channel, weight);
#pragma GCC unroll 8
        for (int i = 0; i < DW_ROWS * cols; i++)
            sum[i] = (nm_vector){0};
#pragma GCC unroll 2
        for (int p = 0; p < 2; p++) {
            if (!dw_inside(p0 + p, g->out.h))
                continue;
#pragma GCC unroll 3
            for (int q = 0; q < 3; q++) {
                if (!dw_inside(q0 + q, g->out.w))
                    continue;
                nm_vector_load(&d, dy + ((p0 + p) * (ptrdiff_t)g->out.w + q0 + q) * c + channel, NM_VECTOR);
#pragma GCC unroll 8
                for (int i = 0; i < DW_ROWS * cols; i++) {
                    const int a = i / cols - 2 * p + back, b = i % cols - 2 * q + back;
                    if (a >= 0 && a < 3 && b >= 0 && b < 3)
                        sum[i] += d * weight[a * 3 + b];
                }
            }
        }
#pragma GCC unroll 8
        for (int i = 0; i < DW_ROWS * cols; i++) {
            ptrdiff_t h = row + i / cols, v = col + i % cols;
            if (h < g->in.h && v < g->in.w)
                nm_vector_store(dx + (h * g->in.w + v) * c + channel, &sum[i], NM_VECTOR);
        }
    }
}
#endif
