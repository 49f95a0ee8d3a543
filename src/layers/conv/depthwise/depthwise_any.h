/* Depthwise convolution by any kernel, row by row: outputs whose taps all lie inside are taken
 * together, the others one by one. */
#ifndef NM_DEPTHWISE_ANY_H
#define NM_DEPTHWISE_ANY_H

#include "depthwise_sums.h"

enum { DW_TAPS = 4 /* of a kernel's row, summed at once */ };

/* The taps first..last-1 of an axis that read inside an input of `size` pixels from position `at`
 * on. */
static void dw_taps_inside(int at, int dilation, int kernel, int size, int *first, int *last)
{
    *first = at < 0 ? (-at + dilation - 1) / dilation : 0;
    *last = at < size ? (size - 1 - at) / dilation + 1 : 0;
    *last = *last < kernel ? *last : kernel;
}

/* The outputs first..last-1 of `count`, for which a tap that lies `off` from their place reads
 * inside. */
static void dw_outputs_inside(int off, int stride, int size, int count, int *first, int *last)
{
    *first = off < 0 ? (-off + stride - 1) / stride : 0;
    *last = size > off ? (size - 1 - off) / stride + 1 : 0;
    *last = *last < count ? *last : count;
    *first = *first < *last ? *first : *last;
}

/* ---- forward ------------------------------------------------------------------------------- */

/* A row of outputs, by any kernel: the columns whose taps all lie inside at once, the others alone.
 */
static void dw_forward_row(const nm_conv_call *call, const real *x, int row, real *y)
{
    const nm_conv_geometry *g = call->g;
    int a0, a1, b0, b1, from, to, whole, beyond, h = row * g->stride[0] - g->top;
    ptrdiff_t c = g->in.c, line = g->in.w * c;
    dw_taps_inside(h, g->dilation[0], g->kernel[0], g->in.h, &a0, &a1);
    dw_outputs_inside(-g->left, g->stride[1], g->in.w, g->out.w, &whole, &to);
    dw_outputs_inside((g->kernel[1] - 1) * g->dilation[1] - g->left, g->stride[1], g->in.w, g->out.w, &from, &beyond);
    whole = from > whole ? from : whole;
    beyond = to < beyond ? to : beyond;
    for (int col = 0, count; col < g->out.w; col += count) {
        int v = col * g->stride[1] - g->left;
        count = col >= whole && col < beyond ? beyond - col : 1;
        dw_taps_inside(v, g->dilation[1], g->kernel[1], g->in.w, &b0, &b1);
        dw_taps t = {a1 - a0, b1 - b0, g->dilation[0] * line, g->dilation[1] * c, g->kernel[1] * c, c};
        ptrdiff_t at = (h + a0 * g->dilation[0]) * line + (v + b0 * g->dilation[1]) * c;
        dw_outputs(call, &t, x + at, g->stride[1] * c, call->w + (a0 * g->kernel[1] + b0) * c, count, y + col * c, c);
    }
}

/* ---- gradient by the weights --------------------------------------------------------------- */

/* Adds `count` taps side by side, for all channels, over columns first..last-1, whose taps lie
 * `off` from their place. x, dy: the rows. */
NM_INLINE void dw_add_taps(const nm_conv_geometry *g, const real *x, const real *dy, int off, int first, int last,
                           const int count, real *to)
{
    const int channels = g->in.c;
    if (first >= last)
        return;
    x += (first * g->stride[1] + off) * (ptrdiff_t)channels;
    dy += first * (ptrdiff_t)channels;
    for (int c = 0, done = 0; c < channels; done = c + NM_VECTOR, c = dw_next(c, channels)) {
        nm_vector sum[DW_TAPS];
        if (channels >= NM_VECTOR)
            dw_sum_taps(g, x + c, dy + c, last - first, NM_VECTOR, count, sum);
        else
            dw_sum_taps(g, x, dy, last - first, channels, count, sum);
        for (int t = 0; t < count; t++)
            dw_add_new(&sum[t], c, done, channels, to + t * (ptrdiff_t)channels);
    }
}

/* Taps b..b+count-1 of one row of taps: the columns where all read inside together, the others tap
 * by tap. */
NM_INLINE void dw_add_group(const nm_conv_geometry *g, const real *x, const real *dy, int b, const int count, real *to)
{
    int from = 0, beyond = g->out.w, first[DW_TAPS], last[DW_TAPS], off = b * g->dilation[1] - g->left;
    for (int t = 0; t < count; t++) {
        dw_outputs_inside(off + t * g->dilation[1], g->stride[1], g->in.w, g->out.w, &first[t], &last[t]);
        from = first[t] > from ? first[t] : from;
        beyond = last[t] < beyond ? last[t] : beyond;
    }
    dw_add_taps(g, x, dy, off, from, beyond, count, to);
    beyond = beyond > from ? beyond : from;
    for (int t = 0; t < count && count > 1; t++, to += g->in.c, off += g->dilation[1]) {
        dw_add_taps(g, x, dy, off, first[t], last[t] < from ? last[t] : from, 1, to);
        dw_add_taps(g, x, dy, off, first[t] > beyond ? first[t] : beyond, last[t], 1, to);
    }
}

/* Rows first..last-1. x, dy: the sample's. */
static void dw_add_any(const nm_conv_call *call, int first, int last, const real *x, const real *dy, real *dw, real *db)
{
    const nm_conv_geometry *g = call->g;
    ptrdiff_t c = g->in.c, line = g->out.w * c;
    for (int row = first; row < last; row++) {
        int a0, a1, b, h = row * g->stride[0] - g->top;
        dw_taps_inside(h, g->dilation[0], g->kernel[0], g->in.h, &a0, &a1);
        for (int a = a0; a < a1; a++) {
            const real *from = x + (h + a * g->dilation[0]) * (ptrdiff_t)g->in.w * c;
            real *to = dw + a * g->kernel[1] * c;
            for (b = 0; b + DW_TAPS <= g->kernel[1]; b += DW_TAPS, to += DW_TAPS * c)
                dw_add_group(g, from, dy + row * line, b, DW_TAPS, to);
            for (; b < g->kernel[1]; b++, to += c)
                dw_add_group(g, from, dy + row * line, b, 1, to);
        }
    }
    NM_ISA(nm_conv_column_sums)(dy + first * line, (last - first) * g->out.w, g->out.c, db);
}

/* ---- gradient by x ------------------------------------------------------------------------- */

/* `count` pixels of dx with the same taps, whose outputs follow each other; they lie `step` numbers
 * apart. */
static void dw_data_pixels(const nm_conv_call *call, const real *dy, dw_reach v, dw_reach h, int count, real *dx,
                           ptrdiff_t step)
{
    const nm_conv_geometry *g = call->g;
    ptrdiff_t c = g->in.c, line = g->out.w * c;
    dw_taps t = {v.count, h.count, -v.back * line, -h.back * c, v.tap_stride * g->kernel[1] * c, h.tap_stride * c};
    bool any = v.count > 0 && h.count > 0;
    dw_outputs(call, &t, any ? dy + v.place * line + h.place * c : dy, c,
               any ? call->w + (v.first * g->kernel[1] + h.first) * c : call->w, count, dx, step);
}

/* A row of dx: for each remainder of the column by the stride the pixels whose outputs all exist at
 * once, others alone. */
static void dw_data_row(const nm_conv_call *call, const real *dy, int row, real *dx)
{
    const nm_conv_geometry *g = call->g;
    int stride = g->stride[1];
    ptrdiff_t c = g->in.c;
    const dw_reach v = dw_clipped(dw_reach_of(g, 0, row + g->top), g->out.h);
    for (int phase = 0; phase < stride && phase < g->in.w; phase++) {
        dw_reach h = dw_reach_of(g, 1, phase + g->left);
        int pixels = nm_ceil_div(g->in.w - phase, stride), low = h.place - (h.count - 1) * h.back;
        int from = low < 0 ? -low : 0, beyond = g->out.w - h.place < pixels ? g->out.w - h.place : pixels;
        for (int i = 0, count; i < pixels; i += count) {
            bool whole = h.count > 0 && i >= from && i < beyond;
            dw_reach here = h;
            here.place += i;
            count = whole ? beyond - i : 1;
            dw_data_pixels(call, dy, v, whole ? here : dw_clipped(here, g->out.w), count, dx + (phase + i * stride) * c,
                           stride * c);
        }
    }
}

#endif
