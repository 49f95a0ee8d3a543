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
 * and in eval mode dx = scale / sd * dy. What follows may be done in the same passes:
 * batchnorm_passes.h; masks and winners are recomputed from x in backward.
 *
 * With `ghost: k` a training batch is taken as batches of k samples, each with statistics of its
 * own (Hoffer et al. 2017); the last one takes what is left over too. The running statistics move
 * once a step, by the ghosts' average. In shards that holds for each shard. */
#include "batchnorm_passes.h"

#include <string.h>

typedef struct batchnorm {
    nm_batch_normalisation normalisation;
    int statistics; /* what evaluation uses, of statistics_names: training acts on it */
} batchnorm;

static const char *const statistics_names[] = {"running", "population", NULL};
static const nm_option options[] = {
    {"epsilon", NM_OPT_REAL, offsetof(batchnorm, normalisation.epsilon), "1e-5", 0, 1, .help = "added to the variance"},
    {"rate", NM_OPT_REAL, offsetof(batchnorm, normalisation.rate), "0.1", 0, 1,
     .help = "share of the batch in the running mean and variance (PyTorch's momentum)"},
    {"affine", NM_OPT_BOOL, offsetof(batchnorm, normalisation.affine), "true",
     .help = "learn a scale and a shift per channel"},
    {"statistics", NM_OPT_ENUM, offsetof(batchnorm, statistics), "running", .choices = statistics_names,
     .help = "what evaluation uses: running averages, or averages taken anew over training batches before it"},
    {"ghost", NM_OPT_INT, offsetof(batchnorm, normalisation.ghost), "0", 0, 1 << 20,
     .help = "take a training batch's statistics over so many samples at a time; 0: over the whole batch"},
    {0},
};

/* ---- passes ---------------------------------------------------------------------------- */

static int ghosts_of(const nm_batch_normalisation *self, int n)
{
    return self->ghost > 0 && n >= 2 * self->ghost ? n / self->ghost : 1;
}

/* A pass over some of a batch's samples; *view holds the shifted pointers. */
typedef struct view {
    const real *x;
    real *dx;
} view;

/* What of ghost number k lies among the samples of `p`; n is 0 where nothing does. */
static nm_pass ghost_pass(const nm_pass *p, const nm_batch_normalisation *self, int ghosts, int k, view *v)
{
    nm_pass part = *p;
    int from = p->n == p->batch ? 0 : (int)p->first_sample, to = from + p->n;
    int first = k * self->ghost, last = k + 1 < ghosts ? first + self->ghost : p->batch;
    first = first < from ? from : first;
    last = last > to ? to : last;
    size_t skipped = (size_t)(first - from) * nm_shape_size(p->ys);
    size_t skipped_out = p->tail->pools ? skipped / 4 : skipped;
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
    const nm_batch_normalisation *self = &((const batchnorm *)private)->normalisation;
    int ghosts = p->mode == NM_TRAIN ? ghosts_of(self, p->batch) : 1;
    double rate = nm_batchnorm_rate(p, self), share = rate / ghosts;
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

/* Runs `pass` on each ghost's part of the samples of `p`. */
static void each_ghost(const nm_pass *p, const nm_batch_normalisation *self, nm_batchnorm_pass *pass)
{
    int ghosts = p->mode == NM_TRAIN ? ghosts_of(self, p->batch) : 1;
    if (ghosts == 1) {
        pass(p, self);
        return;
    }
    for (int k = 0; k < ghosts; k++) {
        view v;
        nm_pass part = ghost_pass(p, self, ghosts, k, &v);
        if (part.n > 0)
            pass(&part, self);
    }
}

static void batchnorm_forward(const nm_pass *p, const void *self)
{
    each_ghost(p, &((const batchnorm *)self)->normalisation, NM_ISA(nm_batchnorm_forward_pass)(p->tail));
}

static void backward_pass(const nm_pass *p, const nm_batch_normalisation *self)
{
    NM_ISA(nm_batchnorm_find_gradients)(p, self);
    if (p->dx[0])
        NM_ISA(nm_batchnorm_gradient_pass)(p->tail)(p, self);
}

static void batchnorm_backward(const nm_pass *p, const void *self)
{
    each_ghost(p, &((const batchnorm *)self)->normalisation, backward_pass);
}

/* ---- shards ---------------------------------------------------------------------------- */

static int group(const void *self)
{
    return ((const batchnorm *)self)->normalisation.ghost;
}

static void find_statistics(const nm_pass *p, const void *private, double *sums)
{
    const nm_batch_normalisation *self = &((const batchnorm *)private)->normalisation;
    if (!self->ghost) {
        NM_ISA(nm_batchnorm_find_moments)(p, sums);
        return;
    }
    int ghosts = ghosts_of(self, p->n);
    memset(sums, 0, 2 * (size_t)p->xs->c * sizeof *sums);
    for (int k = 0; k < ghosts; k++) {
        view v;
        nm_pass part = ghost_pass(p, self, ghosts, k, &v);
        NM_ISA(nm_batchnorm_ghost_moments)(&part, self, sums);
    }
}

static void join_statistics(const nm_pass *p, const void *private, const nm_shard_sums *all)
{
    const nm_batch_normalisation *self = &((const batchnorm *)private)->normalisation;
    int ghosts = 0;
    for (int shard = 0; shard < all->shards && self->ghost; shard++)
        ghosts += all->samples[shard] > 0 ? ghosts_of(self, all->samples[shard]) : 0;
    if (self->ghost)
        NM_ISA(nm_batchnorm_join_ghosts)(p, self, all, ghosts, nm_batchnorm_rate(p, self));
    else
        NM_ISA(nm_batchnorm_join_moments)(p, self, all, nm_batchnorm_rate(p, self));
}

static void find_gradients(const nm_pass *p, const void *self, double *sums)
{
    const nm_batch_normalisation *by = &((const batchnorm *)self)->normalisation;
    memcpy(sums, NM_ISA(nm_batchnorm_sums_pass)(p->tail)(p, by), 2 * (size_t)p->xs->c * sizeof *sums);
}

static void join_gradients(const nm_pass *p, const void *self, const nm_shard_sums *all)
{
    NM_ISA(nm_batchnorm_join_gradients)(p, &((const batchnorm *)self)->normalisation, all);
}

static void input_gradient(const nm_pass *p, const void *self)
{
    NM_ISA(nm_batchnorm_gradient_pass)(p->tail)(p, &((const batchnorm *)self)->normalisation);
}

static const nm_batch_sums batchnorm_sums = {.per_channel = 2,
                                             .group = group,
                                             .find_statistics = find_statistics,
                                             .join_statistics = join_statistics,
                                             .find_gradients = find_gradients,
                                             .join_gradients = join_gradients,
                                             .input_gradient = input_gradient};

/* ---- planning -------------------------------------------------------------------------- */

static nm_status batchnorm_infer(nm_infer *e, void *private)
{
    nm_batch_normalisation *self = &((batchnorm *)private)->normalisation;
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

static nm_status batchnorm_plan(nm_reservation *b, const void *private, void *unused)
{
    (void)unused;
    const nm_batch_normalisation *self = &((const batchnorm *)private)->normalisation;
    if (b->mode == NM_TRAIN && (size_t)b->n * (size_t)b->ys.h * (size_t)b->ys.w < 2)
        return nm_fail(b->ctx, NM_INVALID,
                       "%s: training needs at least two values per channel, found 1 (a batch of one sample of 1x1); "
                       "use a larger batch",
                       b->who);
    if (self->ghost == 1 && b->mode == NM_TRAIN && b->ys.h * b->ys.w < 2)
        return nm_fail(b->ctx, NM_INVALID,
                       "%s: ghost batches of one sample of 1x1 have no variance; use a larger ghost", b->who);
    NM_ISA(nm_batchnorm_reserve_all)(b->tail, b->n, b->ys, &b->saved, &b->scratch, &b->thread_scratch);
    b->saved *= (size_t)ghosts_of(self, b->n);
    return NM_OK;
}

static bool batchnorm_can_fuse(const void *self, const nm_tail *tail, const nm_tail_request *request)
{
    (void)request;
    return !(tail->adds && ((const batchnorm *)self)->normalisation.ghost) && nm_batchnorm_can_fuse(tail);
}

static unsigned batchnorm_reads_and_writes_bf16(const void *self, const nm_tail *tail, const nm_tail_request *request)
{
    (void)request;
    unsigned all = NM_BF16_X | NM_BF16_Y | (tail->adds ? NM_BF16_OTHER : 0);
    return ((const batchnorm *)self)->normalisation.ghost ? 0 : all;
}

static const nm_fusion batchnorm_fusion = {.place = NM_TAIL_NORMALISATION,
                                           .normalisation_offset = offsetof(batchnorm, normalisation),
                                           .can_fuse = batchnorm_can_fuse,
                                           .reads_and_writes_bf16 = batchnorm_reads_and_writes_bf16};

extern const nm_layer_type NM_ISA(nm_layer_batchnorm);
const nm_layer_type NM_ISA(nm_layer_batchnorm) = {
    .name = "batchnorm",
    .help = "Normalises each channel by the batch's mean and deviation, then applies a learnt scale and shift",
    .size = sizeof(batchnorm),
    .options = options,
    .least_inputs = 1,
    .most_inputs = 1,
    .role = NM_ROLE_NORMALISATION,
    .memory = NM_INPLACE | NM_BACK_X,
    .infer = batchnorm_infer,
    .plan = batchnorm_plan,
    .batch_statistics = batchnorm_statistics,
    .batch_sums = &batchnorm_sums,
    .forward = batchnorm_forward,
    .backward = batchnorm_backward,
    .fusion = &batchnorm_fusion,
};
