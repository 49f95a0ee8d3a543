/* How im2col cuts its work: what a block is, and where it lies. */
#include "im2col.h"

enum {
    BLOCK_BYTES = 256 << 10,       /* of patches: half of a small second-level cache */
    DEEP = 320,                    /* pixels of several samples in a product that gives weights */
    FEWEST_PIXELS = NM_GEMM_BLOCK, /* a block below this many would leave the matrix product starved */
    WIDE = 256,                    /* filters, from which blocks of several samples are cut in two */
    PIXELS_OF_WIDE = 64,           /* in those: a product copies all of its weights first */
};

/* Pixels of a block of several samples. */
static int pixels_of_samples(const nm_conv_geometry *g, bool by_sample)
{
    int pixels = im2col_is_pointwise(g) && g->out.c >= WIDE ? PIXELS_OF_WIDE : FEWEST_PIXELS;
    return by_sample ? nm_gemm_whole_rows(pixels) : pixels;
}

im2col_blocking NM_ISA(im2col_blocking_of)(const nm_conv_geometry *g, int n, nm_conv_kind kind, bool by_sample)
{
    im2col_blocking b = {.samples = 1, .pieces = 1, .patch = g->kernel[0] * g->kernel[1] * nm_conv_group_in(g)};
    int beside = kind == NM_CONV_FORWARD && im2col_is_pointwise(g)
                     ? g->out.c
                     : 0; /* no patches are made, but outputs are read again */
    int most = (int)(BLOCK_BYTES / ((size_t)(b.patch + beside) * sizeof(real)));
    if (most < FEWEST_PIXELS)
        most = FEWEST_PIXELS;
    b.rows = most / g->out.w;
    b.rows = b.rows < 1 ? 1 : b.rows > g->out.h ? g->out.h : b.rows;
    b.blocks_per_sample = nm_ceil_div(g->out.h, b.rows);
    b.rows = nm_ceil_div(g->out.h, b.blocks_per_sample); /* even blocks */
    b.blocks_per_sample = nm_ceil_div(g->out.h, b.rows);
    int area = g->out.h * g->out.w;
    b.pixels = b.rows * g->out.w;
    if (kind == NM_CONV_WEIGHTS && b.blocks_per_sample == 1 && im2col_is_pointwise(g)) {
        /* each block's product is added to all the weights: deep ones, where samples are small and
         * lie side by side */
        int deep = DEEP / area, share = nm_ceil_div(n, NM_CONV_FEWEST_PARTIALS);
        b.samples = deep < 1 ? 1 : deep < share ? deep : share;
        b.pixels = b.samples * area;
    } else if (b.blocks_per_sample == 1 && 2 * area <= FEWEST_PIXELS) {
        b.rows_of_samples = nm_gemm_rows_of(area, nm_conv_group_out(g), b.patch, by_sample);
        b.pixels = pixels_of_samples(g, by_sample);
        b.samples = b.pixels / b.rows_of_samples.padded_rows;
        b.scattered = b.rows_of_samples.split || b.samples * area < b.pixels;
        b.pieces = kind == NM_CONV_FORWARD && b.pixels > FEWEST_PIXELS ? 2 : 1;
    }
    b.groups_of_samples = nm_ceil_div(n, b.samples);
    return b;
}

im2col_scratch NM_ISA(im2col_layout)(nm_scratch *s, const nm_conv_geometry *g, nm_conv_kind kind,
                                     const im2col_blocking *b)
{
    int several = pixels_of_samples(g, true); /* whole rows: no fewer than without */
    size_t pixels = (size_t)(b->pixels > several ? b->pixels : several);
    nm_scratch after = *s;
    im2col_scratch l = {.patches = nm_scratch_reals(s, pixels * (size_t)b->patch)};
    if (kind != NM_CONV_DATA && g->groups == 1)
        l.input = nm_scratch_reals(s, nm_conv_input_size(g, b->rows));
    if (kind != NM_CONV_FORWARD)
        return l;
    l.moments = nm_scratch_bytes(&after, NM_ISA(nm_conv_moments_scratch)(g));
    nm_scratch_overlap(s, &after);
    l.outputs = nm_scratch_reals(s, pixels * (size_t)g->out.c);
    return l;
}

im2col_scratch NM_ISA(im2col_scratch_of)(const nm_conv_call *call, nm_conv_kind kind, const im2col_blocking *b,
                                         int thread)
{
    nm_scratch s = nm_conv_thread_scratch(call, thread);
    return NM_ISA(im2col_layout)(&s, call->g, kind, b);
}

im2col_block NM_ISA(im2col_block_at)(const nm_conv_geometry *g, const im2col_blocking *b, int n, int unit)
{
    im2col_block k = {.sample = unit / b->blocks_per_sample * b->samples};
    k.samples = n - k.sample < b->samples ? n - k.sample : b->samples;
    k.first = unit % b->blocks_per_sample * b->rows;
    k.last = k.first + b->rows < g->out.h ? k.first + b->rows : g->out.h;
    k.pixels = k.samples * (k.last - k.first) * g->out.w;
    k.out = ((size_t)k.sample * (size_t)g->out.h + (size_t)k.first) * (size_t)g->out.w * (size_t)g->out.c;
    k.filters = g->out.c;
    return k;
}

im2col_block NM_ISA(im2col_forward_block_at)(const nm_conv_geometry *g, const im2col_blocking *b, int n, int task)
{
    im2col_block k = NM_ISA(im2col_block_at)(g, b, n, task / b->pieces);
    int piece = task % b->pieces;
    k.filter = nm_gemm_piece_at(piece, b->pieces, g->out.c);
    k.filters = nm_gemm_piece_at(piece + 1, b->pieces, g->out.c) - k.filter;
    return k;
}
