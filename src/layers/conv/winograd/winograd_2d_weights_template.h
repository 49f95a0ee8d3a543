/* Winograd in two dimensions, the gradient by the weights, blocked and staged: see
 * winograd_2d_template.h. */
#ifndef NM_WINOGRAD_2D_WEIGHTS_TEMPLATE_H
#define NM_WINOGRAD_2D_WEIGHTS_TEMPLATE_H

#include "conv_partials.h"
#include "winograd_2d_tiles_template.h"

/* Scratch that threads share, and a thread's own. */
typedef struct weights_shared {
    nm_conv_partials partials; /* staged: of the bias alone, one of each group */
    real *v, *d, *du;          /* staged: [POINTS][rows][C], [POINTS][rows][K], [POINTS][C][K] */
} weights_shared;

typedef struct weights_own {
    real *input;      /* rows that are normalised here */
    real *v, *d, *du; /* blocked: of one block, and the sum over blocks */
} weights_own;

static weights_shared weights_shared_layout(nm_scratch *s, const nm_conv_geometry *g, const blocking *b, int n)
{
    weights_shared l = {0};
    if (!b->staged) {
        l.partials = NM_ISA(nm_conv_partials_layout)(s, g, n, b->units);
        return l;
    }
    l.v = nm_scratch_reals(s, POINTS * point_stride(rows_of_all(b), g->in.c));
    l.d = nm_scratch_reals(s, POINTS * point_stride(rows_of_all(b), g->out.c));
    l.du = nm_scratch_reals(s, POINTS * point_stride(g->in.c, g->out.c));
    l.partials =
        (nm_conv_partials){.count = b->groups, .db = nm_scratch_reals(s, (size_t)b->groups * (size_t)g->out.c)};
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
    int down, across;                    /* staged: into how many pieces rows and columns of dU are cut */
} weights_job;

static weights_job weights_job_of(const nm_conv_call *call)
{
    const nm_conv_geometry *g = call->g;
    nm_scratch shared = nm_conv_shared_scratch(call);
    weights_job j = {
        .call = call, .b = blocking_of(g, call->n, call->most, WEIGHTS), .u_stride = point_stride(g->in.c, g->out.c)};
    int rows = j.b.staged ? rows_of_all(&j.b) : j.b.block;
    j.all = weights_shared_layout(&shared, g, &j.b, call->n);
    j.v_stride = point_stride(rows, g->in.c);
    j.d_stride = point_stride(rows, g->out.c);
    j.across = pieces_of(2, g->out.c, THINNEST_PIECE);
    j.down = pieces_of(nm_ceil_div(PRODUCTS, POINTS * j.across), g->in.c, THINNEST_PIECE);
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

static void WINOGRAD(blocked_weights_task)(void *arg, int task, int thread)
{
    const weights_job *j = arg;
    const nm_conv_call *call = j->call;
    const nm_conv_geometry *g = call->g;
    const weights_own own = weights_own_of(j, thread);
    const nm_conv_partial sum = NM_ISA(nm_conv_partial_of)(&j->all.partials, g, task);
    for (long unit = sum.first; unit < sum.last; unit++) {
        group_inputs(call, &j->b, (int)unit, own.v, j->v_stride, own.input);
        group_gradients(call, &j->b, (int)unit, own.d, j->d_stride, call->db ? sum.db : NULL);
        for (int e = 0; e < POINTS; e++)
            nm_gemm(true, false, g->in.c, g->out.c, j->b.block, 1, own.v + (size_t)e * j->v_stride, g->in.c,
                    own.d + (size_t)e * j->d_stride, g->out.c, unit > sum.first ? 1 : 0,
                    own.du + (size_t)e * j->u_stride, g->out.c);
    }
    for (int c = 0; c < g->in.c; c++)
        weights_out(j, c, own.du, sum.dw, false);
}

static void WINOGRAD(staged_tiles_task)(void *arg, int task, int thread)
{
    const weights_job *j = arg;
    const nm_conv_geometry *g = j->call->g;
    size_t row = (size_t)(task * j->b.group);
    real *db = j->all.partials.db + (size_t)task * (size_t)g->out.c;
    memset(db, 0, (size_t)g->out.c * sizeof *db);
    group_inputs(j->call, &j->b, task, j->all.v + row * (size_t)g->in.c, j->v_stride, weights_own_of(j, thread).input);
    group_gradients(j->call, &j->b, task, j->all.d + row * (size_t)g->out.c, j->d_stride, j->call->db ? db : NULL);
}

/* One point: all tiles in one product, and of that some rows and columns. */
static void WINOGRAD(staged_point_task)(void *arg, int task, int thread)
{
    (void)thread;
    const weights_job *j = arg;
    const nm_conv_geometry *g = j->call->g;
    int across = task % j->across, down = task / j->across % j->down;
    int row = nm_gemm_piece_at(down, j->down, g->in.c), column = nm_gemm_piece_at(across, j->across, g->out.c);
    size_t e = (size_t)(task / j->across / j->down), k = (size_t)g->out.c;
    nm_gemm(true, false, nm_gemm_piece_at(down + 1, j->down, g->in.c) - row,
            nm_gemm_piece_at(across + 1, j->across, g->out.c) - column, rows_of_all(&j->b), 1,
            j->all.v + e * j->v_stride + row, g->in.c, j->all.d + e * j->d_stride + column, g->out.c, 0,
            j->all.du + e * j->u_stride + (size_t)row * k + column, g->out.c);
}

static void WINOGRAD(staged_weights_task)(void *arg, int task, int thread)
{
    (void)thread;
    const weights_job *j = arg;
    weights_out(j, task, j->all.du, j->call->dw, true);
}

static void find_weights_of_slice(const nm_conv_call *call)
{
    weights_job j = weights_job_of(call);
    if (!j.b.staged) {
        NM_ISA(nm_conv_sum_partials)(call, &j.all.partials, WINOGRAD(blocked_weights_task), &j);
        return;
    }
    NM_ISA(nm_conv_run_tasks)(call, j.b.groups, WINOGRAD(staged_tiles_task), &j);
    if (call->dw) {
        nm_parallel(call->threads, POINTS * j.down * j.across, WINOGRAD(staged_point_task), &j);
        nm_parallel(call->threads, call->g->in.c, WINOGRAD(staged_weights_task), &j);
    }
    NM_ISA(nm_conv_add_partials)(call, &j.all.partials);
}

static void WINOGRAD(weights)(const nm_conv_call *call)
{
    int slice = slice_of(call->g, call->most, WEIGHTS);
    for (int first = 0; first < call->n; first += slice) {
        nm_conv_call s = slice_at(call, first, slice);
        find_weights_of_slice(&s);
    }
}

#endif
