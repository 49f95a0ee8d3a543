/* Winograd convolution F(4, 3) along the width (Winograd 1980; points 0, 1, -1, 2, -2, infinity), for kernels three wide and
 * any number of rows high: four outputs of a row come from six inputs of each row that the kernel covers, through six
 * products instead of twelve. With few channels it beats F(4x4, 3x3), since its products are kernel height times deeper and
 * its transforms smaller; its error lies nearer to that of direct summation.
 *
 *     V = B' d           [6][tiles][kh * C]      inputs, a tile for each four outputs of a row
 *     U = G w            [6][kh * C][K]          weights
 *     y = A' (V U)       [6][tiles][K] to 4 outputs
 *
 * and for the gradient by the weights, dU = V' (A dy), dw = G' dU. */
#include "conv.h"

#include "gemm.h"

#include <string.h>

enum { LANES = 16, POINTS = 6, TILE = 4, BLOCK_BYTES = 192 * 1024, FEWEST_TILES = 32 };

/* From one point's matrix to the next, a cache line more than the matrix: see winograd_2d.h. */
static size_t apart(int rows, int columns)
{
    return (size_t)rows * (size_t)columns + 16;
}

static const char *declines(const nm_conv_geometry *g, nm_conv_kind kind)
{
    (void)kind;
    if (!nm_conv_is_plain(g))
        return "needs stride 1, dilation 1 and one group";
    if (g->kernel[1] != 3)
        return "needs a kernel of width 3";
    if (g->out.w < 3)
        return "needs an output at least 3 pixels wide";
    return NULL;
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

static blocking blocking_of(const nm_conv_geometry *g, int n)
{
    blocking b = {.across = nm_pieces(g->out.w, TILE), .samples = 1};
    int most = (int)(BLOCK_BYTES / (POINTS * (size_t)(depth_of(g) + g->out.c) * sizeof(real)));
    most = most < FEWEST_TILES ? FEWEST_TILES : most;
    b.rows = most / b.across;
    b.rows = b.rows < 1 ? 1 : b.rows > g->out.h ? g->out.h : b.rows;
    b.blocks_per_sample = nm_pieces(g->out.h, b.rows);
    b.rows = nm_pieces(g->out.h, b.blocks_per_sample); /* even blocks */
    b.blocks_per_sample = nm_pieces(g->out.h, b.rows);
    /* the kernels of a product treat its last rows apart: samples share a block only where each has the same place in it */
    if (b.blocks_per_sample == 1 && b.rows * b.across % 16 == 0)
        b.samples = most / (b.rows * b.across) > 1 ? most / (b.rows * b.across) : 1;
    b.tiles = b.samples * b.rows * b.across;
    b.units = nm_pieces(n, b.samples) * b.blocks_per_sample;
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

/* ---- transforms ------------------------------------------------------------------------------- */

static const double G[6][3] = {{1.0 / 4, 0, 0},
                               {-1.0 / 6, -1.0 / 6, -1.0 / 6},
                               {-1.0 / 6, 1.0 / 6, -1.0 / 6},
                               {1.0 / 24, 1.0 / 12, 1.0 / 6},
                               {1.0 / 24, -1.0 / 12, 1.0 / 6},
                               {0, 0, 1}};

/* `count` pixels of a row [w][channels] from column `col`, LANES channels from c; zeros outside. row NULL: all zeros. */
static inline void load(const real *row, nm_shape s, int col, int c, int count, real (*d)[LANES])
{
    int lanes = s.c - c < LANES ? s.c - c : LANES;
    for (int j = 0; j < count; j++) {
        const real *from = row ? row + (ptrdiff_t)(col + j) * s.c + c : NULL;
        if (!row || col + j < 0 || col + j >= s.w) {
            memset(d[j], 0, sizeof d[j]);
        } else if (lanes == LANES) {
            memcpy(d[j], from, sizeof d[j]);
        } else {
            for (int v = 0; v < LANES; v++)
                d[j][v] = v < lanes ? from[v] : 0;
        }
    }
}

static inline void transform_input(real (*restrict d)[LANES], real (*restrict y)[LANES])
{
    for (int v = 0; v < LANES; v++) {
        real p = d[4][v] - 4 * d[2][v], q = d[3][v] - 4 * d[1][v], r = d[4][v] - d[2][v], s = 2 * (d[3][v] - d[1][v]);
        y[0][v] = 4 * d[0][v] - 5 * d[2][v] + d[4][v];
        y[1][v] = p + q;
        y[2][v] = p - q;
        y[3][v] = r + s;
        y[4][v] = r - s;
        y[5][v] = 4 * d[1][v] - 5 * d[3][v] + d[5][v];
    }
}

static inline void transform_gradient(real (*restrict d)[LANES], real (*restrict y)[LANES])
{
    for (int v = 0; v < LANES; v++) {
        real p = d[0][v] + d[2][v], q = d[1][v] + d[3][v], r = d[0][v] + 4 * d[2][v], s = 2 * d[1][v] + 8 * d[3][v];
        y[0][v] = d[0][v];
        y[1][v] = p + q;
        y[2][v] = p - q;
        y[3][v] = r + s;
        y[4][v] = r - s;
        y[5][v] = d[3][v];
    }
}

static inline void transform_output(const real *m, size_t stride, int lanes, real (*restrict y)[LANES])
{
    for (int v = 0; v < lanes; v++) {
        real m0 = m[v], m1 = m[stride + (size_t)v], m2 = m[2 * stride + (size_t)v], m3 = m[3 * stride + (size_t)v],
             m4 = m[4 * stride + (size_t)v], m5 = m[5 * stride + (size_t)v];
        real p = m1 + m2, q = m1 - m2, s = m3 + m4, u = m3 - m4;
        y[0][v] = m0 + p + s;
        y[1][v] = q + 2 * u;
        y[2][v] = p + 4 * s;
        y[3][v] = q + 8 * u + m5;
    }
}

static inline void store(real (*restrict y)[LANES], int lanes, real *restrict to, size_t stride)
{
    for (int e = 0; e < POINTS; e++)
        if (lanes == LANES)
            memcpy(to + (size_t)e * stride, y[e], sizeof y[e]);
        else
            memcpy(to + (size_t)e * stride, y[e], (size_t)lanes * sizeof y[e][0]);
}

/* ---- rows in and out --------------------------------------------------------------------------- */

/* Input row h of a sample, transformed once and put where each output row of the block that reads it has it. `to`: the
 * sample's first tile. */
static void input_row(const nm_conv_geometry *g, const blocking *b, const block *k, const real *sample, int h, real *to)
{
    size_t stride = apart(b->tiles, depth_of(g)), depth = (size_t)depth_of(g);
    const real *row = h >= 0 && h < g->in.h ? sample + (size_t)h * (size_t)(g->in.w * g->in.c) : NULL;
    for (int t = 0; t < b->across; t++)
        for (int c = 0; c < g->in.c; c += LANES) {
            int lanes = g->in.c - c < LANES ? g->in.c - c : LANES;
            real d[6][LANES], y[POINTS][LANES];
            load(row, g->in, t * TILE - g->left, c, 6, d);
            transform_input(d, y);
            for (int a = 0; a < g->kernel[0]; a++) {
                int out = h + g->top - a;
                if (out >= k->first && out < k->last)
                    store(y, lanes,
                          to + ((size_t)(out - k->first) * (size_t)b->across + (size_t)t) * depth +
                              (size_t)(a * g->in.c + c), stride);
            }
        }
}

static void block_inputs(const nm_conv_call *call, const blocking *b, const block *k, real *to)
{
    const nm_conv_geometry *g = call->g;
    size_t per_sample = (size_t)(b->rows * b->across) * (size_t)depth_of(g);
    for (int s = 0; s < k->samples; s++)
        for (int h = k->first - g->top; h < k->last - g->top + g->kernel[0] - 1; h++)
            input_row(g, b, k, call->x + (size_t)(k->sample + s) * nm_shape_size(g->in), h, to + (size_t)s * per_sample);
    for (int e = 0; e < POINTS && k->samples < b->samples; e++) /* beyond the batch */
        memset(to + (size_t)e * apart(b->tiles, depth_of(g)) + (size_t)k->samples * per_sample, 0,
               (size_t)(b->samples - k->samples) * per_sample * sizeof *to);
}

static void output_tile(const nm_conv_call *call, const real *m, size_t stride, real *pixel, int columns)
{
    const nm_conv_geometry *g = call->g;
    for (int c = 0; c < g->out.c; c += LANES) {
        int lanes = g->out.c - c < LANES ? g->out.c - c : LANES;
        real y[TILE][LANES];
        if (lanes == LANES)
            transform_output(m + c, stride, LANES, y);
        else
            transform_output(m + c, stride, lanes, y);
        for (int j = 0; j < columns; j++) {
            nm_conv_finish(call, c, lanes, NULL, y[j]);
            real *to = pixel + (size_t)j * (size_t)g->out.c + c;
            if (lanes == LANES)
                memcpy(to, y[j], sizeof y[j]);
            else
                memcpy(to, y[j], (size_t)lanes * sizeof *to);
        }
    }
}

static void block_outputs(const nm_conv_call *call, const blocking *b, const block *k, const real *m)
{
    const nm_conv_geometry *g = call->g;
    size_t stride = apart(b->tiles, g->out.c);
    for (int s = 0; s < k->samples; s++)
        for (int row = k->first; row < k->last; row++)
            for (int t = 0; t < b->across; t++) {
                size_t tile = (size_t)((s * b->rows + row - k->first) * b->across + t);
                size_t at = ((size_t)(k->sample + s) * (size_t)g->out.h + (size_t)row) * (size_t)g->out.w + (size_t)(t * TILE);
                int left = g->out.w - t * TILE;
                output_tile(call, m + tile * (size_t)g->out.c, stride, call->y + at * (size_t)g->out.c,
                            left < TILE ? left : TILE);
            }
}

/* ---- forward -------------------------------------------------------------------------------------- */

/* Kernel row `task` of the weights: U[point][task * C + c][k]. */
static void weights_in_task(void *arg, int task, int thread)
{
    (void)thread;
    const nm_conv_call *call = arg;
    const nm_conv_geometry *g = call->g;
    size_t pair = (size_t)g->in.c * (size_t)g->out.c, stride = apart(depth_of(g), g->out.c);
    const real *restrict w = call->w + (size_t)task * 3 * pair;
    real *restrict u = (real *)call->shared + (size_t)task * pair;
    for (int e = 0; e < POINTS; e++)
        for (size_t i = 0; i < pair; i++)
            u[(size_t)e * stride + i] = (real)G[e][0] * w[i] + (real)G[e][1] * w[pair + i] + (real)G[e][2] * w[2 * pair + i];
}

static void forward_task(void *arg, int task, int thread)
{
    const nm_conv_call *call = arg;
    const nm_conv_geometry *g = call->g;
    blocking b = blocking_of(g, call->n);
    block k = block_at(g, &b, call->n, task);
    int depth = depth_of(g), tiles = b.samples > 1 ? b.tiles : (k.last - k.first) * b.across;
    size_t in = apart(b.tiles, depth), out = apart(b.tiles, g->out.c);
    real *v = nm_conv_thread_scratch(call, thread), *m = v + POINTS * in;
    const real *u = call->shared;
    block_inputs(call, &b, &k, v);
    for (int e = 0; e < POINTS; e++)
        nm_gemm(false, false, tiles, g->out.c, depth, 1, v + (size_t)e * in, depth,
                u + (size_t)e * apart(depth, g->out.c), g->out.c, 0, m + (size_t)e * out, g->out.c);
    block_outputs(call, &b, &k, m);
}

static void forward(const nm_conv_call *call)
{
    nm_parallel(call->threads, call->g->kernel[0], weights_in_task, (void *)call);
    nm_parallel(call->threads, blocking_of(call->g, call->n).units, forward_task, (void *)call);
}

/* ---- gradient by the weights ------------------------------------------------------------------------ */

static void block_gradients(const nm_conv_call *call, const blocking *b, const block *k, real *to, real *db)
{
    const nm_conv_geometry *g = call->g;
    size_t stride = apart(b->tiles, g->out.c);
    for (int s = 0; s < k->samples; s++) {
        const real *sample = call->dy + (size_t)(k->sample + s) * nm_shape_size(g->out);
        for (int row = k->first; row < k->last; row++)
            for (int t = 0; t < b->across; t++) {
                size_t tile = (size_t)((s * b->rows + row - k->first) * b->across + t);
                for (int c = 0; c < g->out.c; c += LANES) {
                    real d[TILE][LANES], y[POINTS][LANES];
                    load(sample + (size_t)row * (size_t)(g->out.w * g->out.c), g->out, t * TILE, c, TILE, d);
                    transform_gradient(d, y);
                    store(y, g->out.c - c < LANES ? g->out.c - c : LANES, to + tile * (size_t)g->out.c + c, stride);
                }
            }
        if (call->db)
            NM_ISA(nm_conv_column_sums)(sample + (size_t)k->first * (size_t)(g->out.w * g->out.c),
                                        (k->last - k->first) * g->out.w, g->out.c, db);
    }
}

/* dw = G' dU, for kernel row a. */
static void weights_out(const nm_conv_geometry *g, const real *restrict du, size_t stride, real *restrict dw)
{
    size_t pair = (size_t)g->in.c * (size_t)g->out.c;
    for (int a = 0; a < g->kernel[0]; a++)
        for (int b = 0; b < 3; b++)
            for (size_t i = 0; i < pair; i++) {
                real sum = 0;
                for (int e = 0; e < POINTS; e++)
                    sum += (real)G[e][b] * du[(size_t)e * stride + (size_t)a * pair + i];
                dw[(size_t)(3 * a + b) * pair + i] = sum;
            }
}

static void weights_task(void *arg, int task, int thread)
{
    const nm_conv_call *call = arg;
    const nm_conv_geometry *g = call->g;
    blocking b = blocking_of(g, call->n);
    int depth = depth_of(g);
    size_t in = apart(b.tiles, depth), out = apart(b.tiles, g->out.c), point = apart(depth, g->out.c);
    size_t count = nm_conv_weight_count(g);
    real *v = nm_conv_thread_scratch(call, thread), *d = v + POINTS * in, *du = d + POINTS * out;
    real *dw = (real *)call->shared + (size_t)task * count;
    real *db = (real *)call->shared + NM_CONV_PARTS * count + (size_t)task * (size_t)g->out.c;
    int first = (int)((long)b.units * task / NM_CONV_PARTS), last = (int)((long)b.units * (task + 1) / NM_CONV_PARTS);
    memset(db, 0, (size_t)g->out.c * sizeof *db);
    if (first == last)
        memset(dw, 0, count * sizeof *dw);
    for (int unit = first; unit < last; unit++) {
        block k = block_at(g, &b, call->n, unit);
        int tiles = b.samples > 1 ? k.samples * b.rows * b.across : (k.last - k.first) * b.across;
        block_inputs(call, &b, &k, v);
        block_gradients(call, &b, &k, d, db);
        for (int e = 0; e < POINTS; e++)
            nm_gemm(true, false, depth, g->out.c, tiles, 1, v + (size_t)e * in, depth, d + (size_t)e * out, g->out.c,
                    unit > first ? 1 : 0, du + (size_t)e * point, g->out.c);
    }
    if (first < last)
        weights_out(g, du, point, dw);
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

/* ---- planning ---------------------------------------------------------------------------------------- */

static double cost(const nm_conv_geometry *g, nm_conv_kind kind)
{
    double tiles = (double)g->out.h * nm_pieces(g->out.w, TILE), depth = depth_of(g), width = g->out.c;
    double products = tiles * POINTS * depth * width, thin = (1 + 10 / width) * (1 + 10 / depth);
    /* transforms work on whole vectors of channels */
    double in = nm_pieces(g->in.c, LANES) * (double)LANES, out = nm_pieces(g->out.c, LANES) * (double)LANES;
    double transforms = tiles * (60.0 * (1 + g->kernel[0]) * in + 120.0 * out);
    return thin * products * (kind == NM_CONV_WEIGHTS ? 1.15 : 1) + transforms;
}

static void book(const nm_conv_geometry *g, nm_conv_kind kind, int n, size_t *shared, size_t *thread)
{
    blocking b = blocking_of(g, n);
    size_t blocks = POINTS * (apart(b.tiles, depth_of(g)) + apart(b.tiles, g->out.c));
    size_t points = POINTS * apart(depth_of(g), g->out.c);
    bool weight_pass = kind == NM_CONV_WEIGHTS;
    *thread = (blocks + (weight_pass ? points : 0)) * sizeof(real);
    *shared = (weight_pass ? NM_CONV_PARTS * (nm_conv_weight_count(g) + (size_t)g->out.c) : points) * sizeof(real);
}

extern const nm_conv_algorithm NM_ISA(nm_conv_winograd_1d);
const nm_conv_algorithm NM_ISA(nm_conv_winograd_1d) = {
    "winograd_1d", declines, cost, book, forward, weights, NULL, .setup = 10,
};
