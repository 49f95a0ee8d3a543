/* Transposed convolution: what the gradient by x of a convolution is, as a layer of its own (Zeiler
 * et al. 2010; PyTorch's ConvTranspose2d). Each input pixel spreads its kernel over the output:
 *
 *     y[n, i * stride - pad + a * dilation, j * … , o] += x[n, i, j, c] * w[a, b, c, o]     (+
 * bias[o])
 *
 * Output extent: (in - 1) * stride - pads + dilation * (kernel - 1) + output_pad + 1. Weights are
 * HWIO with I all input channels and O the output channels of a group. Below, g is the convolution
 * whose transpose this is: from this layer's output to its input. Forward is g's gradient by its
 * input, the gradient by x is g itself, and the gradient by the weights is g's with input and
 * output changed round; g wants its kernel as [kh][kw][O][I], so that it is turned once a pass.
 * Backward reads x. */
#include "conv.h"

#include <stdio.h>
#include <string.h>

typedef struct deconv {
    int filters, kernel[2], stride[2], dilation[2], output_pad[2], groups;
    nm_pad pad;
    bool bias;
    int init;
    double init_value;
    nm_choice activation; /* the layer after this one, made by the parser */
    nm_conv_geometry g;   /* set by infer */
} deconv;

static const nm_option options[] = {
    {"filters", NM_OPT_INT, offsetof(deconv, filters), NULL, 1, 1 << 20, .help = "output channels"},
    {"kernel", NM_OPT_PAIR, offsetof(deconv, kernel), "3", 1, 1024, .help = "height and width of the window"},
    {"stride", NM_OPT_PAIR, offsetof(deconv, stride), "1", 1, 1024, .help = "by how much the output is larger"},
    {"pad", NM_OPT_PAD, offsetof(deconv, pad), "0", 0, 1024,
     .help = "rows and columns taken off the output; same: input times stride"},
    {"output_pad", NM_OPT_PAIR, offsetof(deconv, output_pad), "0", 0, 1024,
     .help = "rows and columns added below and to the right; less than stride or dilation"},
    {"dilation", NM_OPT_PAIR, offsetof(deconv, dilation), "1", 1, 1024, .help = "distance between the window's taps"},
    {"groups", NM_OPT_INT, offsetof(deconv, groups), "1", 1, 1 << 20, .help = "groups of channels that do not mix"},
    {"bias", NM_OPT_BOOL, offsetof(deconv, bias), "true", .help = "add a learnt number per filter"},
    {"init", NM_OPT_ENUM, offsetof(deconv, init), "auto", .choices = nm_init_names,
     .help = NM_INIT_HELP "; fan-in is kernel area x channels of a group, over the stride"},
    {"init_value", NM_OPT_REAL, offsetof(deconv, init_value), "0.01",
     .help = "deviation for init normal, value for init constant"},
    {"activation", NM_OPT_CHOICE, offsetof(deconv, activation), "",
     .help = "a layer type to follow, as activation: relu"},
    {0},
};

/* Per plan. */
typedef struct choice {
    int most;                                   /* samples */
    const nm_conv_algorithm *by[NM_CONV_KINDS]; /* of g */
    bool turned; /* forward goes through the convolution that g's gradient by x is at stride 1 */
    nm_conv_geometry turn;
    size_t weights_offset; /* bytes into scratch: the kernel as g wants it, then its gradient or its turned copy */
} choice;

/* ---- infer --------------------------------------------------------------------------------- */

static nm_status deconv_infer_axis(nm_infer *e, deconv *self, int axis, int in, int *out)
{
    nm_pad *pad = &self->pad;
    int reach = self->dilation[axis] * (self->kernel[axis] - 1) + 1, stride = self->stride[axis];
    int *before = axis ? &pad->left : &pad->top, *after = axis ? &pad->right : &pad->bottom;
    int extra = self->output_pad[axis];
    if (extra && extra >= stride && extra >= self->dilation[axis])
        return nm_fail(e->ctx, NM_INVALID, "%s: output_pad must be less than stride or dilation; found %d, %d and %d",
                       e->who, extra, stride, self->dilation[axis]);
    int64_t whole = (int64_t)(in - 1) * stride + reach + extra;
    if (pad->same) {
        int64_t off = whole - (int64_t)in * stride;
        *before = off > 0 ? (int)(off / 2) : 0;
        *after = (int)(off - *before); /* less than 0: rows that no tap reaches */
        *out = in * stride;
        return NM_OK;
    }
    whole -= *before + *after;
    if (whole < 1 || whole > 1 << 30)
        return nm_fail(e->ctx, NM_INVALID, "%s: its output would have %lld %s; its input is " NM_SHAPE_FMT, e->who,
                       (long long)whole, axis ? "columns" : "rows", NM_SHAPE_ARGS(e->in[0]));
    *out = (int)whole;
    return NM_OK;
}

static nm_status deconv_infer(nm_infer *e, void *private)
{
    deconv *self = private;
    nm_shape in = e->in[0];
    NM_TRY(NM_ISA(nm_conv_check_groups)(e, self->groups, self->filters));
    self->g = (nm_conv_geometry){.in = {0, 0, self->filters}, .out = in, .groups = self->groups};
    memcpy(self->g.kernel, self->kernel, sizeof self->kernel);
    memcpy(self->g.stride, self->stride, sizeof self->stride);
    memcpy(self->g.dilation, self->dilation, sizeof self->dilation);
    NM_TRY(deconv_infer_axis(e, self, 0, in.h, &self->g.in.h));
    NM_TRY(deconv_infer_axis(e, self, 1, in.w, &self->g.in.w));
    self->g.top = self->pad.top;
    self->g.left = self->pad.left;
    e->out = self->g.in;
    double area = (double)self->kernel[0] * self->kernel[1] / (self->stride[0] * self->stride[1]);
    nm_init init = {(nm_init_kind)self->init, self->init_value, area * nm_conv_group_out(&self->g),
                    area * nm_conv_group_in(&self->g)};
    const int dims[] = {self->kernel[0], self->kernel[1], in.c, self->filters / self->groups};
    NM_TRY(nm_declare(e, "weight", NM_WEIGHT, "HWIO", dims, init));
    if (self->bias)
        NM_TRY(nm_declare_bias(e, self->filters, init));
    return NM_OK;
}

/* ---- plan ---------------------------------------------------------------------------------- */

static void deconv_reserve_scratch(nm_reservation *b, const nm_conv_algorithm *by, const nm_conv_geometry *g,
                                   nm_conv_kind kind, size_t *shared)
{
    size_t wanted, thread;
    by->reserve(g, kind, b->n, &wanted, &thread);
    *shared = wanted > *shared ? wanted : *shared;
    b->thread_scratch = thread > b->thread_scratch ? thread : b->thread_scratch;
}

static nm_status deconv_plan(nm_reservation *b, const void *private, void *chosen)
{
    const deconv *self = private;
    choice *c = chosen;
    size_t shared = 0;
    c->most = b->n;
    const nm_conv_wish wish = {b->rules->prefer ? b->rules->prefer : "auto", b->rules->exact,
                               b->rules->mode == NM_EVAL};
    c->turned = NM_ISA(nm_conv_turn)(&self->g, &c->turn);
    if (c->turned) {
        c->by[NM_CONV_DATA] = NM_ISA(nm_conv_choose)(&c->turn, NM_CONV_FORWARD, NM_CONV_DATA, &wish);
        deconv_reserve_scratch(b, c->by[NM_CONV_DATA], &c->turn, NM_CONV_FORWARD, &shared);
    } else {
        c->by[NM_CONV_DATA] = NM_ISA(nm_conv_choose)(&self->g, NM_CONV_DATA, NM_CONV_DATA, &wish);
        deconv_reserve_scratch(b, c->by[NM_CONV_DATA], &self->g, NM_CONV_DATA, &shared);
    }
    for (int kind = 0; b->backward && kind < NM_CONV_DATA; kind++) {
        c->by[kind] = NM_ISA(nm_conv_choose)(&self->g, (nm_conv_kind)kind, (nm_conv_kind)kind, &wish);
        deconv_reserve_scratch(b, c->by[kind], &self->g, (nm_conv_kind)kind, &shared);
    }
    c->weights_offset = (shared + 63) / 64 * 64;
    b->scratch = c->weights_offset + 2 * nm_conv_weight_count(&self->g) * sizeof(real);
    return NM_OK;
}

/* ---- run
 * ------------------------------------------------------------------------------------------------
 */

/* Between [kh][kw][I][O of a group], this layer's, and [kh][kw][O of a group][I], g's; adds where
 * asked. */
static void swap(const deconv *self, const real *from, real *to, bool to_g, bool add)
{
    size_t in = (size_t)self->g.out.c, out = (size_t)(self->filters / self->groups), whole = in * out;
    for (int tap = 0; tap < self->kernel[0] * self->kernel[1]; tap++, from += whole, to += whole)
        for (size_t i = 0; i < in; i++)
            for (size_t o = 0; o < out; o++) {
                size_t mine = i * out + o, gs = o * in + i;
                real value = from[to_g ? mine : gs];
                real *place = &to[to_g ? gs : mine];
                *place = add ? *place + value : value;
            }
}

static nm_conv_call deconv_call_of(const nm_pass *p, const deconv *self, real **kernel, real **second)
{
    const choice *c = p->plan;
    *kernel = (real *)((char *)p->scratch + c->weights_offset);
    *second = *kernel + nm_conv_weight_count(&self->g);
    swap(self, p->w[0], *kernel, true, false);
    return (nm_conv_call){.g = &self->g,
                          .n = p->n,
                          .threads = p->threads,
                          .most = c->most,
                          .by_sample = p->mode == NM_EVAL,
                          .w = *kernel,
                          .shared = p->scratch,
                          .thread_base = p->thread_scratch_base,
                          .thread_size = p->thread_scratch_size};
}

typedef struct bias_job {
    const nm_pass *p;
    const real *bias;
} bias_job;

static void bias_task(void *arg, int task, int thread)
{
    (void)thread;
    const bias_job *j = arg;
    size_t channels = (size_t)j->p->ys.c, width = (size_t)j->p->ys.w;
    real *y = j->p->y + (size_t)task * width * channels;
    for (size_t w = 0; w < width; w++, y += channels)
        for (size_t c = 0; c < channels; c++)
            y[c] += j->bias[c];
}

static void deconv_forward(const nm_pass *p, const void *private)
{
    const deconv *self = private;
    const choice *c = p->plan;
    real *kernel, *turned;
    nm_conv_call call = deconv_call_of(p, self, &kernel, &turned);
    call.y = p->y;
    if (c->turned) {
        NM_ISA(nm_conv_turn_weights)(&self->g, p->threads, kernel, turned);
        call.g = &c->turn;
        call.x = nm_stored_of(p->x[0], false);
        call.w = turned;
        call.bias = self->bias ? p->w[1] : NULL;
        c->by[NM_CONV_DATA]->forward(&call);
        return;
    }
    call.dy = p->x[0];
    c->by[NM_CONV_DATA]->data(&call);
    if (self->bias)
        nm_parallel(p->threads, p->n * p->ys.h, bias_task, &(bias_job){p, p->w[1]});
}

/* Block by block of rows, so that long sums stay exact enough; `buffer` holds a number for each
 * channel.
 */
static void add_bias_gradient(const nm_pass *p, real *buffer)
{
    enum { ROWS = 512 };
    int rows = p->n * p->ys.h * p->ys.w, channels = p->ys.c;
    for (int first = 0; first < rows; first += ROWS) {
        memset(buffer, 0, (size_t)channels * sizeof *buffer);
        NM_ISA(nm_conv_column_sums)
        (p->dy + (size_t)first * (size_t)channels, rows - first < ROWS ? rows - first : ROWS, channels, buffer);
        for (int c = 0; c < channels; c++)
            p->dw[1][c] += buffer[c];
    }
}

static void deconv_backward(const nm_pass *p, const void *private)
{
    const deconv *self = private;
    const choice *c = p->plan;
    real *kernel, *gradient;
    nm_conv_call call = deconv_call_of(p, self, &kernel, &gradient);
    call.x = nm_stored_of(p->dy, false); /* g reads this layer's output side and gives its input side */
    if (p->dw[0]) {
        memset(gradient, 0, nm_conv_weight_count(&self->g) * sizeof *gradient);
        call.dy = p->x[0];
        call.dw = gradient;
        c->by[NM_CONV_WEIGHTS]->weights(&call);
        swap(self, gradient, p->dw[0], false, true);
    }
    if (self->bias && p->dw[1])
        add_bias_gradient(p, gradient);
    if (p->dx[0]) {
        call.y = p->dx[0];
        c->by[NM_CONV_FORWARD]->forward(&call);
    }
}

static void deconv_window(const void *private, nm_window *w)
{
    const deconv *self = private;
    for (int axis = 0; axis < 2; axis++) {
        w->kernel[axis] = self->kernel[axis];
        w->stride[axis] = self->stride[axis];
        w->dilation[axis] = self->dilation[axis];
    }
    w->pad[0] = self->g.top;
    w->pad[1] = self->g.left;
    w->transposed = true;
}

static double deconv_cost(const void *private, const nm_shape *xs, nm_shape ys)
{
    (void)xs;
    (void)ys;
    return nm_conv_direct_cost(&((const deconv *)private)->g);
}

static void deconv_describe(const void *private, const void *chosen, char *text, size_t size)
{
    (void)private;
    const choice *c = chosen;
    snprintf(text, size, "transpose of %s%s%s%s%s", c->by[NM_CONV_DATA]->name,
             c->by[NM_CONV_WEIGHTS] ? ", weights " : "", c->by[NM_CONV_WEIGHTS] ? c->by[NM_CONV_WEIGHTS]->name : "",
             c->by[NM_CONV_FORWARD] ? ", data " : "", c->by[NM_CONV_FORWARD] ? c->by[NM_CONV_FORWARD]->name : "");
}

extern const nm_layer_type NM_ISA(nm_layer_deconv);
const nm_layer_type NM_ISA(nm_layer_deconv) = {
    .name = "deconv",
    .help = "Transposed convolution: each pixel spreads a learnt kernel over the output",
    .size = sizeof(deconv),
    .plan_size = sizeof(choice),
    .options = options,
    .least_inputs = 1,
    .most_inputs = 1,
    .memory = NM_BACK_X,
    .infer = deconv_infer,
    .plan = deconv_plan,
    .forward = deconv_forward,
    .backward = deconv_backward,
    .window = deconv_window,
    .cost = deconv_cost,
    .describe = deconv_describe,
};
