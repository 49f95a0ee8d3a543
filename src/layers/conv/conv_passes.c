/* The passes of the layer type conv, alone or with what it does besides. Backward takes a few
 * samples at a time through all its steps: what one writes is in cache for the next. */
#include "conv_layer.h"

#include "batchnorm_passes.h"
#include "stem.h"

#include <math.h>
#include <string.h>

static real *standard_weights(const nm_pass *p)
{
    return (real *)((char *)p->scratch + ((const choice *)p->plan)->standard_offset);
}

static nm_conv_call call_of(const nm_pass *p, const conv *self)
{
    if (self->standardise)
        NM_ISA(nm_conv_standardise)(&self->g, p->w[0], standard_weights(p));
    return (nm_conv_call){.g = &((const choice *)p->plan)->g,
                          .n = p->n,
                          .threads = p->threads,
                          .most = ((const choice *)p->plan)->most,
                          .by_sample = p->mode == NM_EVAL,
                          .w = self->standardise ? standard_weights(p) : p->w[0],
                          .shared = p->scratch,
                          .thread_base = p->thread_scratch_base,
                          .thread_size = p->thread_scratch_size};
}

/* y = scale / sd * (w x + bias - mean) + shift, as a factor and a bias for each filter. */
static void fold(const nm_pass *p, nm_conv_call *call)
{
    const nm_batch_normalisation *norm = &p->tail->normalisation;
    real *const *of = p->tail->w;
    int channels = call->g->out.c;
    real *scale = (real *)((char *)p->scratch + ((const choice *)p->plan)->folded_offset), *bias = scale + channels;
    for (int o = 0; o < channels; o++) {
        double factor =
            (norm->affine ? (double)of[norm->scale][o] : 1) / sqrt((double)of[norm->running_var][o] + norm->epsilon);
        double own = call->bias ? (double)call->bias[o] : 0, shift = norm->affine ? (double)of[norm->shift][o] : 0;
        scale[o] = (real)factor;
        bias[o] = (real)(factor * (own - (double)of[norm->running_mean][o]) + shift);
    }
    call->scale = scale;
    call->bias = bias;
}

/* For training with batch norm. It takes away again what the bias adds to every value of a channel,
 * so that the outputs go without it: where the bias is large, they would lose the digits that the
 * variance lies in. */
static nm_conv_normed normed_of(const nm_pass *p, const conv *self)
{
    const choice *c = p->plan;
    nm_conv_normed s = {
        .call = call_of(p, self), .pass = *p, .norm = &p->tail->normalisation, .bf16 = c->bf16, .at = c->normed};
    s.call.x = nm_stored_of(p->x[0], p->bf16 & NM_BF16_X);
    s.call.lazy_normalisation = p->lazy_normalisation;
    s.call.dw = p->dw[0];
    s.call.db = self->bias ? p->dw[1] : NULL;
    s.pass.xs = &self->g.out;
    s.pass.ys = self->g.out;
    s.pass.w = p->tail->w;
    s.pass.dw = p->tail->dw;
    return s;
}

/* The running mean is that of the outputs with their bias. */
static void add_bias_to_running_mean(const nm_pass *p, const nm_conv_normed *s)
{
    real *mean = s->pass.w[s->norm->running_mean];
    double rate = nm_batchnorm_rate(p, s->norm);
    for (int c = 0; c < s->call.g->out.c; c++)
        mean[c] = (real)((double)mean[c] + rate * (double)p->w[1][c]);
}

static bool is_normed(const nm_pass *p)
{
    return p->tail->normalises && p->mode == NM_TRAIN;
}

void NM_ISA(nm_conv_forward)(const nm_pass *p, const void *private)
{
    const conv *self = private;
    const choice *c = p->plan;
    if (is_normed(p)) {
        nm_conv_normed s = normed_of(p, self);
        if (c->stem)
            NM_ISA(nm_conv_stem_forward)(&s);
        else
            NM_ISA(nm_conv_normed_forward)(&s, c->by[NM_CONV_FORWARD]);
        if (self->bias)
            add_bias_to_running_mean(p, &s);
        return;
    }
    nm_conv_call call = call_of(p, self);
    call.x = nm_stored_of(p->x[0], p->bf16 & NM_BF16_X);
    call.lazy_normalisation = p->lazy_normalisation;
    if (p->bf16 & NM_BF16_Y)
        call.y_bf16 = (nm_bf16 *)(void *)p->y;
    else
        call.y = p->y;
    call.bias = self->bias ? p->w[1] : NULL;
    if (p->tail->normalises)
        fold(p, &call);
    call.other = p->tail->adds ? p->tail->other : NULL;
    call.relu = p->tail->rectifies;
    call.pool = p->tail->pools;
    c->by[NM_CONV_FORWARD]->forward(&call);
}

void NM_ISA(nm_conv_lazy_normalisation)(const nm_pass *p, const void *private, nm_lazy_normalisation *out)
{
    const conv *self = private;
    const choice *c = p->plan;
    nm_conv_normed s = {.call = {.g = &c->g, .most = c->most}, .pass = *p, .bf16 = c->bf16};
    s.pass.ys = self->g.out;
    NM_ISA(nm_conv_normed_lazy_normalisation)(&s, out);
}

/* ---- backward -------------------------------------------------------------------------------- */

/* Gradients of weights and bias; with standardised weights, through the standardisation. `beside`:
 * the pass that is computed with them, or NULL. */
static void weights_pass(const nm_pass *p, const conv *self, nm_conv_call call, const nm_conv_pass *beside)
{
    size_t count = nm_conv_weight_count(&self->g);
    real *gradient = self->standardise ? standard_weights(p) + count : NULL;
    call.dw = p->dw[0];
    call.db = self->bias ? p->dw[1] : NULL;
    call.beside = beside;
    if (gradient && call.dw) {
        memset(gradient, 0, count * sizeof *gradient);
        call.dw = gradient;
    }
    ((const choice *)p->plan)->by[NM_CONV_WEIGHTS]->weights(&call);
    if (gradient && p->dw[0])
        NM_ISA(nm_conv_standardise_gradient)(&self->g, p->w[0], call.w, gradient, p->dw[0]);
}

/* The gradient by x; `turned`: the kernel turned round, or NULL. */
static nm_conv_pass data_pass(const nm_pass *p, nm_conv_call call, const real *turned)
{
    const choice *c = p->plan;
    call.shared = (char *)call.shared + c->data_offset;
    if (!turned)
        return (nm_conv_pass){c->by[NM_CONV_DATA]->data, call};
    call.stream = nm_vector_streams((size_t)(p->n * c->turn.out.h) * (size_t)c->turn.out.w, c->turn.out.c);
    call.g = &c->turn;
    call.lazy_normalisation = NULL;
    call.x = nm_stored_of(call.dy, false);
    call.w = turned;
    return (nm_conv_pass){c->by[NM_CONV_DATA]->forward, call};
}

/* Samples first to first + n, from dz, the gradient by their outputs. */
static void backward_slice(const nm_pass *p, const conv *self, nm_conv_call call, const real *dz, int first, int n,
                           const real *turned)
{
    size_t in = (size_t)first * nm_shape_size(self->g.in);
    call.n = n;
    call.most = ((const choice *)p->plan)->slice;
    call.dy = dz;
    call.x = nm_stored_from(nm_stored_of(p->x[0], p->bf16 & NM_BF16_X), in);
    call.lazy_normalisation = p->lazy_normalisation;
    bool wants_weights = p->dw[0] || (self->bias && p->dw[1]);
    bool together = wants_weights && p->dx[0] && ((const choice *)p->plan)->together;
    nm_conv_pass data = {0};
    if (p->dx[0]) {
        call.y = p->dx[0] + in;
        data = data_pass(p, call, turned);
    }
    if (wants_weights)
        weights_pass(p, self, call, together ? &data : NULL);
    if (p->dx[0] && !together)
        data.run(&data.call);
}

void NM_ISA(nm_conv_backward)(const nm_pass *p, const void *private)
{
    const conv *self = private;
    const choice *c = p->plan;
    nm_conv_normed s = is_normed(p) ? normed_of(p, self) : (nm_conv_normed){0};
    if (c->stem) {
        NM_ISA(nm_conv_stem_backward)(&s);
        return;
    }
    if (is_normed(p))
        NM_ISA(nm_conv_normed_sums)(&s);
    nm_conv_call call = call_of(p, self);
    real *turned = c->turned && p->dx[0] ? (real *)((char *)p->scratch + c->turned_offset) : NULL;
    if (turned)
        NM_ISA(nm_conv_turn_weights)(&self->g, p->threads, call.w, turned);
    for (int first = 0; first < p->n; first += c->slice) {
        int n = p->n - first < c->slice ? p->n - first : c->slice;
        const real *dz = is_normed(p) ? NM_ISA(nm_conv_normed_gradient)(&s, first, n)
                                      : p->dy + (size_t)first * nm_shape_size(self->g.out);
        backward_slice(p, self, call, dz, first, n, turned);
    }
}
