/* Pointwise activations: y[i] = f(x[i]). A type gives two loops over a span; here they are cut into
 * tasks.
 *
 *     static void positive(const void *self, const real *x, real *y, size_t count) {...}
 *     static void positive_gradient(const void *self, const real *x, const real *y, const real *dy,
 * real *dx, size_t count) {...} NM_RECTIFIER_TYPE(relu, positive, "y = max(x, 0)", 0, NULL,
 * NM_INPLACE | NM_BACK_Y)
 *
 * y may be x and dx may be dy: the loops carry NM_INDEPENDENT, which tells the compiler that no
 * element depends on another. */
#ifndef NM_POINTWISE_H
#define NM_POINTWISE_H

#include "layer.h"

typedef void nm_pointwise(const void *self, const real *x, real *y, size_t count);
typedef void nm_pointwise_gradient(const void *self, const real *x, const real *y, const real *dy, real *dx,
                                   size_t count);

enum { NM_POINTWISE_CHUNK = 8192 }; /* elements a task: 32 KB of float */

typedef struct nm_pointwise_work {
    const void *self;
    nm_pointwise *forward;
    nm_pointwise_gradient *gradient;
    const real *x, *y_read, *dy;
    real *y, *dx;
    size_t count;
} nm_pointwise_work;

static inline void nm_pointwise_task(void *arg, int task, int thread)
{
    (void)thread;
    const nm_pointwise_work *work = arg;
    size_t first = (size_t)task * NM_POINTWISE_CHUNK, left = work->count - first;
    size_t count = left < NM_POINTWISE_CHUNK ? left : NM_POINTWISE_CHUNK;
    if (work->forward)
        work->forward(work->self, work->x + first, work->y + first, count);
    else
        work->gradient(work->self, work->x ? work->x + first : NULL, work->y_read ? work->y_read + first : NULL,
                       work->dy + first, work->dx + first, count);
}

static inline void nm_pointwise_run(const nm_pass *p, nm_pointwise_work work)
{
    work.count = (size_t)p->n * nm_shape_size(p->ys);
    size_t tasks = (work.count + NM_POINTWISE_CHUNK - 1) / NM_POINTWISE_CHUNK;
    nm_parallel(p->threads, (int)tasks, nm_pointwise_task, &work);
}

static inline void nm_pointwise_forward(const nm_pass *p, const void *self, nm_pointwise *f)
{
    nm_pointwise_run(p, (nm_pointwise_work){.self = self, .forward = f, .x = p->x[0], .y = p->y});
}

static inline void nm_pointwise_backward(const nm_pass *p, const void *self, unsigned memory, nm_pointwise_gradient *f)
{
    nm_pointwise_run(p, (nm_pointwise_work){.self = self,
                                            .gradient = f,
                                            .x = memory & NM_BACK_X ? p->x[0] : NULL,
                                            .y_read = memory & NM_BACK_Y ? p->y : NULL,
                                            .dy = p->dy,
                                            .dx = p->dx[0]});
}

/* The vtable of a pointwise type; of one that is a relu's like; of one with further fields of the
 * vtable at the end. `options_size` is the size of its private struct, 0 for none; in-place needs
 * NM_BACK_Y or neither flag. */
#define NM_POINTWISE_TYPE(...) NM_POINTWISE_TYPE_WITH(__VA_ARGS__, .role = NM_ROLE_OTHER)
#define NM_RECTIFIER_TYPE(...) NM_POINTWISE_TYPE_WITH(__VA_ARGS__, .role = NM_ROLE_RECTIFIER)
#define NM_POINTWISE_TYPE_WITH(word, loop, sentence, options_size, option_table, flags, ...)                           \
    static void word##_forward_pass(const nm_pass *p, const void *self)                                                \
    {                                                                                                                  \
        nm_pointwise_forward(p, self, loop);                                                                           \
    }                                                                                                                  \
    static void word##_backward_pass(const nm_pass *p, const void *self)                                               \
    {                                                                                                                  \
        nm_pointwise_backward(p, self, flags, loop##_gradient);                                                        \
    }                                                                                                                  \
    extern const nm_layer_type NM_ISA(nm_layer_##word);                                                                \
    const nm_layer_type NM_ISA(nm_layer_##word) = {.name = #word,                                                      \
                                                   .help = sentence,                                                   \
                                                   .size = options_size,                                               \
                                                   .options = option_table,                                            \
                                                   .least_inputs = 1,                                                  \
                                                   .most_inputs = 1,                                                   \
                                                   .memory = flags,                                                    \
                                                   .forward = word##_forward_pass,                                     \
                                                   .backward = word##_backward_pass,                                   \
                                                   __VA_ARGS__};

#endif
