/* Planning the layer type conv: which algorithm does which pass, which layers after it are done
 * here too, memory. */
#include "conv_layer.h"

#include "pool.h"
#include "stem.h"

#include <math.h>
#include <stdio.h>

const char *const NM_ISA(nm_conv_names)[] = {
    "auto",         "depthwise", "direct",    "winograd_1d", "winograd_1d_5", "winograd_1d_7", "winograd_2x2",
    "winograd_4x4", "im2col",    "reference", NULL};

/* ---- algorithms and memory ----------------------------------------------------------------- */

static void book(nm_booking *b, const nm_conv_algorithm *by, const nm_conv_geometry *g, nm_conv_kind kind, int n)
{
    size_t shared, thread;
    by->book(g, kind, n, &shared, &thread);
    b->scratch = shared > b->scratch ? shared : b->scratch;
    b->thread_scratch = thread > b->thread_scratch ? thread : b->thread_scratch;
}

static size_t rounded(size_t bytes)
{
    return (bytes + 63) / 64 * 64;
}

/* Samples that go through backward's steps at once: few enough that their values stay in cache from
 * one to the next, many enough for the work that each slice has by itself (the weights' transforms,
 * sums of parts). */
static int slice_of(const conv *self, int n)
{
    enum { BYTES = 20 << 20, FEWEST_PIXELS = 24576, MOST_WEIGHTS = 1 << 16 };
    const nm_conv_geometry *g = &self->g;
    if (self->standardise || nm_conv_weight_count(g) > MOST_WEIGHTS)
        return n;
    size_t bytes = (nm_shape_size(g->in) + nm_shape_size(g->out)) * sizeof(real);
    int slice = (int)(BYTES / bytes) + 1, fewest = nm_pieces(FEWEST_PIXELS, g->out.h * g->out.w);
    slice = slice < fewest ? fewest : slice;
    return slice < n ? nm_pieces(n, nm_pieces(n, slice)) : n; /* even ones */
}

static nm_conv_wish wish_of(const conv *self, const nm_rules *rules)
{
    bool free = strcmp(self->algorithm, "auto") == 0 && rules->prefer;
    return (nm_conv_wish){free ? rules->prefer : self->algorithm, rules->exact};
}

static void plan_data(nm_booking *b, const conv *self, choice *c)
{
    nm_conv_geometry turn;
    c->turned = strcmp(c->wish.wanted, "reference") != 0 && NM_ISA(nm_conv_turn)(&self->g, &turn);
    if (!c->turned) {
        c->by[NM_CONV_DATA] = NM_ISA(nm_conv_choose)(&self->g, NM_CONV_DATA, NM_CONV_DATA, &c->wish);
        book(b, c->by[NM_CONV_DATA], &self->g, NM_CONV_DATA, c->slice);
        return;
    }
    c->turn = turn;
    c->by[NM_CONV_DATA] = NM_ISA(nm_conv_choose)(&turn, NM_CONV_FORWARD, NM_CONV_DATA, &c->wish);
    book(b, c->by[NM_CONV_DATA], &turn, NM_CONV_FORWARD, c->slice);
    c->turned_offset = rounded(b->scratch); /* behind what any pass takes */
    b->scratch = c->turned_offset + nm_conv_weight_count(&self->g) * sizeof(real);
}

static void plan_passes(nm_booking *b, const conv *self, choice *c)
{
    c->by[NM_CONV_FORWARD] = NM_ISA(nm_conv_choose)(&self->g, NM_CONV_FORWARD, NM_CONV_FORWARD, &c->wish);
    book(b, c->by[NM_CONV_FORWARD], &self->g, NM_CONV_FORWARD, b->n);
    if (!b->backward)
        return;
    c->slice = slice_of(self, b->n);
    c->by[NM_CONV_WEIGHTS] = NM_ISA(nm_conv_choose)(&self->g, NM_CONV_WEIGHTS, NM_CONV_WEIGHTS, &c->wish);
    book(b, c->by[NM_CONV_WEIGHTS], &self->g, NM_CONV_WEIGHTS, c->slice);
    if (b->want_dx)
        plan_data(b, self, c);
}

nm_status NM_ISA(nm_conv_plan)(nm_booking *b, const void *private, void *chosen)
{
    const conv *self = private;
    choice *c = chosen;
    c->most = b->n;
    c->wish = wish_of(self, b->rules);
    if (c->stem) {
        c->by[NM_CONV_FORWARD] = c->by[NM_CONV_WEIGHTS] = &NM_ISA(nm_conv_direct);
        NM_ISA(nm_conv_stem_book)(&self->g, b->n, &b->saved, &b->scratch, &b->thread_scratch);
        return NM_OK;
    }
    plan_passes(b, self, c);
    if (self->standardise) {
        c->standard_offset = rounded(b->scratch);
        b->scratch = c->standard_offset + 2 * nm_conv_weight_count(&self->g) * sizeof(real);
    }
    if (c->norm && b->mode == NM_TRAIN)
        NM_ISA(nm_conv_normed_book)
    (&self->g, c->by[NM_CONV_FORWARD], &c->after, b->n, &b->saved, &b->scratch, &b->thread_scratch, &c->norm_offset);
    else if (c->norm)
    {
        c->folded_offset = rounded(b->scratch);
        b->scratch = c->folded_offset + 2 * (size_t)self->filters * sizeof(real);
    }
    return NM_OK;
}

static const nm_conv_algorithm *forward_of(const conv *self, const nm_rules *rules)
{
    nm_conv_wish wish = wish_of(self, rules);
    return NM_ISA(nm_conv_choose)(&self->g, NM_CONV_FORWARD, NM_CONV_FORWARD, &wish);
}

/* The weights, and outputs that fill up the last block. */
double NM_ISA(nm_conv_overhead)(const void *private, const nm_rules *rules, int n)
{
    const conv *self = private;
    const nm_conv_geometry *g = &self->g;
    const nm_conv_algorithm *by = forward_of(self, rules);
    double each = by->setup > 0 ? by->setup : NM_WEIGHT_TIME, pixels = (double)g->out.h * g->out.w;
    double last = by->block ? fmod(n * pixels, by->block) : 0, filled = last > 0 ? by->block - last : 0;
    return each * (double)nm_conv_weight_count(g) + filled / pixels * by->cost(g, NM_CONV_FORWARD);
}

/* Whether forward may be done by that algorithm. */
static bool may_take(const conv *self, const nm_rules *rules, const char *algorithm)
{
    char word[64];
    NM_ISA(nm_conv_wanted)(wish_of(self, rules).wanted, NM_CONV_FORWARD, word, sizeof word);
    return strcmp(word, "auto") == 0 || strcmp(word, algorithm) == 0;
}

/* In training: batch norm first, then what that takes. */
static bool fuse_in_training(const conv *self, choice *c, const nm_offer *offer, unsigned *memory)
{
    const nm_batchnorm plain = {.ghost = 0}, *norm = offer->self;
    if (c->norm)
        return !(c->stem && strcmp(offer->next->name, "add") == 0) &&
               NM_ISA(nm_batchnorm_take)(&plain, &c->after, offer, memory);
    c->norm = strcmp(offer->next->name, "batchnorm") == 0 && norm->ghost == 0;
    c->stem = c->norm && !offer->rules->want_dx && !self->standardise && NM_ISA(nm_conv_stem_takes)(&self->g) &&
              may_take(self, offer->rules, "direct");
    return c->norm;
}

/* In evaluation a batch norm is a factor and a bias for each filter, applied with the sum, the relu
 * and a max pool of 2x2 as outputs are written. (Multiplied into the weights, large ones would be
 * read and written once more for each batch.) */
static bool fuse_in_evaluation(const conv *self, choice *c, const nm_offer *offer)
{
    const char *next = offer->next->name;
    nm_batchnorm_after *after = &c->after;
    if (after->pool)
        return false;
    if (strcmp(next, "maxpool") == 0)
        return after->pool = nm_pool_is_plain(offer->self) && forward_of(self, offer->rules)->pools;
    if (after->relu)
        return false;
    if (strcmp(next, "relu") == 0)
        return after->relu = true;
    if (after->add)
        return false;
    if (strcmp(next, "add") == 0)
        return after->add = offer->inputs == 2 && forward_of(self, offer->rules)->adds;
    return !c->norm && strcmp(next, "batchnorm") == 0 && (c->norm = true);
}

bool NM_ISA(nm_conv_fuse)(const void *self, void *chosen, const nm_offer *offer, unsigned *memory)
{
    if (offer->rules->mode == NM_TRAIN)
        return offer->backward && fuse_in_training(self, chosen, offer, memory);
    return !offer->backward && fuse_in_evaluation(self, chosen, offer);
}

/* Outputs as they are before batch norm, which are kept for backward anyhow. */
bool NM_ISA(nm_conv_leaves_normalisation)(const void *private, const void *chosen)
{
    (void)private;
    const choice *c = chosen;
    return c->norm && !c->stem && !c->after.add && !c->after.pool;
}

bool NM_ISA(nm_conv_reads_lazy_normalisation)(const void *private, const void *chosen, const nm_rules *rules)
{
    const conv *self = private;
    const nm_conv_wish wish = wish_of(self, rules);
    for (int kind = NM_CONV_FORWARD; kind <= NM_CONV_WEIGHTS; kind++) {
        const nm_conv_algorithm *by = NM_ISA(nm_conv_choose)(&self->g, (nm_conv_kind)kind, (nm_conv_kind)kind, &wish);
        if (!by->reads_lazy_normalisation || !by->reads_lazy_normalisation(&self->g))
            return false;
    }
    return !((const choice *)chosen)->stem;
}

/* ---- what is told -------------------------------------------------------------------------- */

void NM_ISA(nm_conv_describe)(const void *private, const void *chosen, char *text, size_t size)
{
    (void)private;
    const choice *c = chosen;
    snprintf(text, size, "forward %s%s%s%s%s%s%s%s%s", c->by[NM_CONV_FORWARD]->name,
             c->by[NM_CONV_WEIGHTS] ? ", weights " : "", c->by[NM_CONV_WEIGHTS] ? c->by[NM_CONV_WEIGHTS]->name : "",
             c->by[NM_CONV_DATA] ? ", data " : "", c->by[NM_CONV_DATA] ? c->by[NM_CONV_DATA]->name : "",
             c->norm ? ", with batchnorm" : "", c->after.add ? ", with add" : "", c->after.relu ? ", with relu" : "",
             c->after.pool ? ", with maxpool" : "");
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

void NM_ISA(nm_conv_explain_choice)(const void *private, const void *chosen, char *text, size_t size)
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
static bool tuning_key(const void *private, char *text, size_t size)
{
    const conv *self = private;
    const nm_conv_geometry *g = &self->g;
    snprintf(text, size, "conv " NM_SHAPE_FMT " to " NM_SHAPE_FMT ", %dx%d by %dx%d, dilation %dx%d, groups %d",
             NM_SHAPE_ARGS(g->in), NM_SHAPE_ARGS(g->out), g->kernel[0], g->kernel[1], g->stride[0], g->stride[1],
             g->dilation[0], g->dilation[1], g->groups);
    return strcmp(self->algorithm, "auto") == 0;
}

const nm_tuning NM_ISA(nm_conv_tuning) = {
    .option = "algorithm", .names = NM_ISA(nm_conv_names) + 1, .key = tuning_key, .chosen = chosen_names};
