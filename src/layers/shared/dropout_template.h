/* Layers that zero a random share of their input while training: dropout (each number),
 * spatial_dropout (each channel of a sample), drop_path (each sample). What stays is scaled by 1 /
 * (1 - rate); in eval mode nothing happens. Draws follow from (seed, type and layer, step, sample,
 * position) alone. Forward saves one byte a draw. */
#ifndef NM_DROPOUT_H
#define NM_DROPOUT_H

#include "layer.h"

#include <string.h>

typedef struct nm_dropout {
    double rate;
} nm_dropout;

#define NM_DROPOUT_OPTIONS(what)                                                                                       \
    {                                                                                                                  \
        "rate", NM_OPT_REAL, offsetof(nm_dropout, rate), "0.5", 0, 0.999999,                                           \
            .help = "share of the " what " that is zeroed"                                                             \
    }

/* Draws in a sample, and how many numbers side by side go with one draw before the next begins
 * (they repeat). */
typedef struct nm_dropout_unit {
    size_t draws, run;
} nm_dropout_unit;

typedef struct nm_dropout_job {
    const nm_pass *p;
    double rate;
    nm_dropout_unit unit;
    nm_rng stream;
} nm_dropout_job;

static inline void nm_dropout_draw(const nm_dropout_job *j, int sample, uint8_t *keep)
{
    nm_rng r = j->stream;
    nm_rng_seek(&r, j->p->step, j->p->first_sample + (uint32_t)sample);
    double limit = j->rate * 4294967296.0;
    for (size_t i = 0; i < j->unit.draws; i += 4) {
        uint32_t bits[4];
        nm_rng_block_at(&r, (uint32_t)(i / 4), bits);
        for (size_t k = 0; k < 4 && i + k < j->unit.draws; k++)
            keep[i + k] = bits[k] >= limit;
    }
}

static inline void nm_dropout_apply(const nm_dropout_job *j, int sample, const real *from, real *to)
{
    const real scale = (real)(1 / (1 - j->rate));
    const uint8_t *keep = (const uint8_t *)j->p->saved + (size_t)sample * j->unit.draws;
    size_t count = nm_shape_size(j->p->ys), block = j->unit.draws * j->unit.run;
    for (size_t first = 0; first < count; first += block)
        for (size_t i = 0; i < j->unit.draws; i++) {
            if (j->unit.run == 1) {
                NM_INDEPENDENT
                for (size_t k = 0; k < block; k++)
                    to[first + k] = keep[k] ? from[first + k] * scale : 0;
                break;
            }
            const real factor = keep[i] ? scale : 0;
            NM_INDEPENDENT
            for (size_t k = first + i * j->unit.run; k < first + (i + 1) * j->unit.run; k++)
                to[k] = factor ? from[k] * factor : 0;
        }
}

static inline void nm_dropout_forward_task(void *arg, int task, int thread)
{
    (void)thread;
    const nm_dropout_job *j = arg;
    size_t count = nm_shape_size(j->p->ys), first = (size_t)task * count;
    if (j->p->mode == NM_EVAL) {
        if (j->p->y != j->p->x[0])
            memcpy(j->p->y + first, j->p->x[0] + first, count * sizeof(real));
        return;
    }
    nm_dropout_draw(j, task, (uint8_t *)j->p->saved + (size_t)task * j->unit.draws);
    nm_dropout_apply(j, task, j->p->x[0] + first, j->p->y + first);
}

static inline void nm_dropout_forward(const nm_pass *p, const void *self, const char *type, nm_dropout_unit unit)
{
    nm_dropout_job j = {p, ((const nm_dropout *)self)->rate, unit, nm_rng_stream(p->seed, type, p->name)};
    nm_parallel(p->threads, p->n, nm_dropout_forward_task, &j);
}

static inline void nm_dropout_backward_task(void *arg, int task, int thread)
{
    (void)thread;
    const nm_dropout_job *j = arg;
    size_t count = nm_shape_size(j->p->ys), first = (size_t)task * count;
    if (j->p->mode == NM_TRAIN)
        nm_dropout_apply(j, task, j->p->dy + first, j->p->dx[0] + first);
    else if (j->p->dx[0] != j->p->dy)
        memcpy(j->p->dx[0] + first, j->p->dy + first, count * sizeof(real));
}

static inline void nm_dropout_backward(const nm_pass *p, const void *self, nm_dropout_unit unit)
{
    nm_dropout_job j = {.p = p, .rate = ((const nm_dropout *)self)->rate, .unit = unit};
    nm_parallel(p->threads, p->n, nm_dropout_backward_task, &j);
}

/* The vtable of one of them: UNIT(shape) is its nm_dropout_unit. */
#define NM_DROPOUT_TYPE(word, sentence, what, UNIT)                                                                    \
    static const nm_option options[] = {NM_DROPOUT_OPTIONS(what), {0}};                                                \
    static nm_status word##_plan(nm_reservation *b, const void *self, void *chosen)                                    \
    {                                                                                                                  \
        (void)self;                                                                                                    \
        (void)chosen;                                                                                                  \
        if (b->mode == NM_TRAIN)                                                                                       \
            b->saved = (size_t)b->n * UNIT(b->ys).draws;                                                               \
        return NM_OK;                                                                                                  \
    }                                                                                                                  \
    static void word##_forward(const nm_pass *p, const void *self)                                                     \
    {                                                                                                                  \
        nm_dropout_forward(p, self, #word, UNIT(p->ys));                                                               \
    }                                                                                                                  \
    static void word##_backward(const nm_pass *p, const void *self)                                                    \
    {                                                                                                                  \
        nm_dropout_backward(p, self, UNIT(p->ys));                                                                     \
    }                                                                                                                  \
    extern const nm_layer_type NM_ISA(nm_layer_##word);                                                                \
    const nm_layer_type NM_ISA(nm_layer_##word) = {.name = #word,                                                      \
                                                   .help = sentence,                                                   \
                                                   .size = sizeof(nm_dropout),                                         \
                                                   .options = options,                                                 \
                                                   .least_inputs = 1,                                                  \
                                                   .most_inputs = 1,                                                   \
                                                   .memory = NM_INPLACE,                                               \
                                                   .keeps_probabilities = true,                                        \
                                                   .plan = word##_plan,                                                \
                                                   .forward = word##_forward,                                          \
                                                   .backward = word##_backward}

#endif
