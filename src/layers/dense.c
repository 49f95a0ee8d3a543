/* Fully connected: y = x w + bias over all h * w * c numbers of a sample, in their order in memory.
 * Weights are IO. Backward reads x: dw = x' dy, dbias = column sums of dy, dx = dy w'.
 *
 * Samples are taken in blocks of a fixed size, a part-filled block padded with zeros, so that a
 * sample's output has the same bits at any batch size. Where one block holds the batch, tasks split
 * the columns too. */
#include "layer.h"

#include "gemm.h"

#include <string.h>

typedef struct dense {
    int units;
    bool bias;
    int init;
    double init_value;
    nm_choice activation; /* the layer after this one, made by the parser */
    int inputs;           /* h * w * c */
} dense;

static const nm_option options[] = {
    {"units", NM_OPT_INT, offsetof(dense, units), NULL, 1, 1 << 24, .help = "outputs"},
    {"bias", NM_OPT_BOOL, offsetof(dense, bias), "true", .help = "add a learnt number per output"},
    {"init", NM_OPT_ENUM, offsetof(dense, init), "auto", .choices = nm_init_names, .help = NM_INIT_HELP},
    {"init_value", NM_OPT_REAL, offsetof(dense, init_value), "0.01",
     .help = "deviation for init normal, value for init constant"},
    {"activation", NM_OPT_CHOICE, offsetof(dense, activation), "",
     .help = "a layer type to follow, as activation: relu"},
    {0},
};

enum {
    ROWS = 16,    /* at least, in a block */
    COLUMNS = 32, /* outputs (or inputs) in a task */
};

static nm_status dense_infer(nm_infer *e, void *private)
{
    dense *self = private;
    size_t inputs = nm_shape_size(e->in[0]);
    if (inputs > 1 << 28)
        return nm_fail(e->ctx, NM_INVALID, "%s: its input " NM_SHAPE_FMT " has more than 2^28 numbers", e->who,
                       NM_SHAPE_ARGS(e->in[0]));
    self->inputs = (int)inputs;
    e->out = (nm_shape){1, 1, self->units};
    const int dims[] = {self->inputs, self->units};
    nm_init init = {(nm_init_kind)self->init, self->init_value, self->inputs, self->units};
    NM_TRY(nm_declare(e, "weight", NM_WEIGHT, "IO", dims, init));
    if (self->bias)
        NM_TRY(nm_declare_bias(e, self->units, init));
    return NM_OK;
}

static size_t widest(const dense *self)
{
    return (size_t)(self->inputs > self->units ? self->inputs : self->units);
}

/* Thread scratch: a padded block of inputs and the block of outputs it gives. */
static nm_status dense_plan(nm_reservation *b, const void *private, void *chosen)
{
    (void)chosen;
    const dense *self = private;
    b->thread_scratch = (size_t)nm_gemm_whole_rows(ROWS) * (widest(self) + COLUMNS) * sizeof(real);
    return NM_OK;
}

typedef struct job {
    const nm_pass *p;
    const dense *self;
    const real *from; /* [n][in] */
    real *to;         /* [n][out] */
    int in, out;
    bool transposed; /* weights are [out][in] */
    const real *bias;
    nm_gemm_rows rows; /* where samples lie in a block, for the same bits at any batch */
    int block;         /* rows */
    int samples;       /* in a block */
} job;

/* A block's samples at their rows, zeros where there is none. */
static void dense_lay_out(const job *j, int first, real *to)
{
    size_t in = (size_t)j->in;
    for (int row = 0; row < j->block; row++, to += in) {
        nm_gemm_place p = nm_gemm_place_of(&j->rows, row);
        if (p.number > 0 || first + p.sample >= j->p->n)
            memset(to, 0, in * sizeof *to);
        else
            memcpy(to, j->from + (size_t)(first + p.sample) * in, in * sizeof *to);
    }
}

/* Columns column..column+count-1 of a block's outputs, from y, which may be their place already. */
static void bring_back(const job *j, int first, int column, int count, const real *y, int stride)
{
    for (int row = 0; row < j->block; row++, y += stride) {
        nm_gemm_place p = nm_gemm_place_of(&j->rows, row);
        real *to = j->to + (size_t)(first + p.sample) * (size_t)j->out + column;
        for (int c = 0; c < count && p.number == 0 && first + p.sample < j->p->n; c++)
            to[c] = y[c] + (j->bias ? j->bias[column + c] : 0);
    }
}

/* A block of samples, some columns: to = from * weights (+ bias). */
static void product_task(void *arg, int task, int thread)
{
    const job *j = arg;
    int tiles = nm_ceil_div(j->out, COLUMNS), first = task / tiles * j->samples, column = task % tiles * COLUMNS;
    int count = j->out - column < COLUMNS ? j->out - column : COLUMNS;
    bool whole = !j->rows.split && first + j->samples <= j->p->n;
    const real *from = j->from + (size_t)first * (size_t)j->in;
    real *padded = nm_thread_scratch(j->p, thread), *y = padded + (size_t)j->block * widest(j->self);
    int stride = whole ? j->out : COLUMNS;
    if (whole) {
        y = j->to + (size_t)first * (size_t)j->out + column;
    } else {
        dense_lay_out(j, first, padded);
        from = padded;
    }
    if (j->transposed)
        nm_gemm(false, true, j->block, count, j->in, 1, from, j->in, j->p->w[0] + (size_t)column * (size_t)j->in, j->in,
                0, y, stride);
    else
        nm_gemm(false, false, j->block, count, j->in, 1, from, j->in, j->p->w[0] + column, j->out, 0, y, stride);
    if (!whole || j->bias)
        bring_back(j, first, column, count, y, stride);
}

static void product(job *j)
{
    j->rows = nm_gemm_rows_of(1, j->p->mode == NM_EVAL);
    j->block = nm_gemm_whole_rows(ROWS);
    j->samples = j->block / j->rows.padded_rows;
    nm_parallel(j->p->threads, nm_ceil_div(j->p->n, j->samples) * nm_ceil_div(j->out, COLUMNS), product_task,
                (void *)j);
}

static void dense_forward(const nm_pass *p, const void *private)
{
    const dense *self = private;
    job j = {.p = p,
             .self = self,
             .from = p->x[0],
             .to = p->y,
             .in = self->inputs,
             .out = self->units,
             .bias = self->bias ? p->w[1] : NULL};
    product(&j);
}

/* dw is cut into blocks of its own rows: each is one product over the whole batch, and nothing has
 * to be combined. */
static void weight_task(void *arg, int task, int thread)
{
    (void)thread;
    const nm_pass *p = ((const job *)arg)->p;
    const dense *self = ((const job *)arg)->self;
    int first = task * COLUMNS, count = self->inputs - first < COLUMNS ? self->inputs - first : COLUMNS;
    nm_gemm(true, false, count, self->units, p->n, 1, p->x[0] + first, self->inputs, p->dy, self->units, 1,
            p->dw[0] + (size_t)first * (size_t)self->units, self->units);
}

static void dense_backward(const nm_pass *p, const void *private)
{
    const dense *self = private;
    job j = {.p = p,
             .self = self,
             .from = p->dy,
             .to = p->dx[0],
             .in = self->units,
             .out = self->inputs,
             .transposed = true};
    if (p->dw[0])
        nm_parallel(p->threads, nm_ceil_div(self->inputs, COLUMNS), weight_task, &j);
    if (self->bias && p->dw[1])
        for (int i = 0; i < p->n; i++)
            for (int c = 0; c < self->units; c++)
                p->dw[1][c] += p->dy[(size_t)i * (size_t)self->units + (size_t)c];
    if (p->dx[0])
        product(&j);
}

static void dense_window(const void *private, nm_window *w)
{
    (void)private;
    w->global = true;
}

static double dense_cost(const void *private, const nm_shape *xs, nm_shape ys)
{
    (void)xs;
    (void)ys;
    const dense *self = private;
    return (double)self->inputs * self->units;
}

extern const nm_layer_type NM_ISA(nm_layer_dense);
const nm_layer_type NM_ISA(nm_layer_dense) = {
    .name = "dense",
    .help = "Fully connected: every output sees every number of the sample",
    .size = sizeof(dense),
    .options = options,
    .least_inputs = 1,
    .most_inputs = 1,
    .memory = NM_BACK_X,
    .infer = dense_infer,
    .plan = dense_plan,
    .forward = dense_forward,
    .backward = dense_backward,
    .window = dense_window,
    .cost = dense_cost,
};
