/* Fully connected: y = x w + bias over all h * w * c numbers of a sample, in their order in memory.
 * Weights are IO. Backward reads x: dw = x' dy, dbias = column sums of dy, dx = dy w'.
 *
 * Samples are taken in blocks of a fixed size, a part-filled block padded with zeros, so that a
 * sample's output has the same bits at any batch size. Tasks split the columns too, and where these
 * are few but inputs many, the inputs: their partial sums are added in order. */
#include "dense_blocks.h"

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

static nm_status dense_plan(nm_reservation *b, const void *private, void *chosen)
{
    (void)chosen;
    const dense *self = private;
    dense_blocks forward = dense_blocks_of(b->n, b->mode == NM_EVAL, self->inputs, self->units);
    dense_blocks backward = dense_blocks_of(b->n, b->mode == NM_EVAL, self->units, self->inputs);
    size_t sums = dense_sums_size(&forward, self->units),
           more = b->backward ? dense_sums_size(&backward, self->inputs) : 0;
    b->scratch = (sums > more ? sums : more) * sizeof(real);
    b->thread_scratch = dense_block_size(&forward, widest(self)) * sizeof(real);
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
    dense_blocks b;
} job;

/* What a task computes: of a block's samples, some columns, from some of the inputs. */
typedef struct part {
    int block, first; /* its number; its first sample */
    int column, columns;
    int sum, input, inputs;
} part;

static part part_at(const job *j, int task)
{
    int tiles = nm_ceil_div(j->out, j->b.columns), sum = task % j->b.sums, tile = task / j->b.sums % tiles;
    part t = {.block = task / j->b.sums / tiles, .column = tile * j->b.columns, .sum = sum};
    t.first = t.block * j->b.samples;
    t.columns = j->out - t.column < j->b.columns ? j->out - t.column : j->b.columns;
    t.input = (int)((long)j->in * sum / j->b.sums);
    t.inputs = (int)((long)j->in * (sum + 1) / j->b.sums) - t.input;
    return t;
}

/* Samples of the block that begins with `first`. */
static int samples_of(const job *j, int first)
{
    return j->p->n - first < j->b.samples ? j->p->n - first : j->b.samples;
}

/* Rows of a block that hold samples, those that have to be computed with them included. Forward;
 * the products of backward are by transposed weights, and whole. */
static int rows_of(const job *j, int first)
{
    return j->transposed || j->b.rows.edge
               ? j->b.block
               : nm_gemm_fewest_rows(nm_gemm_rows_end(&j->b.rows, samples_of(j, first)), j->b.block);
}

/* A block's samples at their rows, zeros where there is none. */
static void dense_lay_out(const job *j, const part *t, int rows, real *to)
{
    size_t count = (size_t)t->inputs;
    for (int row = 0; row < rows; row++, to += count) {
        int sample = dense_sample_at(&j->b, t->first, row, j->p->n);
        if (sample < 0)
            memset(to, 0, count * sizeof *to);
        else
            memcpy(to, j->from + (size_t)sample * (size_t)j->in + t->input, count * sizeof *to);
    }
}

/* Columns column..column+count-1 of a block's outputs, from y, which may be their place already. */
static void bring_back(const job *j, int first, int column, int count, const real *y, int stride)
{
    for (int row = 0; row < rows_of(j, first); row++, y += stride) {
        int sample = dense_sample_at(&j->b, first, row, j->p->n);
        real *to = sample < 0 ? NULL : j->to + (size_t)sample * (size_t)j->out + column;
        for (int c = 0; to && c < count; c++)
            to[c] = y[c] + (j->bias ? j->bias[column + c] : 0);
    }
}

/* Where a partial sum of a block's outputs lies. */
static real *sum_at(const job *j, int sum, int block)
{
    return (real *)j->p->scratch + (size_t)(sum * j->b.blocks + block) * (size_t)j->b.block * (size_t)j->out;
}

/* Of a part's product: rows of inputs `across` apart, rows of outputs `stride` apart. */
typedef struct operands {
    const real *from;
    real *y, *turned; /* turned: scratch */
    int across, stride;
} operands;

/* Whether a part's samples, read where they lie, are multiplied without the rows of nobody beside
 * them. */
static bool is_few(const job *j, int first)
{
    return j->b.few && !j->transposed && samples_of(j, first) <= DENSE_FEW_SAMPLES;
}

static void multiply(const job *j, const part *t, const operands *o)
{
    int rows = rows_of(j, t->first), wide = j->transposed ? j->in : j->out;
    size_t row = (size_t)(j->transposed ? t->column : t->input),
           column = (size_t)(j->transposed ? t->input : t->column);
    const real *w = j->p->w[0] + row * (size_t)wide + column;
    if (is_few(j, t->first)) {
        NM_ISA(nm_dense_few)
        (samples_of(j, t->first), t->columns, t->inputs, o->from, (size_t)o->across, w, (size_t)wide,
         o->y + j->b.rows.edge * o->stride, (size_t)o->stride);
    } else if (j->b.rows.edge)
        nm_gemm_turned(j->transposed, j->b.block, t->columns, t->inputs, o->from, o->across, w, wide, o->y, o->stride,
                       o->turned);
    else if (j->transposed)
        nm_gemm(false, true, rows, t->columns, t->inputs, 1, o->from, o->across, w, wide, 0, o->y, o->stride);
    else
        nm_gemm_of_block(j->b.block, rows, t->columns, t->inputs, o->from, o->across, w, wide, 0, o->y, o->stride);
}

/* to = from * weights (+ bias), or a partial sum of it. */
static void product_task(void *arg, int task, int thread)
{
    const job *j = arg;
    part t = part_at(j, task);
    int rows = rows_of(j, t.first);
    bool whole = !j->b.rows.split && !j->b.rows.edge && t.first + rows <= j->p->n, partial = j->b.sums > 1;
    real *padded = nm_thread_scratch(j->p, thread), *outputs = padded + (size_t)j->b.block * widest(j->self);
    operands o = {.from = j->from + (size_t)t.first * (size_t)j->in + t.input,
                  .y = outputs,
                  .turned = outputs + (size_t)j->b.block * (size_t)j->b.columns,
                  .across = j->in,
                  .stride = whole || partial ? j->out : j->b.columns};
    if (partial)
        o.y = sum_at(j, t.sum, t.block) + t.column;
    else if (whole)
        o.y = j->to + (size_t)t.first * (size_t)j->out + t.column;
    if (!whole && !is_few(j, t.first)) {
        dense_lay_out(j, &t, rows, padded);
        o.from = padded;
        o.across = t.inputs;
    }
    multiply(j, &t, &o);
    if (!partial && (!whole || j->bias))
        bring_back(j, t.first, t.column, t.columns, o.y, o.stride);
}

/* A block's partial sums, added in their order into the first. */
static void sum_task(void *arg, int block, int thread)
{
    (void)thread;
    const job *j = arg;
    size_t edge = (size_t)j->b.rows.edge * (size_t)j->out,
           count = (size_t)rows_of(j, block * j->b.samples) * (size_t)j->out - 2 * edge;
    real *y = sum_at(j, 0, block) + edge;
    for (int sum = 1; sum < j->b.sums; sum++) {
        const real *more = sum_at(j, sum, block) + edge;
        for (size_t i = 0; i < count; i++)
            y[i] += more[i];
    }
    bring_back(j, block * j->b.samples, 0, j->out, sum_at(j, 0, block), j->out);
}

static void product(job *j)
{
    j->b = dense_blocks_of(j->p->n, j->p->mode == NM_EVAL, j->in, j->out);
    nm_parallel(j->p->threads, j->b.blocks * nm_ceil_div(j->out, j->b.columns) * j->b.sums, product_task, (void *)j);
    if (j->b.sums > 1)
        nm_parallel(j->p->threads, j->b.blocks, sum_task, (void *)j);
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
    int first = task * DENSE_COLUMNS,
        count = self->inputs - first < DENSE_COLUMNS ? self->inputs - first : DENSE_COLUMNS;
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
        nm_parallel(p->threads, nm_ceil_div(self->inputs, DENSE_COLUMNS), weight_task, &j);
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
