/* Which tiles a block of Winograd in two dimensions has, and where a tile lies: see
 * winograd_2d_template.h. */
#ifndef NM_WINOGRAD_2D_BLOCKS_TEMPLATE_H
#define NM_WINOGRAD_2D_BLOCKS_TEMPLATE_H

#include "gemm.h"
#include "winograd_2d_transforms_template.h"

enum {
    MANY_WEIGHTS = 32768,    /* C x K from which products take all tiles at once */
    STAGED_BYTES = 48 << 20, /* most memory for tiles at once, a third of it where `lean`: a batch of more is taken in
                                slices */
    FEW_UNITS = 8,           /* blocks, below which a slice of samples is staged */
    FEW_ROWS = 768,          /* of all blocks, below which a batch is staged: a team of threads leaves its caches */
    SMALL_BYTES = 3 << 18,   /* of transformed weights that fit a core's cache beside a block */
};

/* From one point's matrix to the next. A cache line more than the matrix: with powers of two the
 * streams of a transform would all fall into the same few cache sets. */
static size_t point_stride(int rows, int columns)
{
    return (size_t)rows * (size_t)columns + 16;
}

/* ---- blocks of tiles ---------------------------------------------------------------------- */

typedef struct blocking {
    int across, tiles; /* tiles in a row, in a sample */
    nm_gemm_rows rows; /* the place of a sample's tiles among the rows of products */
    int block;         /* rows of a block */
    int units;         /* blocks in all */
    int last;          /* rows of the last block: fewer in evaluation, and where all tiles are one product's */
    bool many;         /* weights */
    bool staged;
    int group; /* rows that go in and out at once: a block's, or fewer where staged */
    int groups;
} blocking;

/* Staged products are cut so that many threads find some of each, but no piece is so thin that the
 * product has more to copy than to add up. */
enum { PRODUCTS = 256, THINNEST_PIECE = 128 };

/* Into how many pieces of at least `fewest` of `count`, to have at least `wanted`. */
static int pieces_of(int wanted, int count, int fewest)
{
    int most = count / fewest;
    return wanted < most ? wanted : most > 1 ? most : 1;
}

/* Slices that hold less than the transformed weights would mostly read those. */
static size_t staged_bytes(const nm_conv_geometry *g)
{
    size_t weights = POINTS * point_stride(g->in.c, g->out.c) * sizeof(real), third = STAGED_BYTES / 3;
    return !g->lean || weights > STAGED_BYTES ? STAGED_BYTES : weights > third ? weights : third;
}

static bool has_small_weights(const nm_conv_geometry *g)
{
    return POINTS * point_stride(g->in.c, g->out.c) * sizeof(real) <= SMALL_BYTES;
}

static int units_of(const blocking *b, int n)
{
    return nm_gemm_blocks(&b->rows, n, b->block);
}

/* Whole rows of a block of at least `wanted`: thin products need more to be worth their call, and
 * weights that leave the cache to be worth reading them. */
static int rows_of_block(const nm_conv_geometry *g, int wanted)
{
    enum { WHOLE = 16, LEAST_WORK = 32768, LEAST_ROWS = 32 };
    int least = has_small_weights(g) ? nm_ceil_div(LEAST_WORK, g->in.c * g->out.c) : LEAST_ROWS;
    int block = nm_ceil_div(wanted > least ? wanted : least, WHOLE) * WHOLE;
    return block < NM_GEMM_BLOCK ? block : NM_GEMM_BLOCK;
}

/* Where `rows` are all that there are, few are cut into smaller blocks, so that many cores have
 * some. */
static int training_block(const nm_conv_geometry *g, int rows)
{
    enum { BLOCKS = 64 };
    return rows_of_block(g, nm_ceil_div(rows, BLOCKS));
}

/* In evaluation it follows from the layer alone: rows have the same bits in any block of whole
 * ones, and images of few tiles make small blocks. */
static int evaluation_block(const nm_conv_geometry *g, int tiles)
{
    enum { SAMPLES = 2 };
    return nm_gemm_whole_rows(rows_of_block(g, SAMPLES * tiles));
}

/* Small weights' gradient is staged where blocks are few, but not so few that passing tiles on
 * between cores takes longer than the products. */
static bool stages_small_weights(const nm_conv_geometry *g, int units)
{
    enum { THINNEST = 4096 };
    return units >= FEW_UNITS && g->in.c * g->out.c >= THINNEST;
}

/* Whether one tile of a sample is turned: staged products alone are, so at least one block must
 * fit. */
static bool turns(const nm_conv_geometry *g, const blocking *b)
{
    double bytes = (double)b->block * POINTS * (g->in.c + g->out.c) * sizeof(real);
    return b->tiles == 1 && b->many && bytes <= STAGED_BYTES && nm_gemm_turns();
}

static int rows_of_all(const blocking *b)
{
    return (b->units - 1) * b->block + b->last;
}

/* Rows of group number `index`. */
static int rows_of(const blocking *b, int index)
{
    int left = rows_of_all(b) - index * b->group;
    return left < b->group ? left : b->group;
}

/* Of `rows` that were planned for: fewer have no more groups, and find memory for what each leaves.
 */
static int group_of(const blocking *b, int rows)
{
    enum { GROUPS = 64, FEWEST = 4 };
    return b->staged ? nm_ceil_div(nm_ceil_div(rows, GROUPS), FEWEST) * FEWEST : b->block;
}

/* What is computed, and in evaluation by whom: one thread a slice of samples, or all of them a
 * batch. That decides which way is the better one; going forward, both have the same bits. */
typedef enum way { TRAINING, EVALUATION, SLICE, WEIGHTS } way;

static bool has_few_units(const nm_conv_geometry *g, int units, int block, way of)
{
    bool stays_in_cache = of == SLICE || (of == EVALUATION && has_small_weights(g));
    return stays_in_cache ? units < FEW_UNITS : units * block < FEW_ROWS;
}

static int last_rows(const blocking *b, int n, bool by_sample)
{
    int before = (b->units - 1) * b->block, left = n * b->rows.padded_rows + 2 * b->rows.edge - before;
    if (by_sample && !b->rows.edge)
        return nm_gemm_fewest_rows(nm_gemm_rows_end(&b->rows, n) - before, b->block);
    return b->staged && b->many ? nm_gemm_whole_rows(left) : b->block;
}

/* For n samples, where `most` were planned for. */
static blocking blocking_of(const nm_conv_geometry *g, int n, int most, way of)
{
    const bool by_sample = of == EVALUATION || of == SLICE;
    blocking b = {.across = nm_ceil_div(g->out.w, TILE), .many = (double)g->in.c * g->out.c >= MANY_WEIGHTS};
    b.tiles = b.across * nm_ceil_div(g->out.h, TILE);
    b.rows = nm_gemm_rows_of(b.tiles, g->out.c, g->in.c, by_sample);
    b.block = b.many ? 2 * NM_GEMM_BLOCK : NM_GEMM_BLOCK;
    if (by_sample && !b.many)
        b.block = evaluation_block(g, b.tiles);
    if (by_sample && turns(g, &b))
        b.rows = nm_gemm_turned_rows();
    b.units = units_of(&b, n);
    int units = units_of(&b, most);
    double bytes = (double)units * b.block * POINTS * (g->in.c + g->out.c) * sizeof(real);
    b.staged = (b.many || has_few_units(g, units, b.block, of)) && bytes <= staged_bytes(g);
    if (has_small_weights(g) && !by_sample)
        b.staged = b.staged && of == WEIGHTS && stages_small_weights(g, units);
    if (!b.many && !by_sample && !b.staged) {
        b.block = training_block(g, most * b.tiles);
        b.units = units_of(&b, n);
    }
    b.last = last_rows(&b, n, by_sample);
    b.group = group_of(&b, most * b.rows.padded_rows + 2 * b.rows.edge);
    b.groups = nm_ceil_div(rows_of_all(&b), b.group);
    return b;
}

/* ---- slices of the batch -------------------------------------------------------------------- */

/* Samples that are taken at once, of `most` that were planned for: of many weights as many as may
 * be staged, where one sample may. */
static int slice_of(const nm_conv_geometry *g, int most, way of)
{
    blocking b = blocking_of(g, 1, most, of);
    size_t row = POINTS * (size_t)(g->in.c + g->out.c) * sizeof(real);
    int fit = ((int)(staged_bytes(g) / row) / b.block * b.block - 2 * b.rows.edge) / b.rows.padded_rows;
    return b.many && fit > 0 ? nm_ceil_div(most, nm_ceil_div(most, fit)) : most;
}

/* What a call does with the slice that begins at sample `first`. */
static nm_conv_call slice_at(const nm_conv_call *call, int first, int slice)
{
    size_t in = (size_t)first * nm_shape_size(call->g->in), out = (size_t)first * nm_shape_size(call->g->out);
    nm_conv_call s = *call;
    s.n = call->n - first < slice ? call->n - first : slice;
    s.most = slice;
    s.x = nm_stored_from(call->x, in);
    s.y = call->y ? call->y + (size_t)first * nm_shape_size(nm_conv_y_shape(call)) : NULL;
    s.y_bf16 = call->y_bf16 ? call->y_bf16 + out : NULL;
    s.other = call->other ? call->other + out : NULL;
    s.dy = call->dy ? call->dy + out : NULL;
    s.beside = first ? NULL : call->beside; /* once */
    s.round = first ? NULL : call->round;
    return s;
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

#endif
