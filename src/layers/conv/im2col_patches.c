/* The patches of im2col: for each output pixel what its kernel reads, side by side. */
#include "im2col.h"

#include "batchnorm_passes.h"

static inline void copy(real *restrict to, const real *restrict from, size_t count)
{
    if (count >= 16)
        memcpy(to, from, count * sizeof *to);
    else
        for (size_t i = 0; i < count; i++)
            to[i] = from[i];
}

static inline void clear(real *to, size_t count)
{
    for (size_t i = 0; i < count; i++)
        to[i] = 0;
}

/* One row of the kernel for one output pixel: `taps` pixels from column `from` of an input row
 * (NULL: all padding). */
static void kernel_row(const nm_conv_geometry *g, const real *row, int from, int channels, real *to)
{
    int taps = g->kernel[1], step = g->dilation[1];
    size_t c = (size_t)channels;
    if (!row) {
        clear(to, (size_t)taps * c);
    } else if (step == 1 && channels == g->in.c && from >= 0 && from + taps <= g->in.w) {
        copy(to, row + (size_t)from * c, (size_t)taps * c);
    } else {
        for (int b = 0; b < taps; b++, to += channels) {
            int at = from + b * step;
            if (at >= 0 && at < g->in.w)
                copy(to, row + (size_t)at * (size_t)g->in.c, c);
            else
                clear(to, c);
        }
    }
}

/* The patch of one output pixel of a sample, channels of one group. */
static inline void one_patch(const nm_conv_geometry *g, const real *x, int group, int row, int col, real *to)
{
    int channels = nm_conv_group_in(g), kernel = g->kernel[1] * channels;
    x += group * channels;
    for (int a = 0; a < g->kernel[0]; a++, to += kernel) {
        int h = row * g->stride[0] - g->top + a * g->dilation[0];
        const real *line = h >= 0 && h < g->in.h ? x + (size_t)h * (size_t)(g->in.w * g->in.c) : NULL;
        kernel_row(g, line, col * g->stride[1] - g->left, channels, to);
    }
}

/* The patches of output rows first..last-1. */
static void patches(const nm_conv_geometry *g, const real *x, int group, int first, int last, real *to)
{
    size_t patch = (size_t)(g->kernel[0] * g->kernel[1] * nm_conv_group_in(g));
    for (int row = first; row < last; row++)
        for (int col = 0; col < g->out.w; col++, to += patch)
            one_patch(g, x, group, row, col, to);
}

static void block_patches(const nm_conv_call *call, const im2col_blocking *b, const im2col_block *k, int group,
                          real *input, real *to)
{
    const nm_conv_geometry *g = call->g;
    size_t size = (size_t)((k->last - k->first) * g->out.w) * (size_t)b->patch;
    for (int s = 0; s < k->samples; s++)
        patches(g, NM_ISA(nm_conv_input)(call, k->sample + s, k->first, k->last, input), group, k->first, k->last,
                to + (size_t)s * size);
}

const real *NM_ISA(im2col_rows)(const nm_conv_call *call, const im2col_blocking *b, const im2col_block *k, int group,
                                const im2col_scratch *scratch)
{
    const nm_conv_geometry *g = call->g;
    if (im2col_is_pointwise(g)) {
        size_t at = ((size_t)k->sample * (size_t)g->in.h + (size_t)k->first) * (size_t)(g->in.w * g->in.c);
        if (!nm_conv_reads_through(call))
            return call->x.reals + at;
        NM_ISA(nm_conv_read)(call, at, k->pixels, scratch->patches);
        return scratch->patches;
    }
    block_patches(call, b, k, group, scratch->input, scratch->patches);
    return scratch->patches;
}

void NM_ISA(im2col_lay_out)(const nm_conv_call *call, const im2col_blocking *b, const im2col_block *k, int group,
                            int rows, const im2col_scratch *scratch)
{
    const nm_conv_geometry *g = call->g;
    real *to = scratch->patches;
    size_t patch = (size_t)b->patch;
    if (!b->rows_of_samples.split) {
        block_patches(call, b, k, group, scratch->input, to);
        memset(to + (size_t)k->pixels * patch, 0, (size_t)(rows - k->pixels) * patch * sizeof *to);
        return;
    }
    memset(to, 0, (size_t)rows * patch * sizeof *to);
    for (int row = 0; row < rows; row++) {
        nm_gemm_place p = nm_gemm_place_of(&b->rows_of_samples, row);
        if (p.sample < k->samples && p.number < b->rows_of_samples.parts) {
            int h = p.number / g->out.w, w = p.number % g->out.w;
            one_patch(g, call->x.reals + (size_t)(k->sample + p.sample) * nm_shape_size(g->in), group, h, w,
                      to + (size_t)row * patch);
        }
    }
}
