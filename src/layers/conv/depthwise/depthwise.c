/* Depthwise convolution, a kernel for each channel: no product to speak of, so that each output is
 * summed directly, a vector of channels side by side. 3x3 kernels have code of their own
 * (depthwise_3x3.h). A task takes several rows of a sample, so that what neighbouring rows read is
 * in cache. */
#include "conv_partials.h"
#include "depthwise_3x3.h"
#include "depthwise_any.h"

#include <string.h>

enum {
    /* Outputs that a block of rows has about. Large blocks read and write memory in longer runs;
     * but they grow beyond the smallest, which are some microseconds' work, only where there are
     * TASKS of them: every thread should find some. */
    SMALLEST = 8192,
    LARGEST = 32768,
    TASKS = 64
};

static const char *depthwise_declines(const nm_conv_geometry *g, nm_conv_kind kind)
{
    (void)kind;
    return g->groups != g->in.c || g->out.c != g->in.c ? "needs as many groups as input and output channels" : NULL;
}

static double depthwise_cost(const nm_conv_geometry *g, nm_conv_kind kind, bool by_sample, const nm_conv_costs *costs)
{
    (void)kind;
    (void)by_sample;
    bool strided = g->stride[0] * g->stride[1] > 1;
    return (strided        ? costs->depthwise_strided
            : dw_is_3x3(g) ? costs->depthwise_3x3
                           : costs->depthwise_any) *
           nm_conv_direct_cost(g);
}

/* A block of rows of a sample. */
typedef struct block {
    int sample, first, last;
} block;

/* Rows of `shape` in a block of about so many outputs. */
static int block_rows(nm_shape shape, int count)
{
    int rows = nm_ceil_div(count, shape.w * shape.c);
    rows += rows % 2; /* they are taken in pairs */
    return rows < shape.h ? rows : shape.h;
}

/* The same for tasks that write to separate memory: their size may follow the planned batch, as
 * it does not show in the result (in training, the moments of a block are a part of batch norm's
 * sum). */
static int task_rows(int most, nm_shape shape)
{
    size_t share = (size_t)most * nm_shape_size(shape) / TASKS;
    return block_rows(shape, share < SMALLEST ? SMALLEST : share > LARGEST ? LARGEST : (int)share);
}

static block block_of(const nm_conv_call *call, nm_shape shape, int task)
{
    int rows = task_rows(call->most, shape), blocks = nm_ceil_div(shape.h, rows), first = task % blocks * rows;
    return (block){task / blocks, first, first + rows < shape.h ? first + rows : shape.h};
}

static void each_block(const nm_conv_call *call, nm_shape shape, nm_task *task)
{
    NM_ISA(nm_conv_run_tasks)(call, call->n * nm_ceil_div(shape.h, task_rows(call->most, shape)), task, (void *)call);
}

/* Thread scratch. */
typedef struct depthwise_scratch {
    real *input;   /* rows that a block reads, where they are normalised here */
    void *moments; /* forward: where those lay before */
} depthwise_scratch;

static depthwise_scratch depthwise_layout(nm_scratch *s, const nm_conv_geometry *g, nm_conv_kind kind, int most)
{
    nm_scratch after = *s;
    int rows = kind == NM_CONV_FORWARD ? task_rows(most, g->out) : block_rows(g->out, SMALLEST);
    depthwise_scratch l = {.input = nm_scratch_reals(s, nm_conv_input_size(g, rows))};
    if (kind == NM_CONV_FORWARD)
        l.moments = nm_scratch_bytes(&after, NM_ISA(nm_conv_moments_scratch)(g));
    nm_scratch_overlap(s, &after);
    return l;
}

static depthwise_scratch depthwise_thread(const nm_conv_call *call, nm_conv_kind kind, int thread)
{
    nm_scratch s = nm_conv_thread_scratch(call, thread);
    return depthwise_layout(&s, call->g, kind, call->most);
}

/* Each of as many rows of outputs: several threads have work even with one sample. */
static nm_conv_partials weights_partials(nm_scratch *s, const nm_conv_geometry *g, int n)
{
    return NM_ISA(nm_conv_partials_layout)(s, g, n, (long)n * g->out.h);
}

static void depthwise_reserve(const nm_conv_geometry *g, nm_conv_kind kind, int n, size_t *shared, size_t *thread)
{
    nm_scratch all = {0}, own = {0};
    if (kind != NM_CONV_DATA)
        depthwise_layout(&own, g, kind, n);
    if (kind == NM_CONV_WEIGHTS)
        weights_partials(&all, g, n);
    *shared = all.size;
    *thread = own.size;
}

/* ---- forward ------------------------------------------------------------------------------- */

static void depthwise_forward_task(void *arg, int task, int thread)
{
    const nm_conv_call *call = arg;
    const nm_conv_geometry *g = call->g;
    const block k = block_of(call, g->out, task);
    const depthwise_scratch scratch = depthwise_thread(call, NM_CONV_FORWARD, thread);
    const real *x = NM_ISA(nm_conv_input)(call, k.sample, k.first, k.last, scratch.input);
    real *y = call->y + (size_t)k.sample * nm_shape_size(g->out);
    if (!dw_is_3x3(g))
        for (int row = k.first; row < k.last; row++)
            dw_forward_row(call, x, row, y + row * (ptrdiff_t)g->out.w * g->out.c);
    else if (g->stride[0] == 1)
        dw_forward_3x3(call, x, k.first, k.last, 1, y);
    else
        dw_forward_3x3(call, x, k.first, k.last, 2, y);
    if (call->moments)
        NM_ISA(nm_conv_take_moments)
    (g, call->moments, task, y + k.first * (ptrdiff_t)g->out.w * g->out.c, (k.last - k.first) * g->out.w,
     scratch.moments);
}

static void depthwise_forward(const nm_conv_call *call)
{
    each_block(call, call->g->out, depthwise_forward_task);
}

static int depthwise_chunks(const nm_conv_geometry *g, int n, int most)
{
    return n * nm_ceil_div(g->out.h, task_rows(most, g->out));
}

/* ---- gradient by the weights --------------------------------------------------------------- */

/* x, dy: the sample's. */
static void add_block_3x3(const nm_conv_call *call, const block *k, const real *x, const real *dy, real *dw, real *db)
{
    const nm_conv_geometry *g = call->g;
    for (int first = 0, beyond; first < g->in.c; first = beyond) {
        dw_sums sums[DW_GROUP_VECTORS], *s = sums;
        beyond = dw_group_end(first, g->in.c);
        memset(sums, 0, sizeof sums);
        if (g->stride[0] == 1)
            dw_add_rows(g, x, dy, k->first, k->last, first, beyond, 1, sums);
        else
            dw_add_rows(g, x, dy, k->first, k->last, first, beyond, 2, sums);
        for (int c = first, done = first; c < beyond; done = c + NM_VECTOR, c = dw_next(c, g->in.c), s++) {
            for (int t = 0; t < 9; t++)
                dw_add_new(&(*s)[t], c, done, NM_VECTOR, dw + t * (ptrdiff_t)g->in.c);
            dw_add_new(&(*s)[9], c, done, NM_VECTOR, db);
        }
    }
}

typedef struct weights_job {
    const nm_conv_call *call;
    nm_conv_partials partials;
} weights_job;

static void depthwise_weights_task(void *arg, int task, int thread)
{
    const weights_job *j = arg;
    const nm_conv_call *call = j->call;
    const nm_conv_geometry *g = call->g;
    const nm_conv_partial sum = NM_ISA(nm_conv_partial_of)(&j->partials, g, task);
    const depthwise_scratch scratch = depthwise_thread(call, NM_CONV_WEIGHTS, thread);
    memset(sum.dw, 0, nm_conv_weight_count(g) * sizeof *sum.dw);
    for (long row = sum.first; row < sum.last;) {
        block k = {(int)(row / g->out.h), (int)(row % g->out.h), 0};
        int until = k.first + block_rows(g->out, SMALLEST);
        until = until < g->out.h ? until : g->out.h;
        k.last = sum.last - row < until - k.first ? k.first + (int)(sum.last - row) : until;
        row += k.last - k.first;
        const real *x = NM_ISA(nm_conv_input)(call, k.sample, k.first, k.last, scratch.input);
        const real *dy = call->dy + (size_t)k.sample * nm_shape_size(g->out);
        if (dw_is_3x3(g))
            add_block_3x3(call, &k, x, dy, sum.dw, sum.db);
        else
            dw_add_any(call, k.first, k.last, x, dy, sum.dw, sum.db);
    }
}

static void depthwise_weights(const nm_conv_call *call)
{
    nm_scratch shared = nm_conv_shared_scratch(call);
    weights_job j = {.call = call, .partials = weights_partials(&shared, call->g, call->n)};
    NM_ISA(nm_conv_sum_partials)(call, &j.partials, depthwise_weights_task, &j);
}

/* ---- gradient by x, where a stride keeps it from being a convolution ----------------------- */

static void depthwise_data_task(void *arg, int task, int thread)
{
    (void)thread;
    const nm_conv_call *call = arg;
    const nm_conv_geometry *g = call->g;
    const block k = block_of(call, g->in, task);
    const real *dy = call->dy + (size_t)k.sample * nm_shape_size(g->out);
    real *dx = call->y + (size_t)k.sample * nm_shape_size(g->in);
    bool tiles = dw_is_3x3(g) && g->stride[0] == 2 && g->top % 2 == g->left % 2;
    for (int row = k.first; row < k.last; row += tiles ? DW_ROWS : 1)
        if (!tiles)
            dw_data_row(call, dy, row, dx + row * (ptrdiff_t)g->in.w * g->in.c);
        else
            for (int col = 0; col < g->in.w; col += DW_COLS)
                if (g->top % 2)
                    dw_data_tile(call, dy, row, col, 1, dx);
                else
                    dw_data_tile(call, dy, row, col, 0, dx);
}

static void depthwise_data(const nm_conv_call *call)
{
    each_block(call, call->g->in, depthwise_data_task);
}

extern const nm_conv_algorithm NM_ISA(nm_conv_depthwise);
const nm_conv_algorithm NM_ISA(nm_conv_depthwise) = {
    .name = "depthwise",
    .declines = depthwise_declines,
    .cost = depthwise_cost,
    .reserve = depthwise_reserve,
    .forward = depthwise_forward,
    .weights = depthwise_weights,
    .data = depthwise_data,
    .chunks = depthwise_chunks,
    .reads_lazy_normalisation = nm_conv_any,
    .exact = true,
};
