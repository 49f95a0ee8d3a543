/* Convolution (cross-correlation, as the field calls it):
 *
 *     y[n, i, j, o] = bias[o] + sum over a, b, c of x[n, i * stride - pad + a * dilation, j * … + b * …, c] * w[a, b, c, o]
 *
 * Output extent: floor((in + pad - dilation * (kernel - 1) - 1) / stride) + 1; with `same`, ceil(in / stride), the odd
 * zero below and to the right. Weights are HWIO with I the channels of a group. Backward reads x. The work is done by
 * the algorithms in conv/; each pass has its own choice. */
#include "conv_layer.h"

#include "batchnorm.h"
#include "stem.h"

#include <math.h>
#include <string.h>

static const nm_option options[] = {
    {"filters", NM_OPT_INT, offsetof(conv, filters), NULL, 1, 1 << 20, .help = "output channels"},
    {"kernel", NM_OPT_PAIR, offsetof(conv, kernel), "3", 1, 1024, .help = "height and width of the window"},
    {"stride", NM_OPT_PAIR, offsetof(conv, stride), "1", 1, 1024, .help = "step of the window"},
    {"pad", NM_OPT_PAD, offsetof(conv, pad), "0", 0, 1024, .help = "zeros around the input"},
    {"dilation", NM_OPT_PAIR, offsetof(conv, dilation), "1", 1, 1024, .help = "distance between the window's taps"},
    {"groups", NM_OPT_INT, offsetof(conv, groups), "1", 1, 1 << 20,
     .help = "groups of channels that do not mix; as many as channels: depthwise"},
    {"bias", NM_OPT_BOOL, offsetof(conv, bias), "true", .help = "add a learnt number per filter"},
    {"init", NM_OPT_ENUM, offsetof(conv, init), "he_normal", .choices = nm_init_names,
     .help = "initial weights; fan-in is kernel area x channels of a group"},
    {"init_value", NM_OPT_REAL, offsetof(conv, init_value), "0.01",
     .help = "deviation for init normal, value for init constant"},
    {"activation", NM_OPT_CHOICE, offsetof(conv, activation), "",
     .help = "a layer type to follow, as activation: relu"},
    {"standardise", NM_OPT_BOOL, offsetof(conv, standardise), "false",
     .help = "weight standardisation: each filter's weights with mean 0 and variance 1"},
    {"algorithm", NM_OPT_STRING, offsetof(conv, algorithm), "auto",
     .help = "auto; depthwise, direct, winograd_1d, winograd_2x2, winograd_4x4, im2col or reference for every pass that it can do; or "
             "three of these with slashes between, for forward, weights and data"},
    {0},
};

/* ---- infer --------------------------------------------------------------------------------------- */

static nm_status infer_axis(nm_infer *e, const conv *self, int axis, int in, int *before, int *out)
{
    const nm_pad *pad = &self->pad;
    int reach = self->dilation[axis] * (self->kernel[axis] - 1) + 1, stride = self->stride[axis];
    int after = axis ? pad->right : pad->bottom;
    *before = axis ? pad->left : pad->top;
    if (pad->same) {
        *out = (in + stride - 1) / stride;
        int whole = (*out - 1) * stride + reach - in;
        *before = whole > 0 ? whole / 2 : 0;
        return NM_OK;
    }
    int room = in + *before + after - reach;
    if (room < 0)
        return nm_fail(e->ctx, NM_INVALID,
                       "%s: the kernel reaches over %d pixels in %s, but the input has %d and %d of padding; "
                       "its input is " NM_SHAPE_FMT,
                       e->who, reach, axis ? "width" : "height", in, *before + after, NM_SHAPE_ARGS(e->in[0]));
    *out = room / stride + 1;
    return NM_OK;
}

static nm_status check_algorithm(nm_infer *e, const conv *self)
{
    for (int kind = 0; kind < NM_CONV_KINDS; kind++) {
        char word[64], hint[NM_HINT];
        NM_ISA(nm_conv_wanted)(self->algorithm, (nm_conv_kind)kind, word, sizeof word);
        if (strcmp(word, "auto") == 0)
            continue;
        const nm_conv_algorithm *const *a = NM_ISA(nm_conv_algorithms)();
        while (*a && strcmp((*a)->name, word) != 0)
            a++;
        if (!*a)
            return nm_fail(e->ctx, NM_INVALID, "%s: unknown algorithm '%s'%s; norma layers conv lists them", e->who, word,
                           nm_did_you_mean(hint, word, NM_ISA(nm_conv_names), NM_CONV_NAMES));
        const char *why = kind == NM_CONV_FORWARD ? (*a)->declines(&self->g, NM_CONV_FORWARD) : NULL;
        if (why)
            return nm_fail(e->ctx, NM_INVALID, "%s: algorithm %s cannot do it: it %s", e->who, word, why);
    }
    return NM_OK;
}

static nm_status infer(nm_infer *e, void *private)
{
    conv *self = private;
    nm_shape in = e->in[0];
    if (in.c % self->groups || self->filters % self->groups)
        return nm_fail(e->ctx, NM_INVALID,
                       "%s: groups must divide the channels; found %d groups, %d channels, %d filters", e->who,
                       self->groups, in.c, self->filters);
    self->g = (nm_conv_geometry){.in = in, .out = {0, 0, self->filters}, .groups = self->groups};
    memcpy(self->g.kernel, self->kernel, sizeof self->kernel);
    memcpy(self->g.stride, self->stride, sizeof self->stride);
    memcpy(self->g.dilation, self->dilation, sizeof self->dilation);
    NM_TRY(infer_axis(e, self, 0, in.h, &self->g.top, &self->g.out.h));
    NM_TRY(infer_axis(e, self, 1, in.w, &self->g.left, &self->g.out.w));
    for (int axis = 0; axis < 2; axis++) {
        int size = axis ? in.w : in.h;
        if (self->kernel[axis] > 1 && self->dilation[axis] > 1 && self->dilation[axis] >= size)
            return nm_fail(e->ctx, NM_INVALID, "%s: dilation must be less than the input's %d pixels in %s; found %d", e->who,
                           size, axis ? "width" : "height", self->dilation[axis]);
    }
    NM_TRY(check_algorithm(e, self));
    e->out = self->g.out;
    double area = (double)self->kernel[0] * self->kernel[1];
    nm_init init = {(nm_init_kind)self->init, self->init_value, area * nm_conv_group_in(&self->g),
                    area * nm_conv_group_out(&self->g)};
    const int dims[] = {self->kernel[0], self->kernel[1], nm_conv_group_in(&self->g), self->filters};
    NM_TRY(nm_declare(e, "weight", NM_WEIGHT, "HWIO", dims, init));
    if (self->bias)
        NM_TRY(nm_declare(e, "bias", NM_BIAS, "O", &dims[3], (nm_init){.kind = NM_INIT_CONSTANT}));
    return NM_OK;
}

/* ---- run ---------------------------------------------------------------------------------------------- */

static real *standard_weights(const nm_pass *p)
{
    return (real *)((char *)p->scratch + ((const choice *)p->plan)->standard_offset);
}

static nm_conv_call call_of(const nm_pass *p, const conv *self)
{
    if (self->standardise)
        NM_ISA(nm_conv_standardise)(&self->g, p->w[0], standard_weights(p));
    return (nm_conv_call){.g = &self->g, .n = p->n, .threads = p->threads,
                          .most = ((const choice *)p->plan)->most, .by_sample = p->mode == NM_EVAL, .w = self->standardise ? standard_weights(p) : p->w[0], .shared = p->scratch,
                          .thread_base = p->thread_scratch_base, .thread_size = p->thread_scratch_size};
}

/* y = scale / sd * (w x + bias - mean) + shift, as a factor and a bias for each filter. */
static void fold(const nm_pass *p, nm_conv_call *call)
{
    const nm_batchnorm *norm = p->with[0].self;
    real *const *of = p->with[0].w;
    int channels = call->g->out.c;
    real *scale = (real *)((char *)p->scratch + ((const choice *)p->plan)->folded_offset), *bias = scale + channels;
    for (int o = 0; o < channels; o++) {
        double factor = (norm->affine ? (double)of[norm->scale][o] : 1) /
                        sqrt((double)of[norm->running_var][o] + norm->epsilon);
        double own = call->bias ? (double)call->bias[o] : 0, shift = norm->affine ? (double)of[norm->shift][o] : 0;
        scale[o] = (real)factor;
        bias[o] = (real)(factor * (own - (double)of[norm->running_mean][o]) + shift);
    }
    call->scale = scale;
    call->bias = bias;
}

/* For training with batch norm. */
static nm_conv_normed normed_of(const nm_pass *p, const conv *self)
{
    const choice *c = p->plan;
    nm_conv_normed s = {.call = call_of(p, self), .pass = *p, .norm = p->with[0].self, .after = c->after,
                        .moments_offset = c->moments_offset};
    s.call.x = p->x[0];
    s.call.bias = self->bias ? p->w[1] : NULL;
    s.call.dw = p->dw[0];
    s.call.db = self->bias ? p->dw[1] : NULL;
    s.pass.xs = &self->g.out;
    s.pass.ys = self->g.out;
    s.pass.w = p->with[0].w;
    s.pass.dw = p->with[0].dw;
    s.pass.with = p->with + 1;
    s.pass.fused = p->fused - 1;
    return s;
}

static bool is_normed(const nm_pass *p)
{
    return ((const choice *)p->plan)->norm && p->mode == NM_TRAIN;
}

static void forward(const nm_pass *p, const void *private)
{
    const conv *self = private;
    const choice *c = p->plan;
    if (is_normed(p)) {
        nm_conv_normed s = normed_of(p, self);
        if (c->stem)
            NM_ISA(nm_conv_stem_forward)(&s);
        else
            NM_ISA(nm_conv_normed_forward)(&s, c->by[NM_CONV_FORWARD]);
        return;
    }
    nm_conv_call call = call_of(p, self);
    call.x = p->x[0];
    call.y = p->y;
    call.bias = self->bias ? p->w[1] : NULL;
    if (c->norm)
        fold(p, &call);
    call.other = c->after.add ? p->with[c->norm].other : NULL;
    call.relu = c->after.relu;
    call.pool = c->after.pool;
    c->by[NM_CONV_FORWARD]->forward(&call);
}

/* Gradients of weights and bias; with standardised weights, through the standardisation. */
static void weights_pass(const nm_pass *p, const conv *self, nm_conv_call call)
{
    size_t count = nm_conv_weight_count(&self->g);
    real *gradient = self->standardise ? standard_weights(p) + count : NULL;
    call.dw = p->dw[0];
    call.db = self->bias ? p->dw[1] : NULL;
    if (!call.dw && !call.db)
        return;
    if (gradient && call.dw) {
        memset(gradient, 0, count * sizeof *gradient);
        call.dw = gradient;
    }
    ((const choice *)p->plan)->by[NM_CONV_WEIGHTS]->weights(&call);
    if (gradient && p->dw[0])
        NM_ISA(nm_conv_standardise_gradient)(&self->g, p->w[0], call.w, gradient, p->dw[0]);
}

static void backward(const nm_pass *p, const void *private)
{
    const conv *self = private;
    const choice *c = p->plan;
    const real *dy = p->dy;
    if (is_normed(p)) {
        nm_conv_normed s = normed_of(p, self);
        if (c->stem) {
            NM_ISA(nm_conv_stem_backward)(&s);
            return;
        }
        dy = NM_ISA(nm_conv_normed_backward)(&s);
    }
    nm_conv_call call = call_of(p, self);
    call.dy = dy;
    call.x = p->x[0];
    weights_pass(p, self, call);
    if (!p->dx[0])
        return;
    call.y = p->dx[0];
    if (c->turned) {
        real *turned = (real *)((char *)p->scratch + c->turned_offset);
        NM_ISA(nm_conv_turn_weights)(&self->g, p->threads, call.w, turned);
        call.g = &c->turn;
        call.x = dy;
        call.w = turned;
        c->by[NM_CONV_DATA]->forward(&call);
    } else {
        c->by[NM_CONV_DATA]->data(&call);
    }
}

static void window(const void *private, nm_window *w)
{
    const conv *self = private;
    for (int axis = 0; axis < 2; axis++) {
        w->kernel[axis] = self->kernel[axis];
        w->stride[axis] = self->stride[axis];
        w->dilation[axis] = self->dilation[axis];
    }
    w->pad[0] = self->g.top;
    w->pad[1] = self->g.left;
}

static double cost(const void *private, const nm_shape *xs, nm_shape ys)
{
    (void)xs;
    (void)ys;
    return nm_conv_direct_cost(&((const conv *)private)->g);
}

extern const nm_layer_type NM_ISA(nm_layer_conv);
const nm_layer_type NM_ISA(nm_layer_conv) = {
    .name = "conv",
    .help = "Convolution with learnt kernels, over all channels or within groups of them",
    .size = sizeof(conv),
    .plan_size = sizeof(choice),
    .options = options,
    .least_inputs = 1,
    .most_inputs = 1,
    .memory = NM_BACK_X,
    .infer = infer,
    .plan = NM_ISA(nm_conv_plan),
    .fuse = NM_ISA(nm_conv_fuse),
    .forward = forward,
    .backward = backward,
    .window = window,
    .cost = cost,
    .describe = NM_ISA(nm_conv_describe),
    .explain = NM_ISA(nm_conv_explain_choice),
    .tuning = &NM_ISA(nm_conv_tuning),
};
