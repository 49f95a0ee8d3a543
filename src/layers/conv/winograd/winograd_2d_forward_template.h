/* Winograd in two dimensions, forward, blocked and staged: see winograd_2d_template.h. */
#ifndef NM_WINOGRAD_2D_FORWARD_TEMPLATE_H
#define NM_WINOGRAD_2D_FORWARD_TEMPLATE_H

#include "winograd_2d_tiles_template.h"

/* Scratch that threads share, and a thread's own. */
typedef struct forward_shared {
    real *u;     /* [POINTS][C][K] */
    real *v, *m; /* staged: [POINTS][rows][C] and [POINTS][rows][K] of all tiles */
} forward_shared;

typedef struct forward_own {
    real *input;  /* rows that are normalised here */
    real *sums;   /* see winograd_2d_moments_template.h */
    real *v, *m;  /* blocked: of one block */
    real *turned; /* of a product that is turned (gemm.h) */
} forward_own;

static forward_shared forward_shared_layout(nm_scratch *s, const nm_conv_geometry *g, const blocking *b)
{
    forward_shared l = {.u = nm_scratch_reals(s, POINTS * point_stride(g->in.c, g->out.c))};
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
    if (b->rows.edge)
        l.turned = nm_scratch_reals(s, NM_GEMM_COLUMNS * (size_t)g->out.c);
    return l;
}

typedef struct forward_job {
    const nm_conv_call *call;
    blocking b;
    forward_shared all;
    size_t u_stride, v_stride, m_stride; /* from one point to the next */
    int chunk, pieces;                   /* rows of a staged product; into how many its columns are cut */
} forward_job;

static way way_of(const nm_conv_call *call)
{
    return !call->by_sample ? TRAINING : call->threads > 1 ? EVALUATION : SLICE;
}

/* A cut between columns may change the bits of those beside it: those follow from the layer alone,
 * and blocked products have them too. Rows are cut as it suits. */
static void cut_products(forward_job *j)
{
    enum { MOST_COLUMNS_CUT = 4, WHOLE = 16 };
    int edges = 2 * j->b.rows.edge, rows = rows_of_all(&j->b) - edges;
    j->pieces = j->b.many ? pieces_of(MOST_COLUMNS_CUT, j->call->g->out.c, THINNEST_PIECE) : 1;
    j->chunk = nm_ceil_div(rows, pieces_of(nm_ceil_div(PRODUCTS, POINTS * j->pieces), rows, THINNEST_PIECE));
    j->chunk =
        j->call->by_sample && !edges ? nm_gemm_cut_rows(j->chunk, j->b.block) : nm_ceil_div(j->chunk, WHOLE) * WHOLE;
    if (edges && j->chunk > NM_GEMM_COLUMNS - edges)
        j->chunk = NM_GEMM_COLUMNS - edges;
}

static forward_job forward_job_of(const nm_conv_call *call)
{
    const nm_conv_geometry *g = call->g;
    nm_scratch shared = nm_conv_shared_scratch(call);
    forward_job j = {.call = call,
                     .b = blocking_of(g, call->n, call->most, way_of(call)),
                     .u_stride = point_stride(g->in.c, g->out.c)};
    int rows = j.b.staged ? rows_of_all(&j.b) : j.b.block;
    j.all = forward_shared_layout(&shared, g, &j.b);
    j.v_stride = point_stride(rows, g->in.c);
    j.m_stride = point_stride(rows, g->out.c);
    cut_products(&j);
    return j;
}

static forward_own own_scratch(const forward_job *j, int thread)
{
    nm_scratch s = nm_conv_thread_scratch(j->call, thread);
    return forward_own_layout(&s, j->call->g, &j->b);
}

static void weights_in(const forward_job *j, int channel)
{
    const nm_conv_geometry *g = j->call->g;
    size_t at = (size_t)channel * (size_t)g->out.c;
    transform_weights(j->call->w + at, (size_t)g->in.c * (size_t)g->out.c, j->all.u + at, j->u_stride, g->out.c);
}

static void WINOGRAD(weights_in_task)(void *arg, int task, int thread)
{
    (void)thread;
    const forward_job *j = arg;
    weights_in(j, task);
}

/* Of point e, `rows` rows and the edges of such as are turned: piece number `index` of m = v u. */
static void find_piece(const forward_job *j, int e, int index, int rows, const real *v, real *m, real *turned)
{
    const nm_conv_geometry *g = j->call->g;
    int edges = 2 * j->b.rows.edge;
    int column = nm_gemm_piece_at(index, j->pieces, g->out.c),
        columns = nm_gemm_piece_at(index + 1, j->pieces, g->out.c) - column;
    const real *u = j->all.u + (size_t)e * j->u_stride + column;
    v += (size_t)e * j->v_stride;
    m += (size_t)e * j->m_stride + column;
    if (edges)
        nm_gemm_turned(false, rows + edges, columns, g->in.c, v, g->in.c, u, g->out.c, m, g->out.c, turned);
    else
        nm_gemm_of_block(j->call->by_sample ? j->b.block : rows, rows, columns, g->in.c, v, g->in.c, u, g->out.c, 0, m,
                         g->out.c);
}

static void WINOGRAD(blocked_task)(void *arg, int task, int thread)
{
    const forward_job *j = arg;
    const forward_own own = own_scratch(j, thread);
    group_inputs(j->call, &j->b, task, own.v, j->v_stride, own.input);
    for (int product = 0; product < POINTS * j->pieces; product++)
        find_piece(j, product / j->pieces, product % j->pieces, rows_of(&j->b, task), own.v, own.m, NULL);
    group_outputs(j->call, &j->b, task, own.m, j->m_stride, own.sums);
}

/* Weights and inputs do not wait for each other. */
static void WINOGRAD(staged_in_task)(void *arg, int task, int thread)
{
    const forward_job *j = arg;
    int channels = j->call->g->in.c, group = task - channels;
    if (task < channels)
        weights_in(j, task);
    else
        group_inputs(j->call, &j->b, group, j->all.v + (size_t)(group * j->b.group) * (size_t)channels, j->v_stride,
                     own_scratch(j, thread).input);
}

static int chunks_of(const forward_job *j)
{
    return nm_ceil_div(rows_of_all(&j->b) - 2 * j->b.rows.edge, j->chunk);
}

static void WINOGRAD(staged_product_task)(void *arg, int task, int thread)
{
    const forward_job *j = arg;
    const nm_conv_geometry *g = j->call->g;
    int product = task / j->pieces, first = product % chunks_of(j) * j->chunk;
    int left = rows_of_all(&j->b) - 2 * j->b.rows.edge - first;
    find_piece(j, product / chunks_of(j), task % j->pieces, left < j->chunk ? left : j->chunk,
               j->all.v + (size_t)first * (size_t)g->in.c, j->all.m + (size_t)first * (size_t)g->out.c,
               own_scratch(j, thread).turned);
}

static void WINOGRAD(staged_out_task)(void *arg, int task, int thread)
{
    const forward_job *j = arg;
    group_outputs(j->call, &j->b, task, j->all.m + (size_t)(task * j->b.group) * (size_t)j->call->g->out.c, j->m_stride,
                  own_scratch(j, thread).sums);
}

static void find_slice(const nm_conv_call *call)
{
    forward_job j = forward_job_of(call);
    int channels = call->g->in.c;
    if (j.b.staged) {
        NM_ISA(nm_conv_run_tasks)(call, channels + j.b.groups, WINOGRAD(staged_in_task), &j);
        nm_parallel(call->threads, POINTS * chunks_of(&j) * j.pieces, WINOGRAD(staged_product_task), &j);
        nm_parallel(call->threads, j.b.groups, WINOGRAD(staged_out_task), &j);
        return;
    }
    nm_parallel(call->threads, channels, WINOGRAD(weights_in_task), &j);
    NM_ISA(nm_conv_run_tasks)(call, j.b.units, WINOGRAD(blocked_task), &j);
}

/* Groups of a slice, which leave a chunk of moments each. */
static int groups_of_slice(const nm_conv_geometry *g, int n, int slice)
{
    return n ? blocking_of(g, n, slice, TRAINING).groups : 0;
}

static void WINOGRAD(forward)(const nm_conv_call *call)
{
    const nm_conv_geometry *g = call->g;
    int slice = slice_of(g, call->most, way_of(call));
    nm_conv_moments moments = call->moments ? *call->moments : (nm_conv_moments){0};
    for (int first = 0; first < call->n; first += slice) {
        nm_conv_call s = slice_at(call, first, slice);
        s.moments = call->moments ? &moments : NULL;
        find_slice(&s);
        if (call->moments) {
            int groups = groups_of_slice(g, s.n, slice);
            moments.pixels += groups;
            moments.of += (size_t)groups * 2 * (size_t)g->out.c;
        }
    }
}

#endif
