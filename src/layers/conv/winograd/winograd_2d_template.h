/* The passes of a Winograd convolution in two dimensions, blocked and staged: see winograd_2d.h. */
#ifndef NM_WINOGRAD_RUN_H
#define NM_WINOGRAD_RUN_H

#include "winograd_2d.h"

/* ---- forward ------------------------------------------------------------------------------- */

/* Scratch that threads share, and a thread's own. */
typedef struct forward_shared {
    real *u;     /* [POINTS][C][K], unless each thread has its own */
    real *v, *m; /* staged: [POINTS][rows][C] and [POINTS][rows][K] of all tiles */
} forward_shared;

typedef struct forward_own {
    real *input;     /* rows that are normalised here */
    real *sums;      /* see winograd_moments.h */
    real *v, *m;     /* blocked: of one block */
    real *u, *has_u; /* blocked, where each thread has its own: and whether it is there */
} forward_own;

static bool owns_weights(const nm_conv_geometry *g, const blocking *b)
{
    return !b->staged && own_weights(g);
}

static forward_shared forward_shared_layout(nm_scratch *s, const nm_conv_geometry *g, const blocking *b)
{
    forward_shared l = {0};
    if (!owns_weights(g, b))
        l.u = nm_scratch_reals(s, POINTS * point_stride(g->in.c, g->out.c));
    if (b->staged) {
        l.v = nm_scratch_reals(s, POINTS * point_stride(rows_of_all(b), g->in.c));
        l.m = nm_scratch_reals(s, POINTS * point_stride(rows_of_all(b), g->out.c));
    }
    return l;
}

static forward_own forward_own_layout(nm_scratch *s, const nm_conv_geometry *g, const blocking *b)
{
    forward_own l = {.input = nm_scratch_reals(s, input_size(g, b)), .sums = tile_sums_layout(s, g->out.c)};
    if (!b->staged) {
        l.v = nm_scratch_reals(s, POINTS * point_stride(b->block, g->in.c));
        l.m = nm_scratch_reals(s, POINTS * point_stride(b->block, g->out.c));
    }
    if (owns_weights(g, b)) {
        l.u = nm_scratch_reals(s, POINTS * point_stride(g->in.c, g->out.c));
        l.has_u = nm_scratch_reals(s, 1);
    }
    return l;
}

typedef struct forward_job {
    const nm_conv_call *call;
    blocking b;
    forward_shared all;
    size_t u_stride, v_stride, m_stride; /* from one point to the next */
    int chunk;                           /* rows of a staged product */
} forward_job;

static forward_job forward_job_of(const nm_conv_call *call)
{
    const nm_conv_geometry *g = call->g;
    nm_scratch shared = nm_conv_shared_scratch(call);
    forward_job j = {.call = call,
                     .b = blocking_of(g, call->n, call->most, call->by_sample),
                     .u_stride = point_stride(g->in.c, g->out.c)};
    int rows = j.b.staged ? rows_of_all(&j.b) : j.b.block;
    j.all = forward_shared_layout(&shared, g, &j.b);
    j.v_stride = point_stride(rows, g->in.c);
    j.m_stride = point_stride(rows, g->out.c);
    j.chunk = j.b.many ? 8 * j.b.block : j.b.block;
    return j;
}

static forward_own own_scratch(const forward_job *j, int thread)
{
    nm_scratch s = nm_conv_thread_scratch(j->call, thread);
    return forward_own_layout(&s, j->call->g, &j->b);
}

static void weights_in(const forward_job *j, int channel, real *u)
{
    const nm_conv_geometry *g = j->call->g;
    size_t at = (size_t)channel * (size_t)g->out.c;
    transform_weights(j->call->w + at, (size_t)g->in.c * (size_t)g->out.c, u + at, j->u_stride, g->out.c);
}

static void weights_in_task(void *arg, int task, int thread)
{
    (void)thread;
    const forward_job *j = arg;
    weights_in(j, task, j->all.u);
}

/* Each thread that has its own U fills it when it meets its first block. */
static void forget_weights(const forward_job *j)
{
    for (int thread = 0; thread < j->call->threads; thread++)
        *own_scratch(j, thread).has_u = 0;
}

static const real *transformed_weights(const forward_job *j, const forward_own *own)
{
    if (!own->u)
        return j->all.u;
    for (int c = 0; *own->has_u == 0 && c < j->call->g->in.c; c++)
        weights_in(j, c, own->u);
    *own->has_u = 1;
    return own->u;
}

static void blocked_task(void *arg, int task, int thread)
{
    const forward_job *j = arg;
    const nm_conv_geometry *g = j->call->g;
    const forward_own own = own_scratch(j, thread);
    const real *u = transformed_weights(j, &own);
    unit_inputs(j->call, &j->b, task, own.v, j->v_stride, own.input);
    for (int e = 0; e < POINTS; e++)
        nm_gemm(false, false, j->b.block, g->out.c, g->in.c, 1, own.v + (size_t)e * j->v_stride, g->in.c,
                u + (size_t)e * j->u_stride, g->out.c, 0, own.m + (size_t)e * j->m_stride, g->out.c);
    unit_outputs(j->call, &j->b, task, own.m, j->m_stride, own.sums);
}

/* Weights and inputs do not wait for each other. */
static void staged_in_task(void *arg, int task, int thread)
{
    const forward_job *j = arg;
    int channels = j->call->g->in.c, unit = task - channels;
    if (task < channels)
        weights_in(j, task, j->all.u);
    else
        unit_inputs(j->call, &j->b, unit, j->all.v + (size_t)(unit * j->b.block) * (size_t)channels, j->v_stride,
                    own_scratch(j, thread).input);
}

static int chunks_of(const forward_job *j)
{
    return nm_pieces(rows_of_all(&j->b), j->chunk);
}

static void staged_product_task(void *arg, int task, int thread)
{
    (void)thread;
    const forward_job *j = arg;
    const nm_conv_geometry *g = j->call->g;
    size_t e = (size_t)(task / chunks_of(j));
    int first = task % chunks_of(j) * j->chunk, left = rows_of_all(&j->b) - first;
    nm_gemm(false, false, left < j->chunk ? left : j->chunk, g->out.c, g->in.c, 1,
            j->all.v + e * j->v_stride + (size_t)first * (size_t)g->in.c, g->in.c, j->all.u + e * j->u_stride, g->out.c,
            0, j->all.m + e * j->m_stride + (size_t)first * (size_t)g->out.c, g->out.c);
}

static void staged_out_task(void *arg, int task, int thread)
{
    const forward_job *j = arg;
    unit_outputs(j->call, &j->b, task, j->all.m + (size_t)(task * j->b.block) * (size_t)j->call->g->out.c, j->m_stride,
                 own_scratch(j, thread).sums);
}

static void forward(const nm_conv_call *call)
{
    forward_job j = forward_job_of(call);
    int channels = call->g->in.c;
    if (j.b.staged) {
        nm_parallel(call->threads, channels + j.b.units, staged_in_task, &j);
        nm_parallel(call->threads, POINTS * chunks_of(&j), staged_product_task, &j);
        nm_parallel(call->threads, j.b.units, staged_out_task, &j);
        return;
    }
    if (owns_weights(call->g, &j.b))
        forget_weights(&j);
    else
        nm_parallel(call->threads, channels, weights_in_task, &j);
    nm_parallel(call->threads, j.b.units, blocked_task, &j);
}

/* ---- gradient by the weights --------------------------------------------------------------- */

/* Scratch that threads share, and a thread's own. */
typedef struct weights_shared {
    nm_conv_partials partials; /* staged: of the bias alone, one of each unit */
    real *v, *d, *du;          /* staged: [POINTS][rows][C], [POINTS][rows][K], [POINTS][C][K] */
} weights_shared;

typedef struct weights_own {
    real *input;      /* rows that are normalised here */
    real *v, *d, *du; /* blocked: of one block, and the sum over blocks */
} weights_own;

static weights_shared weights_shared_layout(nm_scratch *s, const nm_conv_geometry *g, const blocking *b)
{
    weights_shared l = {0};
    if (!b->staged) {
        l.partials = nm_conv_partials_layout(s, g, b->units < NM_CONV_PARTIALS ? b->units : NM_CONV_PARTIALS);
        return l;
    }
    l.v = nm_scratch_reals(s, POINTS * point_stride(rows_of_all(b), g->in.c));
    l.d = nm_scratch_reals(s, POINTS * point_stride(rows_of_all(b), g->out.c));
    l.du = nm_scratch_reals(s, POINTS * point_stride(g->in.c, g->out.c));
    l.partials = (nm_conv_partials){.count = b->units, .db = nm_scratch_reals(s, (size_t)b->units * (size_t)g->out.c)};
    return l;
}

static weights_own weights_own_layout(nm_scratch *s, const nm_conv_geometry *g, const blocking *b)
{
    weights_own l = {.input = nm_scratch_reals(s, input_size(g, b))};
    if (!b->staged) {
        l.v = nm_scratch_reals(s, POINTS * point_stride(b->block, g->in.c));
        l.d = nm_scratch_reals(s, POINTS * point_stride(b->block, g->out.c));
        l.du = nm_scratch_reals(s, POINTS * point_stride(g->in.c, g->out.c));
    }
    return l;
}

typedef struct weights_job {
    const nm_conv_call *call;
    blocking b;
    weights_shared all;
    size_t v_stride, d_stride, u_stride; /* from one point to the next */
} weights_job;

static weights_job weights_job_of(const nm_conv_call *call)
{
    const nm_conv_geometry *g = call->g;
    nm_scratch shared = nm_conv_shared_scratch(call);
    weights_job j = {
        .call = call, .b = blocking_of(g, call->n, call->most, false), .u_stride = point_stride(g->in.c, g->out.c)};
    int rows = j.b.staged ? rows_of_all(&j.b) : j.b.block;
    j.all = weights_shared_layout(&shared, g, &j.b);
    j.v_stride = point_stride(rows, g->in.c);
    j.d_stride = point_stride(rows, g->out.c);
    return j;
}

static weights_own weights_own_of(const weights_job *j, int thread)
{
    nm_scratch s = nm_conv_thread_scratch(j->call, thread);
    return weights_own_layout(&s, j->call->g, &j->b);
}

/* dw = G' dU G of one input channel. */
static void weights_out(const weights_job *j, int channel, const real *du, real *dw, bool add)
{
    const nm_conv_geometry *g = j->call->g;
    size_t at = (size_t)channel * (size_t)g->out.c;
    transform_weight_gradient(du + at, j->u_stride, dw + at, (size_t)g->in.c * (size_t)g->out.c, g->out.c, add);
}

static void blocked_weights_task(void *arg, int task, int thread)
{
    const weights_job *j = arg;
    const nm_conv_call *call = j->call;
    const nm_conv_geometry *g = call->g;
    const weights_own own = weights_own_of(j, thread);
    const nm_conv_partial sum = NM_ISA(nm_conv_partial_of)(&j->all.partials, g, task, j->b.units);
    for (long unit = sum.first; unit < sum.last; unit++) {
        unit_inputs(call, &j->b, (int)unit, own.v, j->v_stride, own.input);
        unit_gradients(call, &j->b, (int)unit, own.d, j->d_stride, call->db ? sum.db : NULL);
        for (int e = 0; e < POINTS; e++)
            nm_gemm(true, false, g->in.c, g->out.c, j->b.block, 1, own.v + (size_t)e * j->v_stride, g->in.c,
                    own.d + (size_t)e * j->d_stride, g->out.c, unit > sum.first ? 1 : 0,
                    own.du + (size_t)e * j->u_stride, g->out.c);
    }
    for (int c = 0; c < g->in.c; c++)
        weights_out(j, c, own.du, sum.dw, false);
}

static void staged_tiles_task(void *arg, int task, int thread)
{
    const weights_job *j = arg;
    const nm_conv_geometry *g = j->call->g;
    size_t row = (size_t)(task * j->b.block);
    real *db = j->all.partials.db + (size_t)task * (size_t)g->out.c;
    memset(db, 0, (size_t)g->out.c * sizeof *db);
    unit_inputs(j->call, &j->b, task, j->all.v + row * (size_t)g->in.c, j->v_stride, weights_own_of(j, thread).input);
    unit_gradients(j->call, &j->b, task, j->all.d + row * (size_t)g->out.c, j->d_stride, j->call->db ? db : NULL);
}

/* One point: all tiles in one product. */
static void staged_point_task(void *arg, int task, int thread)
{
    (void)thread;
    const weights_job *j = arg;
    const nm_conv_geometry *g = j->call->g;
    size_t e = (size_t)task;
    nm_gemm(true, false, g->in.c, g->out.c, rows_of_all(&j->b), 1, j->all.v + e * j->v_stride, g->in.c,
            j->all.d + e * j->d_stride, g->out.c, 0, j->all.du + e * j->u_stride, g->out.c);
}

static void staged_weights_task(void *arg, int task, int thread)
{
    (void)thread;
    const weights_job *j = arg;
    weights_out(j, task, j->all.du, j->call->dw, true);
}

static void weights(const nm_conv_call *call)
{
    weights_job j = weights_job_of(call);
    if (!j.b.staged) {
        NM_ISA(nm_conv_sum_partials)(call, &j.all.partials, blocked_weights_task, &j);
        return;
    }
    nm_parallel(call->threads, j.b.units, staged_tiles_task, &j);
    if (call->dw) {
        nm_parallel(call->threads, POINTS, staged_point_task, &j);
        nm_parallel(call->threads, call->g->in.c, staged_weights_task, &j);
    }
    NM_ISA(nm_conv_add_partials)(call, &j.all.partials);
}

/* Whole rows are normalised, in turn for each block that reads them: worth it where a block has
 * most of them. */
static bool normalises(const nm_conv_geometry *g)
{
    return g->out.w <= TILE * NM_GEMM_BLOCK;
}

/* ---- planning ------------------------------------------------------------------------------ */

static void book_places(const nm_conv_geometry *g, nm_conv_kind kind, int n, bool by_sample, size_t *shared,
                        size_t *thread)
{
    blocking b = blocking_of(g, n, n, by_sample);
    nm_scratch all = {0}, own = {0};
    if (kind == NM_CONV_WEIGHTS) {
        weights_shared_layout(&all, g, &b);
        weights_own_layout(&own, g, &b);
    } else {
        forward_shared_layout(&all, g, &b);
        forward_own_layout(&own, g, &b);
    }
    *shared = all.size;
    *thread = own.size;
}

static int pieces(const nm_conv_geometry *g, int n, int most)
{
    return blocking_of(g, n, most, false).units;
}

/* Both ways to place tiles: training and evaluation may take different ones. */
static void book(const nm_conv_geometry *g, nm_conv_kind kind, int n, size_t *shared, size_t *thread)
{
    size_t other_shared, other_thread;
    book_places(g, kind, n, false, shared, thread);
    book_places(g, kind, n, kind == NM_CONV_FORWARD, &other_shared, &other_thread);
    *shared = other_shared > *shared ? other_shared : *shared;
    *thread = other_thread > *thread ? other_thread : *thread;
}

#endif
