/* Convolution (cross-correlation, as the field calls it):
 *
 *     y[n, i, j, o] = bias[o] + sum over a, b, c of x[n, i * stride - pad + a * dilation, j * … + b
 * * …, c] * w[a, b, c, o]
 *
 * Output extent: floor((in + pad - dilation * (kernel - 1) - 1) / stride) + 1; with `same`, ceil(in
 * / stride), the odd zero below and to the right. Weights are HWIO with I the channels of a group.
 * Backward reads x. The work is done by the algorithms in conv/; each pass has its own choice. */
#include "conv_layer.h"

#include "conv_algorithm_list.h"
#include "error.h"

#include <string.h>

#define NAME(name) #name ", "
#define ALGORITHMS NM_CONV_ALGORITHM_LIST(NAME) "reference"
static const nm_option options[] = {
    {"filters", NM_OPT_INT, offsetof(conv, filters), NULL, 1, 1 << 20, .help = "output channels"},
    {"kernel", NM_OPT_PAIR, offsetof(conv, kernel), "3", 1, 1024, .help = "height and width of the window"},
    {"stride", NM_OPT_PAIR, offsetof(conv, stride), "1", 1, 1024, .help = "step of the window"},
    {"pad", NM_OPT_PAD, offsetof(conv, pad), "0", 0, 1024, .help = "zeros around the input"},
    {"dilation", NM_OPT_PAIR, offsetof(conv, dilation), "1", 1, 1024, .help = "distance between the window's taps"},
    {"groups", NM_OPT_INT, offsetof(conv, groups), "1", 1, 1 << 20,
     .help = "groups of channels that do not mix; as many as channels: depthwise"},
    {"bias", NM_OPT_BOOL, offsetof(conv, bias), "true", .help = "add a learnt number per filter"},
    {"init", NM_OPT_ENUM, offsetof(conv, init), "auto", .choices = nm_init_names,
     .help = NM_INIT_HELP "; fan-in is kernel area x channels of a group"},
    {"init_value", NM_OPT_REAL, offsetof(conv, init_value), "0.01",
     .help = "deviation for init normal, value for init constant"},
    {"activation", NM_OPT_CHOICE, offsetof(conv, activation), "",
     .help = "a layer type to follow, as activation: relu"},
    {"standardise", NM_OPT_BOOL, offsetof(conv, standardise), "false",
     .help = "weight standardisation: each filter's weights with mean 0 and variance 1"},
    {"algorithm", NM_OPT_STRING, offsetof(conv, algorithm), "auto",
     .help = "auto; one of " ALGORITHMS ", for every pass that it can do; or three of these with slashes between, "
             "for forward, weights and data"},
    {0},
};

/* ---- infer ---------------------------------------------------------------------------------- */

static nm_status infer_axis(nm_infer *e, conv *self, int axis, int in, int *out)
{
    nm_pad *pad = &self->pad;
    int reach = self->dilation[axis] * (self->kernel[axis] - 1) + 1, stride = self->stride[axis];
    int *before = axis ? &pad->left : &pad->top, *after = axis ? &pad->right : &pad->bottom;
    if (pad->same) {
        *out = (in + stride - 1) / stride;
        int whole = (*out - 1) * stride + reach - in;
        *before = whole > 0 ? whole / 2 : 0;
        *after = whole > 0 ? whole - *before : 0;
        return NM_OK;
    }
    int slack = in + *before + *after - reach; /* pixels that the kernel can move over */
    if (slack < 0)
        return nm_fail(e->ctx, NM_INVALID,
                       "%s: the kernel reaches over %d pixels in %s, but the input has %d and %d of padding; "
                       "its input is " NM_SHAPE_FMT,
                       e->who, reach, axis ? "width" : "height", in, *before + *after, NM_SHAPE_ARGS(e->in[0]));
    *out = slack / stride + 1;
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
        int names = 1; /* "auto" */
        for (; *a && strcmp((*a)->name, word) != 0; a++)
            names++;
        if (!*a)
            return nm_fail(e->ctx, NM_INVALID, "%s: unknown algorithm '%s'%s; norma layers conv lists them", e->who,
                           word, nm_did_you_mean(hint, word, NM_ISA(nm_conv_names), names));
        const char *why = kind == NM_CONV_FORWARD ? (*a)->declines(&self->g, NM_CONV_FORWARD) : NULL;
        if (why)
            return nm_fail(e->ctx, NM_INVALID, "%s: algorithm %s cannot do it: it %s", e->who, word, why);
    }
    return NM_OK;
}

static nm_status conv_infer(nm_infer *e, void *private)
{
    conv *self = private;
    nm_shape in = e->in[0];
    NM_TRY(NM_ISA(nm_conv_check_groups)(e, self->groups, self->filters));
    self->g = (nm_conv_geometry){.in = in, .out = {0, 0, self->filters}, .groups = self->groups};
    memcpy(self->g.kernel, self->kernel, sizeof self->kernel);
    memcpy(self->g.stride, self->stride, sizeof self->stride);
    memcpy(self->g.dilation, self->dilation, sizeof self->dilation);
    NM_TRY(infer_axis(e, self, 0, in.h, &self->g.out.h));
    NM_TRY(infer_axis(e, self, 1, in.w, &self->g.out.w));
    self->g.top = self->pad.top;
    self->g.left = self->pad.left;
    NM_TRY(check_algorithm(e, self));
    e->out = self->g.out;
    double area = (double)self->kernel[0] * self->kernel[1];
    nm_init init = {(nm_init_kind)self->init, self->init_value, area * nm_conv_group_in(&self->g),
                    area * nm_conv_group_out(&self->g)};
    const int dims[] = {self->kernel[0], self->kernel[1], nm_conv_group_in(&self->g), self->filters};
    NM_TRY(nm_declare(e, "weight", NM_WEIGHT, "HWIO", dims, init));
    if (self->bias)
        NM_TRY(nm_declare_bias(e, self->filters, init));
    return NM_OK;
}

static void conv_window(const void *private, nm_window *w)
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

static double conv_cost(const void *private, const nm_shape *xs, nm_shape ys)
{
    (void)xs;
    (void)ys;
    return nm_conv_direct_cost(&((const conv *)private)->g);
}

static const nm_fusion fusion = {
    .can_fuse = NM_ISA(nm_conv_can_fuse),
    .leaves_normalisation = NM_ISA(nm_conv_leaves_normalisation),
    .lazy_normalisation = NM_ISA(nm_conv_lazy_normalisation),
    .reads_lazy_normalisation = NM_ISA(nm_conv_reads_lazy_normalisation),
    .reads_and_writes_bf16 = NM_ISA(nm_conv_reads_and_writes_bf16),
};

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
    .infer = conv_infer,
    .plan = NM_ISA(nm_conv_plan),
    .forward = NM_ISA(nm_conv_forward),
    .backward = NM_ISA(nm_conv_backward),
    .window = conv_window,
    .cost = conv_cost,
    .describe = NM_ISA(nm_conv_describe),
    .fusion = &fusion,
    .algorithms = &NM_ISA(nm_conv_algorithm_choice),
};
