/* Tiles in and out of Winograd in two dimensions: see winograd_2d_template.h. */
#ifndef NM_WINOGRAD_2D_TILES_TEMPLATE_H
#define NM_WINOGRAD_2D_TILES_TEMPLATE_H

#include "winograd_2d_blocks_template.h"
#include "winograd_2d_moments_template.h"

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
            nm_vector value = {0};
            if (h >= 0 && h < s.h && w >= 0 && w < s.w)
                nm_vector_load(&value, sample + (size_t)h * across + (size_t)w * (size_t)s.c + channel, lanes);
            nm_vector_store(to, &value, LANES);
        }
    return (pixels){copy, (size_t)size * LANES, LANES};
}

/* Points of no tile: zeros. */
static void no_points(real *out, size_t stride, int channels)
{
    for (int e = 0; e < POINTS; e++)
        memset(out + (size_t)e * stride, 0, (size_t)channels * sizeof *out);
}

/* Numbers of the input rows that a group of tiles reads of one sample. */
static size_t input_size(const nm_conv_geometry *g, const blocking *b)
{
    return nm_conv_input_size(g, (nm_ceil_div(b->group, b->across) + 1) * TILE);
}

/* The sample of tile `t`, good for the `left` tiles from there on. buffer: for input rows that are
 * normalised here. */
static const real *input_of(const nm_conv_call *call, const blocking *b, tile t, int left, real *buffer)
{
    int col = t.col / TILE, tiles = b->tiles - (t.row / TILE * b->across + col);
    int down = nm_ceil_div(col + (left < tiles ? left : tiles), b->across);
    return NM_ISA(nm_conv_input)(call, t.sample, t.row, t.row + down * TILE, buffer);
}

/* The input tiles of a group to `to`, one row each; from one point to the next, `stride` numbers.
 */
static void group_inputs(const nm_conv_call *call, const blocking *b, int group, real *restrict to, size_t stride,
                         real *buffer)
{
    const nm_conv_geometry *g = call->g;
    tile t = tile_at(b, call->n, group * b->group);
    const real *sample = NULL;
    int of = -1;
    for (int left = rows_of(b, group); left > 0; left--, to += g->in.c, next_tile(b, g, call->n, &t)) {
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

static inline void round_tile(nm_vector (*y)[TILE])
{
    for (int i = 0; i < TILE; i++)
        for (int j = 0; j < TILE; j++)
            nm_vector_round_to_bf16(&y[i][j]);
}

/* A tile that has been rounded, to bfloat16. */
static inline void store_bf16_tile(const nm_conv_call *call, tile t, int channel, const int lanes, nm_vector (*y)[TILE])
{
    const nm_conv_geometry *g = call->g;
    size_t across = (size_t)g->out.c, down = (size_t)g->out.w * across;
    nm_bf16 *to = call->y_bf16 + (size_t)t.sample * nm_shape_size(g->out) + (size_t)t.row * down +
                  (size_t)t.col * across + channel;
    for (int i = 0; i < TILE && t.row + i < g->out.h; i++)
        for (int j = 0; j < TILE && t.col + j < g->out.w; j++)
            nm_vector_store_bf16(to + (size_t)i * down + (size_t)j * across, &y[i][j], lanes);
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
    if (rows >= TILE && columns >= TILE) { /* by itself, so that the tile can stay in registers */
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
    if (call->y_bf16)
        round_tile(y);
    if (sums->of)
        add_tile(sums, channel, lanes, call->g->out.h - t.row, call->g->out.w - t.col, y);
    if (call->other)
        add_to_tile(call, t, channel, lanes, y);
    if (call->pool)
        store_pooled(call, t, channel, lanes, y);
    else if (call->y_bf16)
        store_bf16_tile(call, t, channel, lanes, y);
    else
        store_tile(call, t, channel, lanes, y);
}

/* A group's tiles to y; `sums`: what tile_sums_layout gave. */
static void group_outputs(const nm_conv_call *call, const blocking *b, int group, const real *restrict m, size_t stride,
                          real *sums)
{
    const nm_conv_geometry *g = call->g;
    tile t = tile_at(b, call->n, group * b->group);
    tile_sums s = {.of = call->moments ? sums : NULL, .channels = g->out.c};
    for (int left = rows_of(b, group); left > 0; left--, m += g->out.c, next_tile(b, g, call->n, &t)) {
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
        finish_sums(&s, call->moments, group);
}

/* The tiles of dy, and the sums of their pixels added to db, where that is not NULL. */
static void group_gradients(const nm_conv_call *call, const blocking *b, int group, real *restrict to, size_t stride,
                            real *restrict db)
{
    const nm_conv_geometry *g = call->g;
    tile t = tile_at(b, call->n, group * b->group);
    for (int left = rows_of(b, group); left > 0; left--, to += g->out.c, next_tile(b, g, call->n, &t)) {
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
