/* In train mode each number is zeroed with probability `rate`, and what stays is scaled by 1 / (1 - rate)
 * (Srivastava et al. 2014, inverted); in eval mode nothing happens. Draws follow from (seed, layer, step, sample,
 * position) alone. Forward saves one byte a number. */
#include "layer.h"

#include <string.h>

typedef struct dropout {
    double rate;
} dropout;

static const nm_option options[] = {
    {"rate", NM_OPT_REAL, offsetof(dropout, rate), "0.5", 0, 0.999999, .help = "share of the numbers that is zeroed"},
    {0},
};

static nm_status plan(nm_booking *b, const void *self, void *chosen)
{
    (void)self;
    (void)chosen;
    if (b->mode == NM_TRAIN)
        b->saved = (size_t)b->n * nm_shape_size(b->ys);
    return NM_OK;
}

typedef struct job {
    const nm_pass *p;
    const dropout *self;
    nm_rng stream;
} job;

static void draw(const job *j, int sample, uint8_t *keep, size_t count)
{
    nm_rng r = j->stream;
    nm_rng_seek(&r, j->p->step, j->p->first_sample + (uint32_t)sample);
    double limit = j->self->rate * 4294967296.0;
    for (size_t i = 0; i < count; i += 4) {
        uint32_t bits[4];
        nm_rng_block_at(&r, (uint32_t)(i / 4), bits);
        for (size_t k = 0; k < 4 && i + k < count; k++)
            keep[i + k] = bits[k] >= limit;
    }
}

static void apply(const job *j, const uint8_t *keep, const real *from, real *to, size_t count)
{
    const real scale = (real)(1 / (1 - j->self->rate));
    NM_INDEPENDENT
    for (size_t i = 0; i < count; i++)
        to[i] = keep[i] ? from[i] * scale : 0;
}

static void forward_task(void *arg, int task, int thread)
{
    (void)thread;
    const job *j = arg;
    size_t count = nm_shape_size(j->p->ys), first = (size_t)task * count;
    if (j->p->mode == NM_EVAL) {
        if (j->p->y != j->p->x[0])
            memcpy(j->p->y + first, j->p->x[0] + first, count * sizeof(real));
        return;
    }
    uint8_t *keep = (uint8_t *)j->p->saved + first;
    draw(j, task, keep, count);
    apply(j, keep, j->p->x[0] + first, j->p->y + first, count);
}

static void forward(const nm_pass *p, const void *self)
{
    job j = {p, self, nm_rng_stream(p->seed, "dropout", p->name)};
    nm_parallel(p->threads, p->n, forward_task, &j);
}

static void backward_task(void *arg, int task, int thread)
{
    (void)thread;
    const job *j = arg;
    size_t count = nm_shape_size(j->p->ys), first = (size_t)task * count;
    if (j->p->mode == NM_TRAIN)
        apply(j, (const uint8_t *)j->p->saved + first, j->p->dy + first, j->p->dx[0] + first, count);
    else if (j->p->dx[0] != j->p->dy)
        memcpy(j->p->dx[0] + first, j->p->dy + first, count * sizeof(real));
}

static void backward(const nm_pass *p, const void *self)
{
    job j = {.p = p, .self = self};
    nm_parallel(p->threads, p->n, backward_task, &j);
}

extern const nm_layer_type NM_ISA(nm_layer_dropout);
const nm_layer_type NM_ISA(nm_layer_dropout) = {
    .name = "dropout",
    .help = "Zeroes a random share of the numbers while training",
    .size = sizeof(dropout),
    .options = options,
    .least_inputs = 1,
    .most_inputs = 1,
    .memory = NM_INPLACE,
    .plan = plan,
    .forward = forward,
    .backward = backward,
};
