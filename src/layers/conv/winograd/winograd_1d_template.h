/* The passes of a Winograd convolution along the width: see winograd_1d.h. */
#ifndef NM_WINOGRAD_1D_RUN_H
#define NM_WINOGRAD_1D_RUN_H

#include "winograd_1d.h"

/* ---- forward ------------------------------------------------------------------------------- */

/* Kernel row `task` of the weights: U[point][task * C + c][k]. */
static void weights_in_task(void *arg, int task, int thread)
{
    (void)thread;
    const nm_conv_call *call = arg;
    const nm_conv_geometry *g = call->g;
    size_t pair = (size_t)g->in.c * (size_t)g->out.c, stride = apart(depth_of(g), g->out.c);
    const real *restrict w = call->w + (size_t)task * WIDTH * pair;
    real *restrict u = (real *)call->shared + (size_t)task * pair;
    for (int e = 0; e < POINTS; e++)
        for (size_t i = 0; i < pair; i++) {
            real sum = (real)G[e][0] * w[i];
            for (int b = 1; b < WIDTH; b++)
                sum += (real)G[e][b] * w[(size_t)b * pair + i];
            u[(size_t)e * stride + i] = sum;
        }
}

/* m [tiles][filters] = v [tiles][depth] u [depth][filters], in sums of at most DEEPEST products:
 * nearly all the error is theirs. */
static void product(int tiles, int filters, int depth, const real *v, const real *u, real *m)
{
    int span = nm_pieces(depth, nm_pieces(depth, DEEPEST));
    for (int at = 0; at < depth; at += span)
        nm_gemm(false, false, tiles, filters, depth - at < span ? depth - at : span, 1, v + at, depth,
                u + (size_t)at * (size_t)filters, filters, at ? 1 : 0, m, filters);
}

static void forward_task(void *arg, int task, int thread)
{
    const nm_conv_call *call = arg;
    const nm_conv_geometry *g = call->g;
    blocking b = blocking_of(g, call->n, call->by_sample);
    block k = block_at(g, &b, call->n, task);
    int depth = depth_of(g), tiles = b.samples > 1 ? b.tiles : (k.last - k.first) * b.across;
    size_t in = apart(b.tiles, depth), out = apart(b.tiles, g->out.c);
    real *room = nm_conv_thread_scratch(call, thread), *v = room + nm_conv_input_room(g, b.rows), *m = v + POINTS * in;
    const real *u = call->shared;
    block_inputs(call, &b, &k, room, v);
    for (int e = 0; e < POINTS; e++)
        product(tiles, g->out.c, depth, v + (size_t)e * in, u + (size_t)e * apart(depth, g->out.c),
                m + (size_t)e * out);
    block_outputs(call, &b, &k, m);
}

static void forward(const nm_conv_call *call)
{
    nm_parallel(call->threads, call->g->kernel[0], weights_in_task, (void *)call);
    nm_parallel(call->threads, blocking_of(call->g, call->n, call->by_sample).units, forward_task, (void *)call);
}

/* ---- gradient by the weights --------------------------------------------------------------- */

/* dw = G' dU, for kernel row a. */
static void weights_out(const nm_conv_geometry *g, const real *restrict du, size_t stride, real *restrict dw)
{
    size_t pair = (size_t)g->in.c * (size_t)g->out.c;
    for (int a = 0; a < g->kernel[0]; a++)
        for (int b = 0; b < WIDTH; b++)
            for (size_t i = 0; i < pair; i++) {
                real sum = 0;
                for (int e = 0; e < POINTS; e++)
                    sum += (real)G[e][b] * du[(size_t)e * stride + (size_t)a * pair + i];
                dw[(size_t)(WIDTH * a + b) * pair + i] = sum;
            }
}

static void weights_task(void *arg, int task, int thread)
{
    const nm_conv_call *call = arg;
    const nm_conv_geometry *g = call->g;
    blocking b = blocking_of(g, call->n, false);
    int depth = depth_of(g);
    size_t in = apart(b.tiles, depth), out = apart(b.tiles, g->out.c), point = apart(depth, g->out.c);
    size_t count = nm_conv_weight_count(g);
    real *room = nm_conv_thread_scratch(call, thread), *v = room + nm_conv_input_room(g, b.rows), *d = v + POINTS * in,
         *du = d + POINTS * out;
    real *dw = (real *)call->shared + (size_t)task * count;
    real *db = (real *)call->shared + NM_CONV_PARTS * count + (size_t)task * (size_t)g->out.c;
    int first = (int)((long)b.units * task / NM_CONV_PARTS), last = (int)((long)b.units * (task + 1) / NM_CONV_PARTS);
    memset(db, 0, (size_t)g->out.c * sizeof *db);
    if (first == last)
        memset(dw, 0, count * sizeof *dw);
    for (int unit = first; unit < last; unit++) {
        block k = block_at(g, &b, call->n, unit);
        int tiles = b.samples > 1 ? k.samples * b.rows * b.across : (k.last - k.first) * b.across;
        block_inputs(call, &b, &k, room, v);
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
        NM_ISA(nm_conv_add_parts)
    (call->threads, parts + NM_CONV_PARTS * count, NM_CONV_PARTS, (size_t)call->g->out.c, call->db);
}

/* ---- planning ------------------------------------------------------------------------------ */

static const char *declines_geometry(const nm_conv_geometry *g)
{
    if (!nm_conv_is_plain(g))
        return "needs stride 1, dilation 1 and one group";
    if (g->out.w < 3)
        return "needs an output at least 3 pixels wide";
    return NULL;
}

/* A transform of a tile in one channel takes the time of `in` multiply-adds, for each row that it
 * is put in, or of `out`. */
static double cost_of(const nm_conv_geometry *g, nm_conv_kind kind, double in, double out)
{
    double tiles = (double)g->out.h * nm_pieces(g->out.w, TILE), depth = depth_of(g), width = g->out.c;
    double products = tiles * POINTS * depth * width, thin = (1 + 10 / width) * (1 + 10 / depth);
    /* transforms work on whole vectors of channels */
    double channels = nm_pieces(g->in.c, LANES) * (double)LANES, filters = nm_pieces(g->out.c, LANES) * (double)LANES;
    double transforms = tiles * (in * (1 + g->kernel[0]) * channels + out * filters);
    return thin * products * (kind == NM_CONV_WEIGHTS ? 1.15 : 1) + transforms;
}

static void book(const nm_conv_geometry *g, nm_conv_kind kind, int n, size_t *shared, size_t *thread)
{
    blocking b = blocking_of(g, n, false);
    size_t blocks = POINTS * (apart(b.tiles, depth_of(g)) + apart(b.tiles, g->out.c));
    size_t points = POINTS * apart(depth_of(g), g->out.c);
    bool weight_pass = kind == NM_CONV_WEIGHTS;
    *thread = (nm_conv_input_room(g, b.rows) + blocks + (weight_pass ? points : 0)) * sizeof(real);
    *shared = (weight_pass ? NM_CONV_PARTS * (nm_conv_weight_count(g) + (size_t)g->out.c) : points) * sizeof(real);
}

#endif
