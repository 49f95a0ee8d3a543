/* The passes of a Winograd convolution in two dimensions, blocked and staged: see winograd_2d.h. */
#ifndef NM_WINOGRAD_RUN_H
#define NM_WINOGRAD_RUN_H

#include "winograd_2d.h"

/* ---- forward ------------------------------------------------------------------------------- */

/* Shared scratch: U [POINTS][C][K], and staged V [POINTS][rows][C], M [POINTS][rows][K] of all
 * tiles. Thread scratch: room for moments, V and M of a block, then U where each thread has its
 * own. */
typedef struct forward_job {
    const nm_conv_call *call;
    blocking b;
    bool own; /* U is the thread's */
    real *u, *v, *m;
    size_t u_apart, v_apart, m_apart;
    int chunk; /* rows of a staged product */
} forward_job;

static forward_job forward_job_of(const nm_conv_call *call)
{
    const nm_conv_geometry *g = call->g;
    forward_job j = {.call = call,
                     .b = blocking_of(g, call->n, call->most, call->by_sample),
                     .u = call->shared,
                     .u_apart = apart(g->in.c, g->out.c)};
    int rows = j.b.staged ? rows_of_all(&j.b) : j.b.block;
    j.v = j.u + POINTS * j.u_apart;
    j.v_apart = apart(rows, g->in.c);
    j.m = j.v + POINTS * j.v_apart;
    j.m_apart = apart(rows, g->out.c);
    j.own = !j.b.staged && own_weights(g);
    j.chunk = j.b.many ? 8 * j.b.block : j.b.block;
    return j;
}

static void weights_in(const forward_job *j, int channel, real *u)
{
    const nm_conv_geometry *g = j->call->g;
    size_t at = (size_t)channel * (size_t)g->out.c;
    transform_weights(j->call->w + at, (size_t)g->in.c * (size_t)g->out.c, u + at, j->u_apart, g->out.c);
}

static void weights_in_task(void *arg, int task, int thread)
{
    (void)thread;
    const forward_job *j = arg;
    weights_in(j, task, j->u);
}

/* The thread's room: input rows, moments' sums, then V and M of a block. */
static real *sums_room(const forward_job *j, int thread)
{
    return (real *)nm_conv_thread_scratch(j->call, thread) + room_size(j->call->g, &j->b);
}
static real *block_room(const forward_job *j, int thread)
{
    return sums_room(j, thread) + tile_sums_size(j->call->g->out.c);
}

/* The thread's own U, behind V and M, and whether it stands there: each thread fills it when it
 * meets its first block.
 */
static real *own_u(const forward_job *j, int thread, real **stands)
{
    real *u = block_room(j, thread) + POINTS * (j->v_apart + j->m_apart);
    *stands = u + POINTS * j->u_apart;
    return u;
}

static void forget_u(const forward_job *j)
{
    real *stands;
    for (int thread = 0; thread < j->call->threads; thread++) {
        own_u(j, thread, &stands);
        *stands = 0;
    }
}

static const real *transformed_weights(const forward_job *j, int thread)
{
    real *stands, *u = own_u(j, thread, &stands);
    if (!j->own)
        return j->u;
    for (int c = 0; *stands == 0 && c < j->call->g->in.c; c++)
        weights_in(j, c, u);
    *stands = 1;
    return u;
}

static void blocked_task(void *arg, int task, int thread)
{
    const forward_job *j = arg;
    const nm_conv_geometry *g = j->call->g;
    real *v = block_room(j, thread), *m = v + POINTS * j->v_apart;
    const real *u = transformed_weights(j, thread);
    unit_inputs(j->call, &j->b, task, v, j->v_apart, nm_conv_thread_scratch(j->call, thread));
    for (int e = 0; e < POINTS; e++)
        nm_gemm(false, false, j->b.block, g->out.c, g->in.c, 1, v + (size_t)e * j->v_apart, g->in.c,
                u + (size_t)e * j->u_apart, g->out.c, 0, m + (size_t)e * j->m_apart, g->out.c);
    unit_outputs(j->call, &j->b, task, m, j->m_apart, sums_room(j, thread));
}

/* Weights and inputs do not wait for each other. */
static void staged_in_task(void *arg, int task, int thread)
{
    const forward_job *j = arg;
    int channels = j->call->g->in.c, unit = task - channels;
    if (task < channels)
        weights_in(j, task, j->u);
    else
        unit_inputs(j->call, &j->b, unit, j->v + (size_t)(unit * j->b.block) * (size_t)channels, j->v_apart,
                    nm_conv_thread_scratch(j->call, thread));
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
            j->v + e * j->v_apart + (size_t)first * (size_t)g->in.c, g->in.c, j->u + e * j->u_apart, g->out.c, 0,
            j->m + e * j->m_apart + (size_t)first * (size_t)g->out.c, g->out.c);
}

static void staged_out_task(void *arg, int task, int thread)
{
    const forward_job *j = arg;
    unit_outputs(j->call, &j->b, task, j->m + (size_t)(task * j->b.block) * (size_t)j->call->g->out.c, j->m_apart,
                 sums_room(j, thread));
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
    if (j.own)
        forget_u(&j);
    else
        nm_parallel(call->threads, channels, weights_in_task, &j);
    nm_parallel(call->threads, j.b.units, blocked_task, &j);
}

/* ---- gradient by the weights --------------------------------------------------------------- */

/* Shared scratch, blocked: the parts of dw, then of db. Staged: V, D [POINTS][rows][K], dU
 * [POINTS][C][K], and db of each unit. */
typedef struct weights_job {
    const nm_conv_call *call;
    blocking b;
    real *v, *d, *du, *db;
    size_t v_apart, d_apart, u_apart;
    int parts; /* blocked: at most NM_CONV_PARTS */
} weights_job;

static weights_job weights_job_of(const nm_conv_call *call)
{
    const nm_conv_geometry *g = call->g;
    weights_job j = {.call = call,
                     .b = blocking_of(g, call->n, call->most, false),
                     .v = call->shared,
                     .u_apart = apart(g->in.c, g->out.c)};
    int rows = j.b.staged ? rows_of_all(&j.b) : j.b.block;
    j.v_apart = apart(rows, g->in.c);
    j.d_apart = apart(rows, g->out.c);
    j.d = j.v + POINTS * j.v_apart;
    j.du = j.d + POINTS * j.d_apart;
    j.db = j.du + POINTS * j.u_apart;
    j.parts = j.b.units < NM_CONV_PARTS ? j.b.units : NM_CONV_PARTS;
    return j;
}

static void part_task(void *arg, int task, int thread)
{
    const weights_job *j = arg;
    const nm_conv_call *call = j->call;
    const nm_conv_geometry *g = call->g;
    size_t pair = (size_t)g->in.c * (size_t)g->out.c, count = 9 * pair;
    real *room = nm_conv_thread_scratch(call, thread), *v = room + room_size(g, &j->b), *d = v + POINTS * j->v_apart,
         *du = d + POINTS * j->d_apart;
    real *dw = (real *)call->shared + (size_t)task * count;
    real *db = (real *)call->shared + (size_t)j->parts * count + (size_t)task * (size_t)g->out.c;
    int first = (int)((long)j->b.units * task / j->parts), last = (int)((long)j->b.units * (task + 1) / j->parts);
    memset(db, 0, (size_t)g->out.c * sizeof *db);
    for (int unit = first; unit < last; unit++) {
        unit_inputs(call, &j->b, unit, v, j->v_apart, room);
        unit_gradients(call, &j->b, unit, d, j->d_apart, call->db ? db : NULL);
        for (int e = 0; e < POINTS; e++)
            nm_gemm(true, false, g->in.c, g->out.c, j->b.block, 1, v + (size_t)e * j->v_apart, g->in.c,
                    d + (size_t)e * j->d_apart, g->out.c, unit > first ? 1 : 0, du + (size_t)e * j->u_apart, g->out.c);
    }
    for (int c = 0; c < g->in.c; c++)
        transform_weight_gradient(du + (size_t)c * (size_t)g->out.c, j->u_apart, dw + (size_t)c * (size_t)g->out.c,
                                  pair, g->out.c, false);
}

static void staged_tiles_task(void *arg, int task, int thread)
{
    const weights_job *j = arg;
    const nm_conv_geometry *g = j->call->g;
    size_t row = (size_t)(task * j->b.block);
    real *db = j->db + (size_t)task * (size_t)g->out.c;
    memset(db, 0, (size_t)g->out.c * sizeof *db);
    unit_inputs(j->call, &j->b, task, j->v + row * (size_t)g->in.c, j->v_apart,
                nm_conv_thread_scratch(j->call, thread));
    unit_gradients(j->call, &j->b, task, j->d + row * (size_t)g->out.c, j->d_apart, j->call->db ? db : NULL);
}

/* One point: all tiles in one product. */
static void staged_point_task(void *arg, int task, int thread)
{
    (void)thread;
    const weights_job *j = arg;
    const nm_conv_geometry *g = j->call->g;
    size_t e = (size_t)task;
    nm_gemm(true, false, g->in.c, g->out.c, rows_of_all(&j->b), 1, j->v + e * j->v_apart, g->in.c,
            j->d + e * j->d_apart, g->out.c, 0, j->du + e * j->u_apart, g->out.c);
}

static void staged_weights_task(void *arg, int task, int thread)
{
    (void)thread;
    const weights_job *j = arg;
    const nm_conv_geometry *g = j->call->g;
    size_t at = (size_t)task * (size_t)g->out.c;
    transform_weight_gradient(j->du + at, j->u_apart, j->call->dw + at, (size_t)g->in.c * (size_t)g->out.c, g->out.c,
                              true);
}

static void weights(const nm_conv_call *call)
{
    weights_job j = weights_job_of(call);
    size_t count = nm_conv_weight_count(call->g), filters = (size_t)call->g->out.c;
    const real *parts = call->shared;
    if (j.b.staged) {
        nm_parallel(call->threads, j.b.units, staged_tiles_task, &j);
        if (call->dw) {
            nm_parallel(call->threads, POINTS, staged_point_task, &j);
            nm_parallel(call->threads, call->g->in.c, staged_weights_task, &j);
        }
        if (call->db)
            NM_ISA(nm_conv_add_parts)(call->threads, j.db, j.b.units, filters, call->db);
        return;
    }
    nm_parallel(call->threads, j.parts, part_task, &j);
    if (call->dw)
        NM_ISA(nm_conv_add_parts)(call->threads, parts, j.parts, count, call->dw);
    if (call->db)
        NM_ISA(nm_conv_add_parts)(call->threads, parts + (size_t)j.parts * count, j.parts, filters, call->db);
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
    size_t points = POINTS * apart(g->in.c, g->out.c), filters = (size_t)g->out.c;
    int rows = b.staged ? rows_of_all(&b) : b.block;
    size_t tiles = POINTS * (apart(rows, g->in.c) + apart(rows, g->out.c));
    *thread = (room_size(g, &b) + (b.staged ? 0 : tiles)) * sizeof(real);
    if (kind != NM_CONV_WEIGHTS)
        *thread += tile_sums_size(g->out.c) * sizeof(real);
    *shared = (points + (b.staged ? tiles + (size_t)b.units * filters : 0)) * sizeof(real);
    if (!b.staged && kind != NM_CONV_WEIGHTS && own_weights(g)) {
        *thread += (points + 1) * sizeof(real);
        *shared = 0;
    }
    if (!b.staged && kind == NM_CONV_WEIGHTS) {
        *shared = NM_CONV_PARTS * (nm_conv_weight_count(g) + filters) * sizeof(real);
        *thread += points * sizeof(real);
    }
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
