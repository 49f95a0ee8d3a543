/* Blocks of rows of Winograd along the width, rows in and out: see winograd_1d_template.h. */
#ifndef NM_WINOGRAD_1D_BLOCKS_TEMPLATE_H
#define NM_WINOGRAD_1D_BLOCKS_TEMPLATE_H

#include "conv.h"

#include "gemm.h"

enum { LANES = NM_VECTOR, POINTS = TILE + WIDTH - 1, BLOCK_BYTES = 192 * 1024, FEWEST_TILES = 32 };

/* From one point's matrix to the next, a cache line more than the matrix: see
 * winograd_2d_blocks_template.h. */
static size_t point_stride(int rows, int columns)
{
    return (size_t)rows * (size_t)columns + 16;
}

/* ---- blocks of rows ------------------------------------------------------------------------- */

typedef struct blocking {
    int across;            /* tiles in a row */
    int rows;              /* output rows of a sample in a block */
    int blocks_per_sample; /* 1 where a block holds several samples */
    int samples;           /* in a block */
    int tiles;             /* in a full block */
    int units;             /* blocks in all */
} blocking;

static int depth_of(const nm_conv_geometry *g)
{
    return g->kernel[0] * g->in.c;
}

/* Evaluation takes blocks of at most the size that training takes. */
static blocking blocking_of(const nm_conv_geometry *g, int n, bool by_sample)
{
    blocking b = {.across = nm_ceil_div(g->out.w, TILE), .samples = 1};
    int most = (int)(BLOCK_BYTES / (POINTS * (size_t)(depth_of(g) + g->out.c) * sizeof(real)));
    most = most < FEWEST_TILES ? FEWEST_TILES : most;
    b.rows = most / b.across;
    b.rows = b.rows < 1 ? 1 : b.rows > g->out.h ? g->out.h : b.rows;
    b.blocks_per_sample = nm_ceil_div(g->out.h, b.rows);
    b.rows = nm_ceil_div(g->out.h, b.blocks_per_sample); /* even blocks */
    b.blocks_per_sample = nm_ceil_div(g->out.h, b.rows);
    /* the kernels of a product treat its last rows differently: samples share a block only where
     * each has the same place in it */
    int tiles = b.rows * b.across;
    if (b.blocks_per_sample == 1 && (by_sample ? nm_gemm_whole_rows(tiles) == tiles : tiles % 16 == 0))
        b.samples = most / tiles > 1 ? most / tiles : 1;
    b.tiles = b.samples * tiles;
    b.units = nm_ceil_div(n, b.samples) * b.blocks_per_sample;
    return b;
}

/* What block number `unit` covers. */
typedef struct block {
    int sample, samples, first, last; /* rows first to last - 1 */
} block;

static block block_at(const nm_conv_geometry *g, const blocking *b, int n, int unit)
{
    block k = {.sample = unit / b->blocks_per_sample * b->samples, .first = unit % b->blocks_per_sample * b->rows};
    k.samples = n - k.sample < b->samples ? n - k.sample : b->samples;
    k.last = k.first + b->rows < g->out.h ? k.first + b->rows : g->out.h;
    return k;
}

/* ---- rows in and out ----------------------------------------------------------------------- */

/* `count` pixels of a row [w][channels] from column `col`, `lanes` channels from c; zeros outside.
 * row NULL: all zeros.
 */
static inline void load(const real *row, nm_shape s, int col, int c, const int lanes, const int count, nm_vector *d)
{
    for (int j = 0; j < count; j++)
        if (!row || col + j < 0 || col + j >= s.w)
            d[j] = (nm_vector){0};
        else
            nm_vector_load(&d[j], row + (ptrdiff_t)(col + j) * s.c + c, lanes);
}

static inline void store(const nm_vector *y, const int lanes, real *restrict to, size_t stride)
{
    for (int e = 0; e < POINTS; e++)
        nm_vector_store(to + (size_t)e * stride, &y[e], lanes);
}

/* Pixels of input row h, transformed once and put where each output row of the block that reads
 * them has them. `to`: the sample's first tile. */
static inline void input_lanes(const nm_conv_geometry *g, const blocking *b, const block *k, const real *row, int h,
                               int t, int c, const int lanes, real *to)
{
    size_t stride = point_stride(b->tiles, depth_of(g)), depth = (size_t)depth_of(g);
    nm_vector d[POINTS], y[POINTS];
    load(row, g->in, t * TILE - g->left, c, lanes, POINTS, d);
    input_points(d, y);
    for (int a = 0; a < g->kernel[0]; a++) {
        int out = h + g->top - a;
        if (out >= k->first && out < k->last)
            store(y, lanes,
                  to + ((size_t)(out - k->first) * (size_t)b->across + (size_t)t) * depth + (size_t)(a * g->in.c + c),
                  stride);
    }
}

static void input_row(const nm_conv_geometry *g, const blocking *b, const block *k, const real *sample, int h, real *to)
{
    const real *row = h >= 0 && h < g->in.h ? sample + (size_t)h * (size_t)(g->in.w * g->in.c) : NULL;
    for (int t = 0; t < b->across; t++) {
        int c = 0;
        for (; c + LANES <= g->in.c; c += LANES)
            input_lanes(g, b, k, row, h, t, c, LANES, to);
        if (c < g->in.c)
            input_lanes(g, b, k, row, h, t, c, g->in.c - c, to);
    }
}

/* `tiles` of a block, the last of which may be nobody's. buffer: for input rows that are normalised
 * here. */
static void block_inputs(const nm_conv_call *call, const blocking *b, const block *k, int tiles, real *buffer, real *to)
{
    const nm_conv_geometry *g = call->g;
    size_t per_sample = (size_t)(b->rows * b->across) * (size_t)depth_of(g);
    for (int s = 0; s < k->samples; s++) {
        const real *sample = NM_ISA(nm_conv_input)(call, k->sample + s, k->first, k->last, buffer);
        for (int h = k->first - g->top; h < k->last - g->top + g->kernel[0] - 1; h++)
            input_row(g, b, k, sample, h, to + (size_t)s * per_sample);
    }
    int filled = k->samples * (k->last - k->first) * b->across;
    for (int e = 0; e < POINTS && filled < tiles; e++) /* beyond the batch */
        memset(to + (size_t)e * point_stride(b->tiles, depth_of(g)) + (size_t)filled * (size_t)depth_of(g), 0,
               (size_t)(tiles - filled) * (size_t)depth_of(g) * sizeof *to);
}

/* to: the first pixel and those behind it. */
static inline void output_lanes(const nm_conv_call *call, int channel, const int lanes, const real *m, size_t stride,
                                const nm_stored *to, int columns)
{
    nm_vector in[POINTS], y[TILE];
    for (int e = 0; e < POINTS; e++)
        nm_vector_load(&in[e], m + (size_t)e * stride + channel, lanes);
    output_points(in, y);
    nm_conv_finish_vectors(call, channel, lanes, y, TILE);
    for (int j = 0; j < columns; j++)
        nm_stored_store(to, (size_t)j * (size_t)call->g->out.c + (size_t)channel, &y[j], lanes);
}

static void output_tile(const nm_conv_call *call, const real *m, size_t stride, nm_stored to, int columns)
{
    int channels = call->g->out.c, c = 0;
    for (; c + LANES <= channels; c += LANES)
        output_lanes(call, c, LANES, m, stride, &to, columns);
    if (c < channels)
        output_lanes(call, c, channels - c, m, stride, &to, columns);
}

static void block_outputs(const nm_conv_call *call, const blocking *b, const block *k, const real *m)
{
    const nm_conv_geometry *g = call->g;
    size_t stride = point_stride(b->tiles, g->out.c);
    for (int s = 0; s < k->samples; s++)
        for (int row = k->first; row < k->last; row++)
            for (int t = 0; t < b->across; t++) {
                size_t tile = (size_t)((s * b->rows + row - k->first) * b->across + t);
                size_t at =
                    ((size_t)(k->sample + s) * (size_t)g->out.h + (size_t)row) * (size_t)g->out.w + (size_t)(t * TILE);
                int left = g->out.w - t * TILE;
                output_tile(call, m + tile * (size_t)g->out.c, stride,
                            nm_stored_from((nm_stored){call->y, call->y_bf16}, at * (size_t)g->out.c),
                            left < TILE ? left : TILE);
            }
}

static inline void gradient_lanes(const nm_conv_geometry *g, const real *row, int t, int c, const int lanes, real *to,
                                  size_t stride)
{
    nm_vector d[TILE], y[POINTS];
    load(row, g->out, t * TILE, c, lanes, TILE, d);
    gradient_points(d, y);
    store(y, lanes, to + c, stride);
}

static void block_gradients(const nm_conv_call *call, const blocking *b, const block *k, real *to, real *db)
{
    const nm_conv_geometry *g = call->g;
    size_t stride = point_stride(b->tiles, g->out.c);
    for (int s = 0; s < k->samples; s++) {
        const real *sample = call->dy + (size_t)(k->sample + s) * nm_shape_size(g->out);
        for (int row = k->first; row < k->last; row++)
            for (int t = 0; t < b->across; t++) {
                const real *from = sample + (size_t)row * (size_t)(g->out.w * g->out.c);
                real *tile = to + (size_t)((s * b->rows + row - k->first) * b->across + t) * (size_t)g->out.c;
                int c = 0;
                for (; c + LANES <= g->out.c; c += LANES)
                    gradient_lanes(g, from, t, c, LANES, tile, stride);
                if (c < g->out.c)
                    gradient_lanes(g, from, t, c, g->out.c - c, tile, stride);
            }
        if (call->db)
            NM_ISA(nm_conv_column_sums)
        (sample + (size_t)k->first * (size_t)(g->out.w * g->out.c), (k->last - k->first) * g->out.w, g->out.c, db);
    }
}

#endif
