/* Winograd convolution F(4x4, 3x3) (Lavin, Gray 2016; points 0, 1, -1, 2, -2, infinity): a tile of 4x4 outputs comes
 * from 6x6 inputs through 36 products instead of 144, each of them one matrix product over all tiles of a block:
 *
 *     V = B' d B        [36][tiles][C]     inputs
 *     U = G w G'        [36][C][K]         weights
 *     M = V U           [36][tiles][K]
 *     y = A' M A
 *
 * and for the gradient by the weights, dU = V' (A dy A'), dw = G' dU G. Products are taken `LANES` channels at a time
 * in plain loops that the compiler turns into vector code. */
#include "conv.h"

#include "gemm.h"

#include <string.h>

enum { LANES = 16, POINTS = 36, TILE = 4 };

/* From one point's matrix to the next. A cache line more than the matrix: with powers of two the 36 streams of a
 * transform would all fall into the same few cache sets. */
static size_t apart(int rows, int columns)
{
    return (size_t)rows * (size_t)columns + 16;
}

static const char *declines(const nm_conv_geometry *g, nm_conv_kind kind)
{
    (void)kind;
    if (!nm_conv_is_plain(g))
        return "needs stride 1, dilation 1 and one group";
    if (g->kernel[0] != 3 || g->kernel[1] != 3)
        return "needs a 3x3 kernel";
    if (g->out.h < 3 || g->out.w < 3)
        return "the output is smaller than a tile";
    return NULL;
}

/* ---- blocks of tiles ---------------------------------------------------------------------- */

typedef struct blocking {
    int across, tiles;     /* tiles in a row, in a sample */
    int block;             /* tiles in a block */
    int samples;           /* in a block */
    int blocks_per_sample; /* 1 where a block holds several samples */
    int units;             /* blocks in all */
} blocking;

static blocking blocking_of(const nm_conv_geometry *g, int n)
{
    blocking b = {.across = nm_pieces(g->out.w, TILE), .samples = 1, .blocks_per_sample = 1};
    b.tiles = b.across * nm_pieces(g->out.h, TILE);
    /* 36 products of `block` rows: transforms of 32 tiles stay in cache; weights that do not fit are read less often
     * by larger blocks. */
    int wanted = (double)g->in.c * g->out.c >= 65536 ? 64 : 32;
    if (b.tiles <= wanted) {
        b.samples = wanted / b.tiles;
        b.block = b.samples * b.tiles;
    } else {
        b.blocks_per_sample = nm_pieces(b.tiles, wanted);
        b.block = nm_pieces(b.tiles, b.blocks_per_sample);
    }
    b.units = nm_pieces(n, b.samples) * b.blocks_per_sample;
    return b;
}

/* Where a tile lies: sample -1 beyond the batch. */
typedef struct tile {
    int sample, row, col; /* of its first output */
} tile;

static tile tile_at(const blocking *b, int n, int unit, int index)
{
    int sample = unit / b->blocks_per_sample * b->samples + index / b->tiles;
    int number = index % b->tiles;
    if (b->blocks_per_sample > 1) {
        sample = unit / b->blocks_per_sample;
        number = unit % b->blocks_per_sample * b->block + index;
    }
    if (sample >= n || number >= b->tiles)
        return (tile){-1, 0, 0};
    return (tile){sample, number / b->across * TILE, number % b->across * TILE};
}

/* ---- transforms ----------------------------------------------------------------------------- */

/* A tile's pixels: pixel (i, j), lane v at at[i * row + j * col + v]. In the sample itself, or in a copy that has zeros
 * for what lies outside. */
typedef struct pixels {
    const real *at;
    size_t row, col;
} pixels;

/* Six points of a tile to their matrices: by way of an array of their own, since the compiler cannot know that
 * `stride` keeps them apart. */
static inline void store_points(real (*y)[LANES], real *restrict out, size_t stride, int lanes)
{
    for (int k = 0; k < 6; k++)
        for (int v = 0; v < lanes; v++)
            out[(size_t)k * stride + (size_t)v] = y[k][v];
}

/* B' d B of one tile; out[point * stride + lane]. */
static inline void transform_input(pixels d, real *restrict out, size_t stride, int lanes)
{
    real t[6][6][LANES];
    for (int j = 0; j < 6; j++)
        for (int v = 0; v < LANES; v++) {
            const real *at = d.at + (size_t)j * d.col + (size_t)v;
            real d0 = at[0], d1 = at[d.row], d2 = at[2 * d.row], d3 = at[3 * d.row], d4 = at[4 * d.row],
                 d5 = at[5 * d.row];
            real p = d4 - 4 * d2, q = d3 - 4 * d1, r = d4 - d2, s = 2 * (d3 - d1);
            t[0][j][v] = 4 * d0 - 5 * d2 + d4;
            t[1][j][v] = p + q;
            t[2][j][v] = p - q;
            t[3][j][v] = r + s;
            t[4][j][v] = r - s;
            t[5][j][v] = 4 * d1 - 5 * d3 + d5;
        }
    for (int i = 0; i < 6; i++, out += 6 * stride) {
        real y[6][LANES];
        for (int v = 0; v < LANES; v++) {
            real d0 = t[i][0][v], d1 = t[i][1][v], d2 = t[i][2][v], d3 = t[i][3][v], d4 = t[i][4][v], d5 = t[i][5][v];
            real p = d4 - 4 * d2, q = d3 - 4 * d1, r = d4 - d2, s = 2 * (d3 - d1);
            y[0][v] = 4 * d0 - 5 * d2 + d4;
            y[1][v] = p + q;
            y[2][v] = p - q;
            y[3][v] = r + s;
            y[4][v] = r - s;
            y[5][v] = 4 * d1 - 5 * d3 + d5;
        }
        store_points(y, out, stride, lanes);
    }
}

/* A' m A of one tile, from m[point * stride + lane]. */
static inline void transform_output(const real *restrict m, size_t stride, real (*restrict y)[TILE][LANES], int lanes)
{
    real t[TILE][6][LANES];
    for (int j = 0; j < 6; j++)
        for (int v = 0; v < lanes; v++) {
            const real *at = m + (size_t)j * stride + (size_t)v;
            real m0 = at[0], m1 = at[6 * stride], m2 = at[12 * stride], m3 = at[18 * stride], m4 = at[24 * stride],
                 m5 = at[30 * stride];
            real p = m1 + m2, q = m1 - m2, r = m3 + m4, s = m3 - m4;
            t[0][j][v] = m0 + p + r;
            t[1][j][v] = q + 2 * s;
            t[2][j][v] = p + 4 * r;
            t[3][j][v] = q + 8 * s + m5;
        }
    for (int i = 0; i < TILE; i++)
        for (int v = 0; v < LANES; v++) {
            real m0 = t[i][0][v], m1 = t[i][1][v], m2 = t[i][2][v], m3 = t[i][3][v], m4 = t[i][4][v], m5 = t[i][5][v];
            real p = m1 + m2, q = m1 - m2, r = m3 + m4, s = m3 - m4;
            y[i][0][v] = m0 + p + r;
            y[i][1][v] = q + 2 * s;
            y[i][2][v] = p + 4 * r;
            y[i][3][v] = q + 8 * s + m5;
        }
}

/* A d A' of one tile of gradients: 4x4 to 6x6. */
static inline void transform_gradient(pixels d, real *restrict out, size_t stride, int lanes)
{
    real t[6][TILE][LANES];
    for (int j = 0; j < TILE; j++)
        for (int v = 0; v < LANES; v++) {
            const real *at = d.at + (size_t)j * d.col + (size_t)v;
            real d0 = at[0], d1 = at[d.row], d2 = at[2 * d.row], d3 = at[3 * d.row];
            real p = d0 + d2, q = d1 + d3, r = d0 + 4 * d2, s = 2 * d1 + 8 * d3;
            t[0][j][v] = d0;
            t[1][j][v] = p + q;
            t[2][j][v] = p - q;
            t[3][j][v] = r + s;
            t[4][j][v] = r - s;
            t[5][j][v] = d3;
        }
    for (int i = 0; i < 6; i++, out += 6 * stride) {
        real y[6][LANES];
        for (int v = 0; v < LANES; v++) {
            real d0 = t[i][0][v], d1 = t[i][1][v], d2 = t[i][2][v], d3 = t[i][3][v];
            real p = d0 + d2, q = d1 + d3, r = d0 + 4 * d2, s = 2 * d1 + 8 * d3;
            y[0][v] = d0;
            y[1][v] = p + q;
            y[2][v] = p - q;
            y[3][v] = r + s;
            y[4][v] = r - s;
            y[5][v] = d3;
        }
        store_points(y, out, stride, lanes);
    }
}

static const double G[6][3] = {{1.0 / 4, 0, 0},
                               {-1.0 / 6, -1.0 / 6, -1.0 / 6},
                               {-1.0 / 6, 1.0 / 6, -1.0 / 6},
                               {1.0 / 24, 1.0 / 12, 1.0 / 6},
                               {1.0 / 24, -1.0 / 12, 1.0 / 6},
                               {0, 0, 1}};

/* U = G w G' for `count` numbers that lie side by side: w[tap * w_stride + i] to u[point * u_stride + i]. */
static void transform_weights(const real *restrict w, size_t w_stride, real *restrict u, size_t u_stride, int count)
{
    for (int first = 0; first < count; first += LANES) {
        int lanes = count - first < LANES ? count - first : LANES;
        real t[6][3][LANES];
        for (int b = 0; b < 3; b++)
            for (int v = 0; v < lanes; v++) {
                const real *at = w + (size_t)b * w_stride + (size_t)(first + v);
                real w0 = at[0], w1 = at[3 * w_stride], w2 = at[6 * w_stride];
                for (int i = 0; i < 6; i++)
                    t[i][b][v] = (real)G[i][0] * w0 + (real)G[i][1] * w1 + (real)G[i][2] * w2;
            }
        for (int i = 0; i < 6; i++)
            for (int j = 0; j < 6; j++)
                for (int v = 0; v < lanes; v++)
                    u[(size_t)(6 * i + j) * u_stride + (size_t)(first + v)] =
                        (real)G[j][0] * t[i][0][v] + (real)G[j][1] * t[i][1][v] + (real)G[j][2] * t[i][2][v];
    }
}

/* dw = G' dU G, likewise. */
static void transform_weight_gradient(const real *restrict u, size_t u_stride, real *restrict dw, size_t w_stride,
                                      int count)
{
    for (int first = 0; first < count; first += LANES) {
        int lanes = count - first < LANES ? count - first : LANES;
        real t[3][6][LANES];
        for (int j = 0; j < 6; j++)
            for (int a = 0; a < 3; a++)
                for (int v = 0; v < lanes; v++) {
                    const real *at = u + (size_t)j * u_stride + (size_t)(first + v);
                    real sum = 0;
                    for (int i = 0; i < 6; i++)
                        sum += (real)G[i][a] * at[(size_t)(6 * i) * u_stride];
                    t[a][j][v] = sum;
                }
        for (int a = 0; a < 3; a++)
            for (int b = 0; b < 3; b++)
                for (int v = 0; v < lanes; v++) {
                    real sum = 0;
                    for (int j = 0; j < 6; j++)
                        sum += (real)G[j][b] * t[a][j][v];
                    dw[(size_t)(3 * a + b) * w_stride + (size_t)(first + v)] = sum;
                }
    }
}

/* ---- tiles in and out ------------------------------------------------------------------------ */

/* `size` x `size` pixels from (row, col) of a sample, LANES channels from `channel`: where they lie, or copied to
 * `copy` with zeros for what is outside. */
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

static void block_inputs(const nm_conv_call *call, const blocking *b, int unit, real *restrict to)
{
    const nm_conv_geometry *g = call->g;
    size_t stride = apart(b->block, g->in.c);
    for (int index = 0; index < b->block; index++) {
        tile t = tile_at(b, call->n, unit, index);
        const real *sample = call->x + (size_t)(t.sample < 0 ? 0 : t.sample) * nm_shape_size(g->in);
        for (int c = 0; c < g->in.c; c += LANES) {
            int lanes = g->in.c - c < LANES ? g->in.c - c : LANES;
            real *out = to + (size_t)index * (size_t)g->in.c + c;
            real copy[6 * 6 * LANES];
            if (t.sample < 0) {
                for (int e = 0; e < POINTS; e++)
                    memset(out + (size_t)e * stride, 0, (size_t)lanes * sizeof *out);
                continue;
            }
            pixels d = pixels_at(sample, g->in, t.row - g->top, t.col - g->left, 6, c, lanes, copy);
            if (lanes == LANES)
                transform_input(d, out, stride, LANES);
            else
                transform_input(d, out, stride, lanes);
        }
    }
}

static void store_tile(const nm_conv_call *call, tile t, int channel, int lanes, real (*restrict y)[TILE][LANES])
{
    const nm_conv_geometry *g = call->g;
    real *to = call->y + (size_t)t.sample * nm_shape_size(g->out) + channel;
    for (int i = 0; i < TILE && t.row + i < g->out.h; i++)
        for (int j = 0; j < TILE && t.col + j < g->out.w; j++) {
            real *pixel = to + ((size_t)(t.row + i) * (size_t)g->out.w + (size_t)(t.col + j)) * (size_t)g->out.c;
            if (lanes == LANES)
                memcpy(pixel, y[i][j], LANES * sizeof *pixel);
            else
                memcpy(pixel, y[i][j], (size_t)lanes * sizeof *pixel);
        }
}

/* The largest of each 2x2 outputs of a tile. */
static void store_pooled(const nm_conv_call *call, tile t, int channel, int lanes, real (*restrict y)[TILE][LANES])
{
    nm_shape s = nm_conv_y_shape(call);
    for (int i = 0; i < TILE / 2 && t.row / 2 + i < s.h; i++)
        for (int j = 0; j < TILE / 2 && t.col / 2 + j < s.w; j++) {
            real most[LANES];
            for (int v = 0; v < LANES; v += NM_VECTOR) {
                nm_vector a;
                memcpy(&a, &y[2 * i][2 * j][v], sizeof a);
                for (int k = 1; k < 4; k++)
                    nm_vector_larger(&a, &y[2 * i + k / 2][2 * j + k % 2][v]);
                memcpy(most + v, &a, sizeof a);
            }
            size_t pixel = ((size_t)t.sample * (size_t)s.h + (size_t)(t.row / 2 + i)) * (size_t)s.w + (size_t)(t.col / 2 + j);
            memcpy(call->y + pixel * (size_t)s.c + channel, most, (size_t)lanes * sizeof *most);
        }
}

static void block_outputs(const nm_conv_call *call, const blocking *b, int unit, const real *restrict m)
{
    const nm_conv_geometry *g = call->g;
    size_t stride = apart(b->block, g->out.c);
    for (int index = 0; index < b->block; index++) {
        tile t = tile_at(b, call->n, unit, index);
        for (int c = 0; t.sample >= 0 && c < g->out.c; c += LANES) {
            int lanes = g->out.c - c < LANES ? g->out.c - c : LANES;
            const real *from = m + (size_t)index * (size_t)g->out.c + c;
            real y[TILE][TILE][LANES];
            if (lanes == LANES)
                transform_output(from, stride, y, LANES);
            else
                transform_output(from, stride, y, lanes);
            for (int p = 0; (call->scale || call->bias || call->relu) && p < TILE * TILE; p++)
                nm_conv_finish(call, c, lanes == LANES ? LANES : lanes, y[p / TILE][p % TILE]);
            if (call->pool)
                store_pooled(call, t, c, lanes, y);
            else
                store_tile(call, t, c, lanes, y);
        }
    }
}

/* ---- forward ---------------------------------------------------------------------------------- */

static void weights_in_task(void *arg, int task, int thread)
{
    (void)thread;
    const nm_conv_call *call = arg;
    size_t at = (size_t)task * (size_t)call->g->out.c;
    transform_weights(call->w + at, (size_t)call->g->in.c * (size_t)call->g->out.c, (real *)call->shared + at,
                      apart(call->g->in.c, call->g->out.c), call->g->out.c);
}

static void forward_task(void *arg, int task, int thread)
{
    const nm_conv_call *call = arg;
    const nm_conv_geometry *g = call->g;
    blocking b = blocking_of(g, call->n);
    size_t in = apart(b.block, g->in.c), out = apart(b.block, g->out.c);
    real *v = nm_conv_thread_scratch(call, thread), *m = v + POINTS * in;
    const real *u = call->shared;
    block_inputs(call, &b, task, v);
    for (int e = 0; e < POINTS; e++)
        nm_gemm(false, false, b.block, g->out.c, g->in.c, 1, v + (size_t)e * in, g->in.c,
                u + (size_t)e * apart(g->in.c, g->out.c), g->out.c, 0, m + (size_t)e * out, g->out.c);
    block_outputs(call, &b, task, m);
}

static void forward(const nm_conv_call *call)
{
    nm_parallel(call->threads, call->g->in.c, weights_in_task, (void *)call);
    nm_parallel(call->threads, blocking_of(call->g, call->n).units, forward_task, (void *)call);
}

/* ---- gradient by the weights -------------------------------------------------------------------- */

static void block_gradients(const nm_conv_call *call, const blocking *b, int unit, real *restrict to, real *restrict db)
{
    const nm_conv_geometry *g = call->g;
    size_t stride = apart(b->block, g->out.c);
    for (int index = 0; index < b->block; index++) {
        tile t = tile_at(b, call->n, unit, index);
        const real *sample = call->dy + (size_t)(t.sample < 0 ? 0 : t.sample) * nm_shape_size(g->out);
        for (int c = 0; c < g->out.c; c += LANES) {
            int lanes = g->out.c - c < LANES ? g->out.c - c : LANES;
            real *out = to + (size_t)index * (size_t)g->out.c + c;
            real copy[TILE * TILE * LANES];
            if (t.sample < 0) {
                for (int e = 0; e < POINTS; e++)
                    memset(out + (size_t)e * stride, 0, (size_t)lanes * sizeof *out);
                continue;
            }
            pixels d = pixels_at(sample, g->out, t.row, t.col, TILE, c, lanes, copy);
            for (int p = 0; call->db && p < TILE * TILE; p++)
                for (int v = 0; v < lanes; v++)
                    db[c + v] += d.at[(size_t)(p / TILE) * d.row + (size_t)(p % TILE) * d.col + (size_t)v];
            if (lanes == LANES)
                transform_gradient(d, out, stride, LANES);
            else
                transform_gradient(d, out, stride, lanes);
        }
    }
}

static void weights_task(void *arg, int task, int thread)
{
    const nm_conv_call *call = arg;
    const nm_conv_geometry *g = call->g;
    blocking b = blocking_of(g, call->n);
    size_t in = apart(b.block, g->in.c), out = apart(b.block, g->out.c), point = apart(g->in.c, g->out.c);
    size_t pair = (size_t)g->in.c * (size_t)g->out.c, count = 9 * pair;
    real *v = nm_conv_thread_scratch(call, thread), *d = v + POINTS * in, *du = d + POINTS * out;
    real *dw = (real *)call->shared + (size_t)task * count;
    real *db = (real *)call->shared + NM_CONV_PARTS * count + (size_t)task * (size_t)g->out.c;
    int first = (int)((long)b.units * task / NM_CONV_PARTS), last = (int)((long)b.units * (task + 1) / NM_CONV_PARTS);
    memset(db, 0, (size_t)g->out.c * sizeof *db);
    if (first == last)
        memset(dw, 0, count * sizeof *dw);
    for (int unit = first; unit < last; unit++) {
        block_inputs(call, &b, unit, v);
        block_gradients(call, &b, unit, d, db);
        for (int e = 0; e < POINTS; e++)
            nm_gemm(true, false, g->in.c, g->out.c, b.block, 1, v + (size_t)e * in, g->in.c, d + (size_t)e * out,
                    g->out.c, unit > first ? 1 : 0, du + (size_t)e * point, g->out.c);
    }
    for (int c = 0; first < last && c < g->in.c; c++)
        transform_weight_gradient(du + (size_t)c * (size_t)g->out.c, point, dw + (size_t)c * (size_t)g->out.c, pair,
                                  g->out.c);
}

static void weights(const nm_conv_call *call)
{
    size_t count = nm_conv_weight_count(call->g);
    const real *parts = call->shared;
    nm_parallel(call->threads, NM_CONV_PARTS, weights_task, (void *)call);
    if (call->dw)
        NM_ISA(nm_conv_add_parts)(call->threads, parts, NM_CONV_PARTS, count, call->dw);
    if (call->db)
        NM_ISA(nm_conv_add_parts)(call->threads, parts + NM_CONV_PARTS * count, NM_CONV_PARTS,
                                  (size_t)call->g->out.c, call->db);
}

/* ---- planning ------------------------------------------------------------------------------------- */

static double cost(const nm_conv_geometry *g, nm_conv_kind kind)
{
    blocking b = blocking_of(g, 1);
    double tiles = (double)b.tiles;
    double products = tiles * POINTS * g->in.c * g->out.c, transforms = tiles * (g->in.c + g->out.c);
    /* measured: thin products run below full speed, and a transform costs about as much as 900 multiply-adds */
    double thin = (1 + 10.0 / g->out.c) * (1 + 10.0 / g->in.c);
    return thin * products * (kind == NM_CONV_WEIGHTS ? 1.15 : 1) + 900 * transforms;
}

static void book(const nm_conv_geometry *g, nm_conv_kind kind, int n, size_t *shared, size_t *thread)
{
    blocking b = blocking_of(g, n);
    size_t pair = (size_t)g->in.c * (size_t)g->out.c;
    size_t blocks = POINTS * (apart(b.block, g->in.c) + apart(b.block, g->out.c));
    size_t points = POINTS * apart(g->in.c, g->out.c);
    bool weight_pass = kind == NM_CONV_WEIGHTS;
    *thread = (blocks + (weight_pass ? points : 0)) * sizeof(real);
    *shared = (weight_pass ? NM_CONV_PARTS * (9 * pair + (size_t)g->out.c) : points) * sizeof(real);
}

extern const nm_conv_algorithm NM_ISA(nm_conv_winograd_2d);
const nm_conv_algorithm NM_ISA(nm_conv_winograd_2d) = {
    "winograd_2d", declines, cost, book, forward, weights, NULL, true,
};
