/* Batch normalisation (Ioffe, Szegedy 2015), per channel over N, H and W:
 *
 *     y = scale * (x - mean) / sqrt(var + epsilon) + shift
 *
 * In train mode mean and var are the batch's (var biased), and
 *     running_mean = (1 - rate) * running_mean + rate * mean
 *     running_var  = (1 - rate) * running_var  + rate * var * m / (m - 1),  m = N * H * W;
 * in eval mode they are the running ones. Backward reads x and the mean and deviation that forward
 * saved:
 *
 *     dshift = sum dy,  dscale = sum dy * xhat,  dx = scale / sd * (dy - (dshift + xhat * dscale) /
 * m)
 *
 * and in eval mode dx = scale / sd * dy. A relu that follows is done in the same passes, and a max
 * pool of 2x2 after it: mask and winners are computed again from x in backward.
 *
 * With `ghost: k` a training batch is taken as batches of k samples, each with statistics of its
 * own (Hoffer et al. 2017); the last one takes what is left over too. The running statistics move
 * once a step, by the ghosts' average. */
#include "batchnorm.h"

#include "pool.h"

#include <stdio.h>
#include <string.h>

static const char *const statistics_names[] = {"running", "population", NULL};
static const nm_option options[] = {
    {"epsilon", NM_OPT_REAL, offsetof(nm_batchnorm, epsilon), "1e-5", 0, 1, .help = "added to the variance"},
    {"rate", NM_OPT_REAL, offsetof(nm_batchnorm, rate), "0.1", 0, 1,
     .help = "share of the batch in the running mean and variance (PyTorch's momentum)"},
    {"affine", NM_OPT_BOOL, offsetof(nm_batchnorm, affine), "true", .help = "learn a scale and a shift per channel"},
    {"statistics", NM_OPT_ENUM, offsetof(nm_batchnorm, statistics), "running", .choices = statistics_names,
     .help = "what evaluation uses: running averages, or averages taken anew over training batches before it"},
    {"ghost", NM_OPT_INT, offsetof(nm_batchnorm, ghost), "0", 0, 1 << 20,
     .help = "take a training batch's statistics over so many samples at a time; 0: over the whole batch"},
    {0},
};

/* Per plan. */
typedef struct choice {
    nm_batchnorm_after after; /* done here too */
} choice;

/* ---- passes ---------------------------------------------------------------------------- */

static int ghosts_of(const nm_batchnorm *self, int n)
{
    return self->ghost > 0 && n >= 2 * self->ghost ? n / self->ghost : 1;
}

/* A pass over some of a batch's samples; *view holds the shifted pointers. */
typedef struct view {
    const real *x;
    real *dx;
} view;

/* What of ghost number k lies among the samples of `p`; n is 0 where nothing does. */
static nm_pass ghost_pass(const nm_pass *p, const nm_batchnorm *self, int ghosts, int k, view *v)
{
    nm_pass part = *p;
    int from = (int)p->first_sample, to = from + p->n;
    int first = k * self->ghost, last = k + 1 < ghosts ? first + self->ghost : p->batch;
    first = first < from ? from : first;
    last = last > to ? to : last;
    size_t skipped = (size_t)(first - from) * nm_shape_size(p->ys);
    size_t skipped_out = ((const choice *)p->plan)->after.pool ? skipped / 4 : skipped;
    part.n = last > first ? last - first : 0;
    v->x = p->x && p->x[0] ? p->x[0] + skipped : NULL;
    v->dx = p->dx && p->dx[0] ? p->dx[0] + skipped : NULL;
    part.x = &v->x;
    part.dx = &v->dx;
    part.y = p->y ? p->y + skipped_out : NULL;
    part.dy = p->dy ? p->dy + skipped_out : NULL;
    part.saved = (real *)p->saved + (size_t)k * NM_BATCHNORM_SAVED * (size_t)p->ys.c;
    return part;
}

static void batchnorm_statistics(const nm_pass *p, const void *private)
{
    const nm_batchnorm *self = private;
    int ghosts = p->mode == NM_TRAIN ? ghosts_of(self, p->batch) : 1;
    double rate = p->statistics_rate > 0 ? p->statistics_rate : self->rate, share = rate / ghosts;
    if (ghosts == 1) {
        NM_ISA(nm_batchnorm_statistics)(p, self, rate);
        return;
    }
    for (int k = 0; k < ghosts; k++) {
        view v;
        nm_pass part = ghost_pass(p, self, ghosts, k, &v);
        /* such that in the end each ghost has the weight rate / ghosts */
        NM_ISA(nm_batchnorm_statistics)(&part, self, share / (1 - share * (ghosts - 1 - k)));
    }
}

nm_batchnorm_pass *NM_ISA(nm_batchnorm_forward_pass)(const nm_batchnorm_after *after)
{
    return after->pool  ? NM_ISA(nm_batchnorm_pool_forward)
           : after->add ? NM_ISA(nm_batchnorm_add_forward)
                        : NM_ISA(nm_batchnorm_normalise);
}

nm_batchnorm_pass *NM_ISA(nm_batchnorm_sums_pass)(const nm_batchnorm_after *after)
{
    return after->pool  ? NM_ISA(nm_batchnorm_pool_sums)
           : after->add ? NM_ISA(nm_batchnorm_add_sums)
                        : NM_ISA(nm_batchnorm_sums);
}

nm_batchnorm_pass *NM_ISA(nm_batchnorm_gradient_pass)(const nm_batchnorm_after *after)
{
    return after->pool  ? NM_ISA(nm_batchnorm_pool_gradient)
           : after->add ? NM_ISA(nm_batchnorm_add_gradient)
                        : NM_ISA(nm_batchnorm_gradient);
}

static void backward_pass(const nm_pass *p, const nm_batchnorm *self, const nm_batchnorm_after *after)
{
    NM_ISA(nm_batchnorm_sums_pass)(after)(p, self, after);
    if (p->dx[0])
        NM_ISA(nm_batchnorm_gradient_pass)(after)(p, self, after);
}

/* Runs `pass` on each ghost's part of the samples of `p`. */
static void each_ghost(const nm_pass *p, const nm_batchnorm *self, nm_batchnorm_pass *pass)
{
    const nm_batchnorm_after *after = &((const choice *)p->plan)->after;
    int ghosts = p->mode == NM_TRAIN ? ghosts_of(self, p->batch) : 1;
    if (ghosts == 1) {
        pass(p, self, after);
        return;
    }
    for (int k = 0; k < ghosts; k++) {
        view v;
        nm_pass part = ghost_pass(p, self, ghosts, k, &v);
        if (part.n > 0)
            pass(&part, self, after);
    }
}

static void forward(const nm_pass *p, const void *self)
{
    each_ghost(p, self, NM_ISA(nm_batchnorm_forward_pass)(&((const choice *)p->plan)->after));
}

static void backward(const nm_pass *p, const void *self)
{
    each_ghost(p, self, backward_pass);
}

/* ---- planning -------------------------------------------------------------------------- */

static nm_status infer(nm_infer *e, void *private)
{
    nm_batchnorm *self = private;
    const int dims[] = {e->in[0].c};
    const nm_init one = {.kind = NM_INIT_CONSTANT, .value = 1}, zero = {.kind = NM_INIT_CONSTANT};
    int next = 0;
    if (self->affine) {
        self->scale = next++;
        self->shift = next++;
        NM_TRY(nm_declare(e, "scale", NM_BIAS, "C", dims, one));
        NM_TRY(nm_declare(e, "shift", NM_BIAS, "C", dims, zero));
    }
    self->running_mean = next++;
    self->running_var = next++;
    NM_TRY(nm_declare(e, "running_mean", NM_STATE, "C", dims, zero));
    return nm_declare(e, "running_var", NM_STATE, "C", dims, one);
}

void NM_ISA(nm_batchnorm_book_all)(const nm_batchnorm_after *after, int n, nm_shape s, size_t *saved, size_t *scratch,
                                   size_t *thread_scratch)
{
    NM_ISA(nm_batchnorm_book)(n, s, saved, scratch, thread_scratch);
    if (after->add)
        NM_ISA(nm_batchnorm_add_book)(n, s, thread_scratch);
    if (after->pool)
        NM_ISA(nm_batchnorm_pool_book)(n, s, scratch, thread_scratch);
}

static nm_status plan(nm_booking *b, const void *private, void *chosen)
{
    const nm_batchnorm *self = private;
    if (b->mode == NM_TRAIN && (size_t)b->n * (size_t)b->ys.h * (size_t)b->ys.w < 2)
        return nm_fail(b->ctx, NM_INVALID,
                       "%s: training needs at least two values per channel, found 1 (a batch of one sample of 1x1); "
                       "use a larger batch",
                       b->who);
    if (self->ghost == 1 && b->mode == NM_TRAIN && b->ys.h * b->ys.w < 2)
        return nm_fail(b->ctx, NM_INVALID,
                       "%s: ghost batches of one sample of 1x1 have no variance; use a larger ghost", b->who);
    NM_ISA(nm_batchnorm_book_all)
    (&((const choice *)chosen)->after, b->n, b->ys, &b->saved, &b->scratch, &b->thread_scratch);
    b->saved *= (size_t)ghosts_of(self, b->n);
    return NM_OK;
}

bool NM_ISA(nm_batchnorm_take)(const nm_batchnorm *self, nm_batchnorm_after *after, const nm_offer *offer,
                               unsigned *memory)
{
    const char *next = offer->next->name;
    if (after->pool)
        return false;
    if (!after->relu && strcmp(next, "relu") == 0) {
        *memory |= after->add ? NM_BACK_Y : 0; /* x does not tell where the sum was above zero */
        return after->relu = true;
    }
    if (!after->relu && !after->add && strcmp(next, "add") == 0)
        return after->add = offer->inputs == 2 && self->ghost == 0;
    if (after->add || strcmp(next, "maxpool") != 0)
        return false;
    const nm_pool *pool = offer->self;
    after->pool = nm_pool_is_plain(pool) && pool->in.h % 2 == 0 && pool->in.w % 2 == 0;
    *memory &= after->pool ? ~(unsigned)NM_INPLACE : ~0u;
    return after->pool;
}

static bool fuse(const void *self, void *chosen, const nm_offer *offer, unsigned *memory)
{
    return NM_ISA(nm_batchnorm_take)(self, &((choice *)chosen)->after, offer, memory);
}

static void describe(const void *self, const void *chosen, char *text, size_t size)
{
    (void)self;
    const nm_batchnorm_after *a = &((const choice *)chosen)->after;
    const char *with[] = {a->add ? "add" : NULL, a->relu ? "relu" : NULL, a->pool ? "maxpool" : NULL};
    *text = '\0';
    for (int k = 0; k < 3; k++)
        if (with[k])
            snprintf(text + strlen(text), size - strlen(text), "%s%s", *text ? " and " : "with ", with[k]);
}

extern const nm_layer_type NM_ISA(nm_layer_batchnorm);
const nm_layer_type NM_ISA(nm_layer_batchnorm) = {
    .name = "batchnorm",
    .help = "Normalises each channel by the batch's mean and deviation, then applies a learnt scale and shift",
    .size = sizeof(nm_batchnorm),
    .plan_size = sizeof(choice),
    .options = options,
    .least_inputs = 1,
    .most_inputs = 1,
    .role = NM_ROLE_NORMALISATION,
    .memory = NM_INPLACE | NM_BACK_X,
    .infer = infer,
    .plan = plan,
    .fuse = fuse,
    .batch_statistics = batchnorm_statistics,
    .forward = forward,
    .backward = backward,
    .describe = describe,
};
