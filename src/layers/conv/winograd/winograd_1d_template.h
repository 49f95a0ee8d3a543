/* Winograd convolution F(TILE, WIDTH) along the width (Winograd 1980), for kernels WIDTH wide and
 * any number of rows high: TILE outputs of a row come from POINTS = TILE + WIDTH - 1 inputs of each
 * row that the kernel covers, through POINTS products instead of TILE * WIDTH, each of them one
 * matrix product over many tiles:
 *
 *     V = B' d           [POINTS][tiles][kh * C]      inputs, a tile for each TILE outputs of a row
 *     U = G w            [POINTS][kh * C][K]          weights
 *     y = A' (V U)       [POINTS][tiles][K] to TILE outputs
 *
 * and for the gradient by the weights, dU = V' (A dy), dw = G' dU.
 *
 * A file includes this header after TILE, WIDTH, DEEPEST (products in one sum, forward), the macro
 * WINOGRAD(name), which makes a function's name its own, G and the transforms (input_points,
 * output_points, gradient_points); it ends in the algorithm's table. */
#ifndef NM_WINOGRAD_1D_TEMPLATE_H
#define NM_WINOGRAD_1D_TEMPLATE_H

#include "conv_partials.h"
#include "winograd_1d_blocks_template.h"

/* ---- scratch --------------------------------------------------------------------------------- */

/* A thread's: a block on its way, matrices of each point a point_stride from the next. */
typedef struct winograd_scratch {
    real *input; /* rows that are normalised here */
    real *v;     /* [POINTS][tiles][depth] */
    real *m;     /* [POINTS][tiles][filters]: forward, products; weights, the gradients' points */
    real *du;    /* weights: [POINTS][depth][filters] */
} winograd_scratch;

static winograd_scratch winograd_layout(nm_scratch *s, const nm_conv_geometry *g, nm_conv_kind kind, const blocking *b)
{
    winograd_scratch l = {.input = nm_scratch_reals(s, nm_conv_input_size(g, b->rows)),
                          .v = nm_scratch_reals(s, POINTS * point_stride(b->tiles, depth_of(g))),
                          .m = nm_scratch_reals(s, POINTS * point_stride(b->tiles, g->out.c))};
    if (kind == NM_CONV_WEIGHTS)
        l.du = nm_scratch_reals(s, POINTS * point_stride(depth_of(g), g->out.c));
    return l;
}

static winograd_scratch winograd_thread(const nm_conv_call *call, nm_conv_kind kind, const blocking *b, int thread)
{
    nm_scratch s = nm_conv_thread_scratch(call, thread);
    return winograd_layout(&s, call->g, kind, b);
}

/* What forward's threads share: U [POINTS][depth][filters]. */
static real *shared_weights(nm_scratch *s, const nm_conv_geometry *g)
{
    return nm_scratch_reals(s, POINTS * point_stride(depth_of(g), g->out.c));
}

static void WINOGRAD(reserve)(const nm_conv_geometry *g, nm_conv_kind kind, int n, size_t *shared, size_t *thread)
{
    nm_scratch all = {0}, own = {0};
    blocking b = blocking_of(g, n, false);
    winograd_layout(&own, g, kind, &b);
    if (kind == NM_CONV_WEIGHTS)
        NM_ISA(nm_conv_partials_layout)(&all, g, n, b.units);
    else
        shared_weights(&all, g);
    *shared = all.size;
    *thread = own.size;
}

/* ---- forward --------------------------------------------------------------------------------- */

typedef struct forward_job {
    const nm_conv_call *call;
    blocking b;
    real *u;
} forward_job;

/* Kernel row `task` of the weights: U[point][task * C + c][k]. */
static void WINOGRAD(weights_in_task)(void *arg, int task, int thread)
{
    (void)thread;
    const forward_job *j = arg;
    const nm_conv_geometry *g = j->call->g;
    size_t pair = (size_t)g->in.c * (size_t)g->out.c, stride = point_stride(depth_of(g), g->out.c);
    const real *restrict w = j->call->w + (size_t)task * WIDTH * pair;
    real *restrict u = j->u + (size_t)task * pair;
    for (int e = 0; e < POINTS; e++)
        for (size_t i = 0; i < pair; i++) {
            real sum = (real)G[e][0] * w[i];
            for (int b = 1; b < WIDTH; b++)
                sum += (real)G[e][b] * w[(size_t)b * pair + i];
            u[(size_t)e * stride + i] = sum;
        }
}

/* m [tiles][filters] = v [tiles][depth] u [depth][filters], of a block of `full` tiles, in sums of
 * at most DEEPEST products: nearly all the error is theirs. */
static void product(int full, int tiles, int filters, int depth, const real *v, const real *u, real *m)
{
    int span = nm_ceil_div(depth, nm_ceil_div(depth, DEEPEST));
    for (int at = 0; at < depth; at += span)
        nm_gemm_of_block(full, tiles, filters, depth - at < span ? depth - at : span, v + at, depth,
                         u + (size_t)at * (size_t)filters, filters, at ? 1 : 0, m, filters);
}

static void WINOGRAD(forward_task)(void *arg, int task, int thread)
{
    const forward_job *j = arg;
    const nm_conv_call *call = j->call;
    const nm_conv_geometry *g = call->g;
    const blocking *b = &j->b;
    block k = block_at(g, b, call->n, task);
    int depth = depth_of(g), filled = k.samples * (k.last - k.first) * b->across;
    int full = b->samples > 1 ? b->tiles : filled, tiles = nm_gemm_fewest_rows(filled, full);
    size_t in = point_stride(b->tiles, depth), out = point_stride(b->tiles, g->out.c);
    const winograd_scratch s = winograd_thread(call, NM_CONV_FORWARD, b, thread);
    block_inputs(call, b, &k, tiles, s.input, s.v);
    for (int e = 0; e < POINTS; e++)
        product(full, tiles, g->out.c, depth, s.v + (size_t)e * in, j->u + (size_t)e * point_stride(depth, g->out.c),
                s.m + (size_t)e * out);
    block_outputs(call, b, &k, s.m);
}

static void WINOGRAD(forward)(const nm_conv_call *call)
{
    nm_scratch shared = nm_conv_shared_scratch(call);
    forward_job j = {
        .call = call, .b = blocking_of(call->g, call->n, call->by_sample), .u = shared_weights(&shared, call->g)};
    nm_parallel(call->threads, call->g->kernel[0], WINOGRAD(weights_in_task), &j);
    NM_ISA(nm_conv_run_tasks)(call, j.b.units, WINOGRAD(forward_task), &j);
}

/* ---- gradient by the weights ----------------------------------------------------------------- */

typedef struct weights_job {
    const nm_conv_call *call;
    blocking b;
    nm_conv_partials partials;
} weights_job;

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

static void WINOGRAD(weights_task)(void *arg, int task, int thread)
{
    const weights_job *j = arg;
    const nm_conv_call *call = j->call;
    const nm_conv_geometry *g = call->g;
    const blocking *b = &j->b;
    int depth = depth_of(g);
    size_t in = point_stride(b->tiles, depth), out = point_stride(b->tiles, g->out.c);
    size_t point = point_stride(depth, g->out.c);
    const winograd_scratch s = winograd_thread(call, NM_CONV_WEIGHTS, b, thread);
    const nm_conv_partial sum = NM_ISA(nm_conv_partial_of)(&j->partials, g, task);
    for (long unit = sum.first; unit < sum.last; unit++) {
        block k = block_at(g, b, call->n, (int)unit);
        int tiles = b->samples > 1 ? k.samples * b->rows * b->across : (k.last - k.first) * b->across;
        block_inputs(call, b, &k, tiles, s.input, s.v);
        block_gradients(call, b, &k, s.m, sum.db);
        for (int e = 0; e < POINTS; e++)
            nm_gemm(true, false, depth, g->out.c, tiles, 1, s.v + (size_t)e * in, depth, s.m + (size_t)e * out,
                    g->out.c, unit > sum.first ? 1 : 0, s.du + (size_t)e * point, g->out.c);
    }
    weights_out(g, s.du, point, sum.dw);
}

static void WINOGRAD(weights)(const nm_conv_call *call)
{
    nm_scratch shared = nm_conv_shared_scratch(call);
    weights_job j = {.call = call, .b = blocking_of(call->g, call->n, false)};
    j.partials = NM_ISA(nm_conv_partials_layout)(&shared, call->g, call->n, j.b.units);
    NM_ISA(nm_conv_sum_partials)(call, &j.partials, WINOGRAD(weights_task), &j);
}

/* ---- planning ------------------------------------------------------------------------------ */

static const char *WINOGRAD(declines)(const nm_conv_geometry *g, nm_conv_kind kind)
{
    (void)kind;
    if (g->kernel[1] != WIDTH)
        return WIDTH == 3   ? "needs a kernel of width 3"
               : WIDTH == 5 ? "needs a kernel of width 5"
                            : "needs a kernel of width 7";
    if (!nm_conv_is_plain(g))
        return "needs stride 1, dilation 1 and one group";
    if (g->out.w < 3)
        return "needs an output at least 3 pixels wide";
    return NULL;
}

/* A transform of a tile in one channel takes the time of `in` multiply-adds, for each row that it
 * is put in, or of `out`. */
static double cost_of(const nm_conv_geometry *g, nm_conv_kind kind, const nm_conv_costs *costs, double in, double out)
{
    double tiles = (double)g->out.h * nm_ceil_div(g->out.w, TILE), depth = depth_of(g), width = g->out.c;
    double products = tiles * POINTS * depth * width;
    double thin = (1 + costs->thin_tiles / width) * (1 + costs->thin_tiles / depth);
    /* transforms work on whole vectors of channels, and store those that there are */
    double channels = nm_ceil_div(g->in.c, LANES) * (double)LANES,
           filters = nm_ceil_div(g->out.c, LANES) * (double)LANES;
    double transforms = tiles * (in * (channels + g->kernel[0] * (double)g->in.c) + out * filters);
    return thin * products * (kind == NM_CONV_WEIGHTS ? costs->weights_1d : 1) + transforms;
}

/* What the algorithms made by this template have in common. */
#define WINOGRAD_1D_FIELDS                                                                                             \
    .declines = WINOGRAD(declines), .cost = WINOGRAD(cost), .reserve = WINOGRAD(reserve),                              \
    .forward = WINOGRAD(forward), .weights = WINOGRAD(weights), .reads_lazy_normalisation = nm_conv_any,               \
    .narrows = true, .setup = 10

#endif
