/* Winograd convolution F(TILE x TILE, 3x3) (Winograd 1980; Lavin, Gray 2016): a tile of TILE x TILE
 * outputs comes from SIZE x SIZE inputs (SIZE = TILE + 2) through SIZE^2 products instead of 9
 * TILE^2, each of them one matrix product over many tiles:
 *
 *     V = B' d B        [SIZE^2][tiles][C]     inputs
 *     U = G w G'        [SIZE^2][C][K]         weights
 *     M = V U           [SIZE^2][tiles][K]
 *     y = A' M A
 *
 * and for the gradient by the weights, dU = V' (A dy A'), dw = G' dU G.
 *
 * A file includes this header after TILE, G and the transforms of one dimension (input_points,
 * output_points, gradient_points); it ends in the algorithm's table. Work is done in one of two
 * ways, which give the same bits going forward:
 *
 * blocked  a block of tiles goes through all three steps while it is in the core's cache. The
 * gradient by the weights is summed in NM_CONV_PARTIALS partial sums. staged   each step is done
 * for all tiles before the next: where weights are so many that reading them once for each block
 * would take the time, or blocks so few that threads would stand idle. Products are then split by
 * points. */
#ifndef NM_WINOGRAD_2D_H
#define NM_WINOGRAD_2D_H

#include "conv.h"

#include "gemm.h"
#include "winograd_moments.h"
#include "winograd_transforms.h"

enum {
    MANY_WEIGHTS = 65536,    /* C x K from which products take all tiles at once */
    STAGED_BYTES = 48 << 20, /* most memory for all tiles at once */
    FEW_UNITS = 8,
    OWN_BYTES = 3 << 18, /* of transformed weights that each thread has for itself */
};

/* From one point's matrix to the next. A cache line more than the matrix: with powers of two the
 * streams of a transform would all fall into the same few cache sets. */
static size_t point_stride(int rows, int columns)
{
    return (size_t)rows * (size_t)columns + 16;
}

static const char *declines_geometry(const nm_conv_geometry *g)
{
    if (!nm_conv_is_plain(g))
        return "needs stride 1, dilation 1 and one group";
    if (g->kernel[0] != 3 || g->kernel[1] != 3)
        return "needs a 3x3 kernel";
    return NULL;
}

/* ---- blocks of tiles ---------------------------------------------------------------------- */

typedef struct blocking {
    int across, tiles; /* tiles in a row, in a sample */
    nm_gemm_rows rows; /* the place of a sample's tiles among the rows of products */
    int block;         /* rows of a block */
    int units;         /* blocks in all */
    int last;          /* rows of the last block: fewer only where all tiles are one product's */
    bool many;         /* weights */
    bool staged;
} blocking;

/* Whether each thread transforms the weights for itself: they fit its cache, and nobody waits for
 * anybody. */
static bool own_weights(const nm_conv_geometry *g)
{
    return POINTS * point_stride(g->in.c, g->out.c) * sizeof(real) <= OWN_BYTES;
}

static int units_of(const blocking *b, int n)
{
    return nm_gemm_blocks(&b->rows, n, b->block);
}

/* Rows of a block where `rows` are all that there are: few are cut into several blocks, so that
 * every core has some. */
static int rows_of_block(int rows)
{
    enum { BLOCKS = 4, FEWEST = 16, MANY_BLOCKS = 16 };
    int blocks = nm_pieces(rows, NM_GEMM_BLOCK);
    if (blocks > MANY_BLOCKS)
        return NM_GEMM_BLOCK;
    int block = nm_pieces(rows, nm_pieces(blocks, BLOCKS) * BLOCKS);
    return block < FEWEST ? FEWEST : block;
}

/* For n samples, where `most` were planned for. */
static blocking blocking_of(const nm_conv_geometry *g, int n, int most, bool by_sample)
{
    blocking b = {.across = nm_pieces(g->out.w, TILE), .many = (double)g->in.c * g->out.c >= MANY_WEIGHTS};
    b.tiles = b.across * nm_pieces(g->out.h, TILE);
    b.rows = nm_gemm_rows_of(b.tiles, by_sample);
    b.block = b.many ? 2 * NM_GEMM_BLOCK : NM_GEMM_BLOCK;
    b.units = units_of(&b, n);
    int units = units_of(&b, most);
    double bytes = (double)units * b.block * POINTS * (g->in.c + g->out.c) * sizeof(real);
    b.staged = (b.many || units < FEW_UNITS) && bytes <= STAGED_BYTES;
    if (!b.many && !by_sample && own_weights(g)) {
        b.staged = false;
        b.block = rows_of_block(most * b.tiles);
        b.units = units_of(&b, n);
    }
    int left = n * b.rows.room - (b.units - 1) * b.block;
    b.last = b.staged && b.many ? nm_gemm_whole_rows(left) : b.block;
    return b;
}

static int rows_of(const blocking *b, int unit)
{
    return unit == b->units - 1 ? b->last : b->block;
}

static int rows_of_all(const blocking *b)
{
    return (b->units - 1) * b->block + b->last;
}

/* Where a tile lies: sample -1 where the row has none. */
typedef struct tile {
    int sample, row, col; /* of its first output */
    int next;             /* row of products */
} tile;

static inline tile tile_at(const blocking *b, int n, int row)
{
    nm_gemm_place p = nm_gemm_place_of(&b->rows, row);
    if (p.sample >= n || p.number >= b->tiles)
        return (tile){.sample = -1, .next = row + 1};
    return (tile){p.sample, p.number / b->across * TILE, p.number % b->across * TILE, row + 1};
}

/* To the tile of the next row: beside or below it, mostly. */
static inline void next_tile(const blocking *b, const nm_conv_geometry *g, int n, tile *t)
{
    t->col += TILE;
    if (b->rows.split || t->sample < 0 || (t->col >= g->out.w && t->row + TILE >= g->out.h)) {
        *t = tile_at(b, n, t->next);
        return;
    }
    t->next++;
    if (t->col >= g->out.w) {
        t->col = 0;
        t->row += TILE;
    }
}

/* ---- tiles in and out ------------------------------------------------------------------------ */

/* `size` x `size` pixels from (row, col) of a sample, LANES channels from `channel`: where they
 * lie, or copied to `copy` with zeros for what is outside. */
static inline pixels pixels_at(const real *sample, nm_shape s, int row, int col, int size, int channel, int lanes,
                               real *copy)
{
    size_t across = (size_t)s.w * (size_t)s.c;
    if (row >= 0 && col >= 0 && row + size <= s.h && col + size <= s.w && lanes == LANES)
        return (pixels){sample + (size_t)row * across + (size_t)col * (size_t)s.c + channel, across, (size_t)s.c};
    real *to = copy;
    for (int h = row; h < row + size; h++)
        for (int w = col; w < col + size; w++, to += LANES) {
            if (h < 0 || h >= s.h || w < 0 || w >= s.w) {
                memset(to, 0, LANES * sizeof *to);
                continue;
            }
            const real *from = sample + (size_t)h * across + (size_t)w * (size_t)s.c + channel;
            if (lanes == LANES) {
                memcpy(to, from, LANES * sizeof *to);
                continue;
            }
            for (int v = 0; v < LANES; v++)
                to[v] = v < lanes ? from[v] : 0;
        }
    return (pixels){copy, (size_t)size * LANES, LANES};
}

/* Points of no tile: zeros. */
static void no_points(real *out, size_t stride, int channels)
{
    for (int e = 0; e < POINTS; e++)
        memset(out + (size_t)e * stride, 0, (size_t)channels * sizeof *out);
}

/* Numbers of the input rows that a block of tiles reads of one sample. */
static size_t input_size(const nm_conv_geometry *g, const blocking *b)
{
    return nm_conv_input_size(g, (nm_pieces(b->block, b->across) + 1) * TILE);
}

/* The sample of tile `t`, good for the `left` tiles from there on. buffer: for input rows that are
 * normalised here. */
static const real *input_of(const nm_conv_call *call, const blocking *b, tile t, int left, real *buffer)
{
    int col = t.col / TILE, tiles = b->tiles - (t.row / TILE * b->across + col);
    int down = nm_pieces(col + (left < tiles ? left : tiles), b->across);
    return NM_ISA(nm_conv_input)(call, t.sample, t.row, t.row + down * TILE, buffer);
}

/* The input tiles of `unit` to `to`, one row each; from one point to the next, `stride` numbers. */
static void unit_inputs(const nm_conv_call *call, const blocking *b, int unit, real *restrict to, size_t stride,
                        real *buffer)
{
    const nm_conv_geometry *g = call->g;
    tile t = tile_at(b, call->n, unit * b->block);
    const real *sample = NULL;
    int of = -1;
    for (int left = rows_of(b, unit); left > 0; left--, to += g->in.c, next_tile(b, g, call->n, &t)) {
        if (t.sample < 0) {
            no_points(to, stride, g->in.c);
            continue;
        }
        if (t.sample != of)
            sample = input_of(call, b, t, left, buffer);
        of = t.sample;
        for (int c = 0; c < g->in.c; c += LANES) {
            int lanes = g->in.c - c < LANES ? g->in.c - c : LANES;
            real copy[SIZE * SIZE * LANES];
            pixels d = pixels_at(sample, g->in, t.row - g->top, t.col - g->left, SIZE, c, lanes, copy);
            if (lanes == LANES)
                transform_input(d, to + c, stride, LANES);
            else
                transform_input(d, to + c, stride, lanes);
        }
    }
}

static inline void store_tile(const nm_conv_call *call, tile t, int channel, const int lanes, nm_vector (*y)[TILE])
{
    const nm_conv_geometry *g = call->g;
    size_t across = (size_t)g->out.c, down = (size_t)g->out.w * across;
    real *to =
        call->y + (size_t)t.sample * nm_shape_size(g->out) + (size_t)t.row * down + (size_t)t.col * across + channel;
    int rows = g->out.h - t.row, columns = g->out.w - t.col;
    if (call->stream) {
        for (int i = 0; i < TILE && i < rows; i++)
            for (int j = 0; j < TILE && j < columns; j++)
                nm_vector_stream(to + (size_t)i * down + (size_t)j * across, &y[i][j]);
        return;
    }
    if (rows >= TILE && columns >= TILE) { /* apart, so that the tile can stay in registers */
        for (int i = 0; i < TILE; i++)
            for (int j = 0; j < TILE; j++)
                nm_vector_store(to + (size_t)i * down + (size_t)j * across, &y[i][j], lanes);
        return;
    }
    for (int i = 0; i < TILE && i < rows; i++)
        for (int j = 0; j < TILE && j < columns; j++)
            nm_vector_store(to + (size_t)i * down + (size_t)j * across, &y[i][j], lanes);
}

/* The largest of each 2x2 outputs of a tile. */
static inline void store_pooled(const nm_conv_call *call, tile t, int channel, const int lanes, nm_vector (*y)[TILE])
{
    nm_shape s = nm_conv_y_shape(call);
    for (int i = 0; i < TILE / 2 && t.row / 2 + i < s.h; i++)
        for (int j = 0; j < TILE / 2 && t.col / 2 + j < s.w; j++) {
            nm_vector most = y[2 * i][2 * j];
            for (int k = 1; k < 4; k++)
                nm_vector_larger(&most, (const real *)&y[2 * i + k / 2][2 * j + k % 2]);
            size_t pixel =
                ((size_t)t.sample * (size_t)s.h + (size_t)(t.row / 2 + i)) * (size_t)s.w + (size_t)(t.col / 2 + j);
            nm_vector_store(call->y + pixel * (size_t)s.c + channel, &most, lanes);
        }
}

/* The other input's values are added to a tile. */
static inline void add_to_tile(const nm_conv_call *call, tile t, int channel, const int lanes, nm_vector (*y)[TILE])
{
    nm_shape s = call->g->out;
    size_t across = (size_t)s.c, down = (size_t)s.w * across;
    const real *from =
        call->other + (size_t)t.sample * nm_shape_size(s) + (size_t)t.row * down + (size_t)t.col * across + channel;
    for (int i = 0; i < TILE && t.row + i < s.h; i++)
        for (int j = 0; j < TILE && t.col + j < s.w; j++)
            nm_conv_add_other(call, from + (size_t)i * down + (size_t)j * across, lanes, &y[i][j]);
}

static inline void output_tile(const nm_conv_call *call, tile t, int channel, const int lanes, const real *restrict m,
                               size_t stride, const tile_sums *sums)
{
    nm_vector y[TILE][TILE];
    transform_output(m, stride, lanes, y);
    if (call->scale || call->bias || call->relu)
        nm_conv_finish_vectors(call, channel, lanes, y[0], TILE * TILE);
    if (sums->of)
        add_tile(sums, channel, lanes, call->g->out.h - t.row, call->g->out.w - t.col, y);
    if (call->other)
        add_to_tile(call, t, channel, lanes, y);
    if (call->pool)
        store_pooled(call, t, channel, lanes, y);
    else
        store_tile(call, t, channel, lanes, y);
}

/* A unit's tiles to y; `sums`: what tile_sums_layout gave. */
static void unit_outputs(const nm_conv_call *call, const blocking *b, int unit, const real *restrict m, size_t stride,
                         real *sums)
{
    const nm_conv_geometry *g = call->g;
    tile t = tile_at(b, call->n, unit * b->block);
    tile_sums s = {.of = call->moments ? sums : NULL, .channels = g->out.c};
    for (int left = rows_of(b, unit); left > 0; left--, m += g->out.c, next_tile(b, g, call->n, &t)) {
        if (t.sample < 0)
            continue;
        int c = 0, rows = g->out.h - t.row, columns = g->out.w - t.col;
        for (; c + LANES <= g->out.c; c += LANES)
            output_tile(call, t, c, LANES, m + c, stride, &s);
        if (c < g->out.c)
            output_tile(call, t, c, g->out.c - c, m + c, stride, &s);
        s.pixels += (rows < TILE ? rows : TILE) * (columns < TILE ? columns : TILE);
    }
    if (call->stream)
        nm_vector_settle();
    if (s.of)
        finish_sums(&s, call->moments, unit);
}

/* The tiles of dy, and the sums of their pixels added to db, where that is not NULL. */
static void unit_gradients(const nm_conv_call *call, const blocking *b, int unit, real *restrict to, size_t stride,
                           real *restrict db)
{
    const nm_conv_geometry *g = call->g;
    tile t = tile_at(b, call->n, unit * b->block);
    for (int left = rows_of(b, unit); left > 0; left--, to += g->out.c, next_tile(b, g, call->n, &t)) {
        if (t.sample < 0) {
            no_points(to, stride, g->out.c);
            continue;
        }
        const real *sample = call->dy + (size_t)t.sample * nm_shape_size(g->out);
        for (int c = 0; c < g->out.c; c += LANES) {
            int lanes = g->out.c - c < LANES ? g->out.c - c : LANES;
            real copy[TILE * TILE * LANES];
            pixels d = pixels_at(sample, g->out, t.row, t.col, TILE, c, lanes, copy);
            for (int p = 0; db && p < TILE * TILE; p++)
                for (int v = 0; v < lanes; v++)
                    db[c + v] += d.at[(size_t)(p / TILE) * d.row + (size_t)(p % TILE) * d.col + (size_t)v];
            if (lanes == LANES)
                transform_gradient(d, to + c, stride, LANES);
            else
                transform_gradient(d, to + c, stride, lanes);
        }
    }
}

#endif
