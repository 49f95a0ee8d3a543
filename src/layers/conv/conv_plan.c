/* Planning the layer type conv: which algorithm does which pass, which layers after it are done
 * here too, memory. */
#include "conv_layer.h"

#include "batchnorm_passes.h"
#include "stem.h"

#include <math.h>
#include <stdio.h>

/* ---- algorithms and memory ------------------------------------------------------------------ */

static size_t rounded(size_t bytes)
{
    return (bytes + 63) / 64 * 64;
}

/* A thread's own scratch is reserved; returns what it takes of shared scratch. */
static size_t reserve(nm_reservation *b, const nm_conv_algorithm *by, const nm_conv_geometry *g, nm_conv_kind kind,
                      int n)
{
    size_t shared, thread;
    by->reserve(g, kind, n, &shared, &thread);
    b->thread_scratch = thread > b->thread_scratch ? thread : b->thread_scratch;
    return shared;
}

static void reserve_shared(nm_reservation *b, size_t end)
{
    b->scratch = end > b->scratch ? end : b->scratch;
}

/* Samples that go through backward's steps at once: few enough that a large batch takes little more
 * scratch, many enough for what each slice has by itself (the weights' transforms, sums of parts,
 * threads that wait for its last task). */
static int slice_of(const conv *self, const choice *c, const nm_tail *tail, int n)
{
    enum { BYTES = 80 << 20, FEWEST_PIXELS = 24576, MOST_WEIGHTS = 1 << 16, WHOLE = 16 };
    enum { BESIDE = 10 << 20, MOST_WEIGHTS_BESIDE = 1 << 20, LEAN_SLICES = 3 };
    const nm_conv_geometry *g = &self->g;
    const size_t weights = nm_conv_weight_count(g), out = nm_shape_size(g->out) * sizeof(real);
    const bool beside = c->bf16 && tail->pools; /* the gradient by the outputs has to lie in scratch */
    if (self->standardise || weights > (beside ? MOST_WEIGHTS_BESIDE : MOST_WEIGHTS))
        return n;
    if (weights > MOST_WEIGHTS) /* staged tiles are cut in about as many slices anyway, where `lean` */
        return nm_ceil_div(n, LEAN_SLICES);
    int slice = (int)(beside ? BESIDE / out : BYTES / (nm_shape_size(g->in) * sizeof(real) + out)) + 1,
        fewest = nm_ceil_div(FEWEST_PIXELS, g->out.h * g->out.w);
    slice = slice < fewest ? fewest : slice;
    slice = slice < WHOLE ? slice : slice / WHOLE * WHOLE;        /* tiles of such a number make whole blocks */
    return slice < n ? nm_ceil_div(n, nm_ceil_div(n, slice)) : n; /* even ones */
}

static nm_conv_wish wish_of(const conv *self, const nm_rules *rules)
{
    bool free = strcmp(self->algorithm, "auto") == 0 && rules->prefer;
    return (nm_conv_wish){free ? rules->prefer : self->algorithm, rules->exact, rules->mode == NM_EVAL};
}

/* weights: what the gradient by the weights takes of shared scratch. Both gradients are computed
 * together where that makes it little larger. */
static void reserve_data(nm_reservation *b, choice *c, const nm_conv_geometry *g, nm_conv_kind kind, size_t weights)
{
    enum { MOST_BESIDE = 4 << 20 };
    size_t taken = reserve(b, c->by[NM_CONV_DATA], g, kind, c->slice);
    c->together = taken <= MOST_BESIDE;
    c->data_offset = c->together ? rounded(weights) : 0;
    reserve_shared(b, c->data_offset + taken);
}

static void plan_data(nm_reservation *b, choice *c, size_t weights)
{
    nm_conv_geometry turn;
    c->turned = strcmp(c->wish.wanted, "reference") != 0 && NM_ISA(nm_conv_turn)(&c->g, &turn);
    if (!c->turned) {
        c->by[NM_CONV_DATA] = NM_ISA(nm_conv_choose)(&c->g, NM_CONV_DATA, NM_CONV_DATA, &c->wish);
        reserve_data(b, c, &c->g, NM_CONV_DATA, weights);
        return;
    }
    c->turn = turn;
    c->by[NM_CONV_DATA] = NM_ISA(nm_conv_choose)(&turn, NM_CONV_FORWARD, NM_CONV_DATA, &c->wish);
    reserve_data(b, c, &turn, NM_CONV_FORWARD, weights);
    c->turned_offset = rounded(b->scratch); /* behind what any pass takes */
    b->scratch = c->turned_offset + nm_conv_weight_count(&c->g) * sizeof(real);
}

static void plan_passes(nm_reservation *b, const conv *self, choice *c)
{
    c->by[NM_CONV_FORWARD] = NM_ISA(nm_conv_choose)(&c->g, NM_CONV_FORWARD, NM_CONV_FORWARD, &c->wish);
    reserve_shared(b, reserve(b, c->by[NM_CONV_FORWARD], &c->g, NM_CONV_FORWARD, b->n));
    if (!b->backward)
        return;
    c->slice = slice_of(self, c, b->tail, b->n);
    c->by[NM_CONV_WEIGHTS] = NM_ISA(nm_conv_choose)(&c->g, NM_CONV_WEIGHTS, NM_CONV_WEIGHTS, &c->wish);
    size_t weights = reserve(b, c->by[NM_CONV_WEIGHTS], &c->g, NM_CONV_WEIGHTS, c->slice);
    reserve_shared(b, weights);
    if (b->want_dx)
        plan_data(b, c, weights);
}

/* ---- what is done besides: core/plan/plan_fuse.c has the table ------------------------------ */

static const nm_conv_algorithm *forward_of(const conv *self, const nm_rules *rules)
{
    nm_conv_wish wish = wish_of(self, rules);
    return NM_ISA(nm_conv_choose)(&self->g, NM_CONV_FORWARD, NM_CONV_FORWARD, &wish);
}

/* Whether forward may be done by that algorithm. */
static bool may_use(const conv *self, const nm_rules *rules, const char *algorithm)
{
    char word[64];
    NM_ISA(nm_conv_wanted)(wish_of(self, rules).wanted, NM_CONV_FORWARD, word, sizeof word);
    return strcmp(word, "auto") == 0 || strcmp(word, algorithm) == 0;
}

/* Whether the batch norm in the tail is done by computing outputs again: stem.h. */
static bool is_stem(const conv *self, const nm_tail *tail, const nm_tail_request *request)
{
    return request->rules->mode == NM_TRAIN && tail->normalises && !request->want_dx && !self->standardise &&
           NM_ISA(nm_conv_stem_suits)(&self->g) && may_use(self, request->rules, "direct");
}

/* In evaluation a batch norm is a factor and a bias for each filter, applied with the sum, the relu
 * and the max pool as outputs are written. (Multiplied into the weights, large ones would be read
 * and written once more for each batch.) */
static bool can_fuse_in_evaluation(const conv *self, const nm_tail *tail, const nm_rules *rules)
{
    const nm_conv_algorithm *by = forward_of(self, rules);
    return (!tail->adds || by->adds) && (!tail->pools || (by->pools && nm_tail_pools_2x2(tail)));
}

bool NM_ISA(nm_conv_can_fuse)(const void *self, const nm_tail *tail, const nm_tail_request *request)
{
    if (request->rules->mode == NM_EVAL)
        return !request->backward && can_fuse_in_evaluation(self, tail, request->rules);
    return request->backward && tail->normalises && !tail->normalisation.ghost && nm_batchnorm_can_fuse(tail) &&
           !(tail->adds && is_stem(self, tail, request));
}

/* Outputs as they are before batch norm, which are kept for backward anyhow. */
bool NM_ISA(nm_conv_leaves_normalisation)(const void *self, const nm_tail *tail, const nm_tail_request *request)
{
    return tail->normalises && !tail->adds && !tail->pools && !is_stem(self, tail, request);
}

bool NM_ISA(nm_conv_reads_lazy_normalisation)(const void *private, const nm_rules *rules)
{
    const conv *self = private;
    const nm_conv_wish wish = wish_of(self, rules);
    for (int kind = NM_CONV_FORWARD; kind <= NM_CONV_WEIGHTS; kind++) {
        const nm_conv_algorithm *by = NM_ISA(nm_conv_choose)(&self->g, (nm_conv_kind)kind, (nm_conv_kind)kind, &wish);
        if (!by->reads_lazy_normalisation || !by->reads_lazy_normalisation(&self->g))
            return false;
    }
    return true;
}

/* ---- bfloat16 ------------------------------------------------------------------------------- */

/* Whether outputs are kept so for the batch norm in the tail. */
static bool keeps_bf16(const conv *self, const nm_tail *tail, const nm_rules *rules)
{
    return rules->bf16 && rules->mode == NM_TRAIN && tail->normalises && forward_of(self, rules)->narrows;
}

unsigned NM_ISA(nm_conv_reads_and_writes_bf16)(const void *private, const nm_tail *tail, const nm_tail_request *request)
{
    const conv *self = private;
    bool stem = is_stem(self, tail, request);
    unsigned reads = !stem && NM_ISA(nm_conv_reads_lazy_normalisation)(self, request->rules) ? NM_BF16_X : 0;
    bool writes = tail->normalises ? !stem || tail->pools : forward_of(self, request->rules)->narrows;
    return reads | (writes ? NM_BF16_Y : 0) | (tail->normalises && tail->adds ? NM_BF16_OTHER : 0);
}

/* ---- the plan ------------------------------------------------------------------------------- */

nm_status NM_ISA(nm_conv_plan)(nm_reservation *b, const void *private, void *chosen)
{
    const conv *self = private;
    choice *c = chosen;
    c->most = b->n;
    c->g = self->g;
    c->g.lean = b->rules->bf16;
    c->wish = wish_of(self, b->rules);
    c->stem = is_stem(self, b->tail, &(nm_tail_request){b->rules, b->backward, b->want_dx});
    if (c->stem) {
        c->by[NM_CONV_FORWARD] = c->by[NM_CONV_WEIGHTS] = &NM_ISA(nm_conv_direct);
        NM_ISA(nm_conv_stem_reserve)(&c->g, b->n, &b->saved, &b->scratch, &b->thread_scratch);
        return NM_OK;
    }
    c->bf16 = keeps_bf16(self, b->tail, b->rules);
    plan_passes(b, self, c);
    if (self->standardise) {
        c->standard_offset = rounded(b->scratch);
        b->scratch = c->standard_offset + 2 * nm_conv_weight_count(&c->g) * sizeof(real);
    }
    if (b->tail->normalises && b->mode == NM_TRAIN)
        NM_ISA(nm_conv_normed_reserve)(&c->g, c->by[NM_CONV_FORWARD], c->bf16, c->slice, b, &c->normed);
    else if (b->tail->normalises) {
        c->folded_offset = rounded(b->scratch);
        b->scratch = c->folded_offset + 2 * (size_t)self->filters * sizeof(real);
    }
    return NM_OK;
}

/* The weights, and outputs that fill up the last block. */
static double conv_overhead(const void *private, const nm_rules *rules, int n)
{
    const conv *self = private;
    const nm_conv_geometry *g = &self->g;
    const nm_conv_algorithm *by = forward_of(self, rules);
    double each = by->setup > 0 ? by->setup : NM_WEIGHT_TIME, pixels = (double)g->out.h * g->out.w;
    double last = by->block ? fmod(n * pixels, by->block) : 0, filled = last > 0 ? by->block - last : 0;
    return each * (double)nm_conv_weight_count(g) +
           filled / pixels * by->cost(g, NM_CONV_FORWARD, rules->mode == NM_EVAL, NM_ISA(nm_conv_costs_here)());
}

/* ---- what is reported ----------------------------------------------------------------------- */

void NM_ISA(nm_conv_describe)(const void *private, const void *chosen, char *text, size_t size)
{
    (void)private;
    const choice *c = chosen;
    snprintf(text, size, "forward %s%s%s%s%s", c->by[NM_CONV_FORWARD]->name, c->by[NM_CONV_WEIGHTS] ? ", weights " : "",
             c->by[NM_CONV_WEIGHTS] ? c->by[NM_CONV_WEIGHTS]->name : "", c->by[NM_CONV_DATA] ? ", data " : "",
             c->by[NM_CONV_DATA] ? c->by[NM_CONV_DATA]->name : "");
}

/* "forward/weights/data" */
static void chosen_names(const void *chosen, char *text, size_t size)
{
    const choice *c = chosen;
    *text = '\0';
    for (int kind = 0; kind < NM_CONV_KINDS; kind++)
        snprintf(text + strlen(text), size - strlen(text), "%s%s", kind ? "/" : "",
                 c->by[kind] ? c->by[kind]->name : "auto");
}

static void explain_choice(const void *private, const void *chosen, char *text, size_t size)
{
    static const char *const passes[] = {"forward: ", "weights: ", "data: "};
    const conv *self = private;
    const choice *c = chosen;
    *text = '\0';
    for (int kind = 0; kind < NM_CONV_KINDS; kind++) {
        if (!c->by[kind])
            continue;
        snprintf(text + strlen(text), size - strlen(text), "%s%s", *text ? "\n" : "", passes[kind]);
        bool turned = kind == NM_CONV_DATA && c->turned;
        NM_ISA(nm_conv_explain)
        (turned ? &c->turn : &self->g, turned ? NM_CONV_FORWARD : (nm_conv_kind)kind, c->by[kind], &c->wish, text,
         size);
    }
}

/* What two layers must have in common to be timed once. */
static bool choice_key(const void *private, char *text, size_t size)
{
    const conv *self = private;
    const nm_conv_geometry *g = &self->g;
    snprintf(text, size, "conv " NM_SHAPE_FMT " to " NM_SHAPE_FMT ", %dx%d by %dx%d, dilation %dx%d, groups %d",
             NM_SHAPE_ARGS(g->in), NM_SHAPE_ARGS(g->out), g->kernel[0], g->kernel[1], g->stride[0], g->stride[1],
             g->dilation[0], g->dilation[1], g->groups);
    return strcmp(self->algorithm, "auto") == 0;
}

const nm_algorithm_choice NM_ISA(nm_conv_algorithm_choice) = {
    .option = "algorithm",
    .names = NM_ISA(nm_conv_measured),
    .key = choice_key,
    .chosen = chosen_names,
    .explain = explain_choice,
    .overhead = conv_overhead,
};
