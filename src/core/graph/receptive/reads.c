/* What units read, layer by layer and axis by axis. */
#include "reads_private.h"

#include "alloc.h"

#include <math.h>
#include <string.h>

void nm_reads_free(nm_reads *r)
{
    if (!r)
        return;
    for (int i = 0; r->set && i < nm_reads_sets(r); i++)
        nm_pixels_free(&r->set[i]);
    nm_free(r->set);
    nm_free(r);
}

/* Sets of `period`, all empty. */
nm_status nm_reads_make(nm_context *ctx, const int period[2], const int64_t advance[2], nm_reads **out)
{
    nm_reads *r = nm_alloc(ctx, 1, sizeof *r);
    if (!r)
        return NM_FAILED;
    memcpy(r->period, period, sizeof r->period);
    memcpy(r->advance, advance, sizeof r->advance);
    r->set = nm_alloc(ctx, (size_t)(period[0] * period[1]), sizeof *r->set);
    if (!r->set) {
        nm_free(r);
        return NM_FAILED;
    }
    *out = r;
    return NM_OK;
}

/* `gaps` is what was known last. */
nm_status nm_reads_make_lost(nm_context *ctx, bool gaps, nm_reads **out)
{
    const int period[2] = {1, 1};
    const int64_t advance[2] = {1, 1};
    NM_TRY(nm_reads_make(ctx, period, advance, out));
    (*out)->lost = true;
    (*out)->gaps = gaps;
    return NM_OK;
}

nm_status nm_reads_begin(nm_context *ctx, nm_reads **out)
{
    const int period[2] = {1, 1};
    const int64_t advance[2] = {1, 1};
    NM_TRY(nm_reads_make(ctx, period, advance, out));
    nm_status status = nm_pixels_rect(ctx, (nm_rect){{0, 0}, {1, 1}}, &(*out)->set[0]);
    if (status != NM_OK)
        nm_reads_free(*out);
    return status;
}

bool nm_reads_is_full(const nm_pixels *set)
{
    return set->count <= 1 && !set->lost;
}

/* Where a set of too many rectangles was lost, it is known to have gaps. */
void nm_reads_note_gaps(nm_reads *r)
{
    bool lost = false;
    long rects = 0;
    r->gaps = false;
    for (int i = 0; i < nm_reads_sets(r); i++) {
        r->gaps = r->gaps || !nm_reads_is_full(&r->set[i]);
        rects += r->set[i].count;
        lost = lost || r->set[i].lost || rects > MOST_RECTS;
    }
    for (int i = 0; lost && i < nm_reads_sets(r); i++)
        nm_pixels_free(&r->set[i]);
    r->lost = r->lost || lost;
}

/* ---- through a layer --------------------------------------------------------------------- */

static int remainder_of(int64_t a, int b)
{
    return (int)((a % b + b) % b);
}

/* Adds to set `to` what units v, v + spacing, … of the layer's input read, `count` of them;
 * spacing, which may be negative, is a multiple of the period. */
static nm_status add_units(nm_context *ctx, const nm_reads *from, int axis, int other, int64_t v, int64_t spacing,
                           int count, nm_pixels *to)
{
    int phase = remainder_of(v, from->period[axis]);
    int64_t shift[2] = {0, 0}, nowhere[2] = {0, 0};
    shift[axis] = (v - phase) / from->period[axis] * from->advance[axis];
    const nm_pixels *one = &from->set[axis ? other * from->period[1] + phase : phase * from->period[1] + other];
    nm_pixels several = {0};
    nm_status status = nm_pixels_unite(ctx, &several, one, shift);
    if (status == NM_OK)
        status = nm_pixels_repeat(ctx, &several, axis, spacing / from->period[axis] * from->advance[axis], count);
    if (status == NM_OK)
        status = nm_pixels_unite(ctx, to, &several, nowhere);
    nm_pixels_free(&several);
    return status;
}

/* What unit u reads along the axis; `extent`: of the layer's input. */
static nm_status add_unit(nm_context *ctx, const nm_reads *from, const nm_window *w, int axis, int other, int u,
                          int extent, nm_pixels *to)
{
    int period = from->period[axis], kernel = w->kernel[axis], stride = w->stride[axis], dilation = w->dilation[axis];
    int pad =
        (int)ceil(w->pad[axis]); /* bilinear blending has halves of pixels; it reads two neighbours all the same */
    nm_status status = NM_OK;
    if (w->global) {
        for (int v = 0; v < period && v < extent && status == NM_OK; v++)
            status = add_units(ctx, from, axis, other, v, period, nm_ceil_div(extent - v, period), to);
    } else if (w->transposed) {
        /* every `each`-th tap meets an input, dilation / common before the last one; every
         * `spacing`-th of those the same phase */
        int common = nm_common_divisor(dilation, stride), each = stride / common, back = dilation / common, a = 0;
        int spacing = period / nm_common_divisor(period, back);
        while (a < each && (u + pad - a * dilation) % stride != 0)
            a++;
        for (int k = 0;
             k < spacing && a < kernel && each > 0 && (u + pad - a * dilation) % stride == 0 && status == NM_OK;
             k++, a += each)
            status = add_units(ctx, from, axis, other, (u + pad - a * dilation) / stride, -(int64_t)spacing * back,
                               nm_ceil_div(kernel - a, spacing * each), to);
    } else {
        int spacing = period / nm_common_divisor(period, dilation); /* taps that meet the same phase */
        for (int a = 0; a < kernel && a < spacing && status == NM_OK; a++)
            status = add_units(ctx, from, axis, other, (int64_t)u * stride - pad + (int64_t)a * dilation,
                               (int64_t)spacing * dilation, nm_ceil_div(kernel - a, spacing), to);
    }
    return status;
}

/* The period and the advance behind the layer; false: too much to follow. */
static bool step_on(const nm_reads *from, const nm_window *w, int axis, int period[2], int64_t advance[2])
{
    int stride = w->stride[axis];
    memcpy(period, from->period, sizeof from->period);
    memcpy(advance, from->advance, sizeof from->advance);
    if (w->global) {
        period[axis] = 1;
        advance[axis] = 0;
    } else if (from->advance[axis] == 0) { /* all units read the same */
        period[axis] = 1;
    } else if (w->transposed) {
        period[axis] *= stride;
    } else {
        int common = nm_common_divisor(period[axis], stride);
        period[axis] /= common;
        advance[axis] *= stride / common;
    }
    return advance[axis] <= MOST_ADVANCE && (int64_t)period[0] * period[1] <= MOST_SETS;
}

static nm_status through_axis(nm_context *ctx, const nm_reads *from, const nm_window *w, int axis, int extent,
                              nm_reads **out)
{
    int period[2];
    int64_t advance[2];
    if (from->lost || !step_on(from, w, axis, period, advance))
        return nm_reads_make_lost(ctx, from->gaps, out);
    if (!w->global && from->advance[axis] == 0)
        return nm_reads_copy(ctx, from, out);
    NM_TRY(nm_reads_make(ctx, period, advance, out));
    nm_status status = NM_OK;
    long rects = 0;
    bool lost = false;
    for (int i = 0; i < nm_reads_sets(*out) && status == NM_OK && !lost; i++) {
        int u = axis ? i % period[1] : i / period[1], other = axis ? i / period[1] : i % period[1];
        status = add_unit(ctx, from, w, axis, other, u, extent, &(*out)->set[i]);
        rects += (*out)->set[i].count;
        lost = (*out)->set[i].lost || rects > MOST_RECTS;
    }
    if (status == NM_OK)
        nm_reads_note_gaps(*out);
    else
        nm_reads_free(*out);
    return status;
}

nm_status nm_reads_through(nm_context *ctx, const nm_reads *from, const nm_window *w, nm_shape in, nm_shape image,
                           nm_reads **out)
{
    nm_reads *rows;
    NM_TRY(through_axis(ctx, from, w, 0, in.h, &rows));
    nm_status status = through_axis(ctx, rows, w, 1, in.w, out);
    nm_reads_free(rows);
    if (status != NM_OK || !w->global || (*out)->lost)
        return status;
    /* units at the border read padding too */
    for (int i = 0; i < nm_reads_sets(*out) && status == NM_OK; i++)
        status = nm_pixels_clip(ctx, &(*out)->set[i], (nm_rect){{0, 0}, {image.h, image.w}});
    if (status == NM_OK)
        nm_reads_note_gaps(*out);
    else
        nm_reads_free(*out);
    return status;
}
