/* Pointwise activations: y[i] = f(x[i]). A type gives the formula of one number and of its
 * gradient; NM_POINTWISE_TYPE makes the loops, the tasks and the vtable of them:
 *
 *     static inline real relu_forward(const void *self, real x) {...}
 *     static inline real relu_backward(const void *self, nm_element e) {...}
 *     NM_RECTIFIER_TYPE(relu, "y = max(x, 0)", 0, NULL, NM_INPLACE | NM_BACK_Y)
 *
 * A number's bits depend on the number alone, not on its place or on what is beside it, whatever
 * the formula: each loop goes over whole blocks of NM_BLOCK numbers and is compiled once. What is
 * left behind the last block is copied into a block of its own. */
#ifndef NM_POINTWISE_H
#define NM_POINTWISE_H

#include "layer.h"

#include <string.h>

/* What backward knows of one number: x with NM_BACK_X and y with NM_BACK_Y (else 0), and dy, the
 * gradient of the loss by y. It returns dx. */
typedef struct nm_element {
    real x, y, dy;
} nm_element;

/* Arrays of one task: forward reads x and writes y, backward reads x (or NULL), y (or NULL) and dy
 * and writes dx. y may be x, and dx may be dy. */
typedef struct nm_pointwise_span {
    const real *x, *dy;
    real *y, *dx;
} nm_pointwise_span;

/* A loop over `blocks` blocks. */
typedef void nm_pointwise_loop(const void *self, const nm_pointwise_span *s, size_t blocks);

enum { NM_POINTWISE_CHUNK = 8192 }; /* elements a task: 32 KB of float */

typedef struct nm_pointwise_work {
    const void *self;
    nm_pointwise_loop *loop;
    nm_pointwise_span all;
    bool backward;
    size_t count;
} nm_pointwise_work;

static inline nm_pointwise_span nm_pointwise_from(const nm_pointwise_span *s, size_t first)
{
    return (nm_pointwise_span){s->x ? s->x + first : NULL, s->dy ? s->dy + first : NULL, s->y ? s->y + first : NULL,
                               s->dx ? s->dx + first : NULL};
}

/* The last `count` < NM_BLOCK numbers, in a block of their own. */
static inline void nm_pointwise_remainder(const nm_pointwise_work *work, const nm_pointwise_span *s, size_t count)
{
    real x[NM_BLOCK] = {0}, y[NM_BLOCK] = {0}, dy[NM_BLOCK] = {0}, dx[NM_BLOCK];
    const size_t size = count * sizeof(real);
    if (s->x)
        memcpy(x, s->x, size);
    if (s->y && work->backward)
        memcpy(y, s->y, size);
    if (s->dy)
        memcpy(dy, s->dy, size);
    work->loop(work->self, &(nm_pointwise_span){x, dy, y, dx}, 1);
    if (work->backward)
        memcpy(s->dx, dx, size);
    else
        memcpy(s->y, y, size);
}

static inline void nm_pointwise_task(void *arg, int task, int thread)
{
    (void)thread;
    const nm_pointwise_work *work = arg;
    size_t first = (size_t)task * NM_POINTWISE_CHUNK, left = work->count - first;
    size_t count = left < NM_POINTWISE_CHUNK ? left : NM_POINTWISE_CHUNK, blocks = count / NM_BLOCK;
    nm_pointwise_span s = nm_pointwise_from(&work->all, first);
    if (blocks > 0)
        work->loop(work->self, &s, blocks);
    s = nm_pointwise_from(&s, blocks * NM_BLOCK);
    if (count % NM_BLOCK)
        nm_pointwise_remainder(work, &s, count % NM_BLOCK);
}

static inline void nm_pointwise_run(const nm_pass *p, nm_pointwise_work work)
{
    work.count = (size_t)p->n * nm_shape_size(p->ys);
    size_t tasks = (work.count + NM_POINTWISE_CHUNK - 1) / NM_POINTWISE_CHUNK;
    nm_parallel(p->threads, (int)tasks, nm_pointwise_task, &work);
}

static inline void nm_pointwise_forward(const nm_pass *p, const void *self, nm_pointwise_loop *loop)
{
    nm_pointwise_run(p, (nm_pointwise_work){self, loop, {.x = p->x[0], .y = p->y}, .backward = false});
}

static inline void nm_pointwise_backward(const nm_pass *p, const void *self, unsigned memory, nm_pointwise_loop *loop)
{
    nm_pointwise_span all = {memory & NM_BACK_X ? p->x[0] : NULL, p->dy, memory & NM_BACK_Y ? p->y : NULL, p->dx[0]};
    nm_pointwise_run(p, (nm_pointwise_work){self, loop, all, .backward = true});
}

/* word_forward_loop and word_backward_loop, of the formulas word_forward and word_backward; flags
 * say what the latter reads. */
#define NM_POINTWISE_LOOPS(word, flags)                                                                                \
    NM_COMPILED_ONCE static void word##_forward_loop(const void *restrict self, const nm_pointwise_span *s,            \
                                                     size_t blocks)                                                    \
    {                                                                                                                  \
        const real *x = s->x;                                                                                          \
        real *y = s->y;                                                                                                \
        NM_INDEPENDENT                                                                                                 \
        for (size_t i = 0; i < blocks * NM_BLOCK; i++)                                                                 \
            y[i] = word##_forward(self, x[i]);                                                                         \
    }                                                                                                                  \
    NM_COMPILED_ONCE static void word##_backward_loop(const void *restrict self, const nm_pointwise_span *s,           \
                                                      size_t blocks)                                                   \
    {                                                                                                                  \
        const real *x = s->x, *y = s->y, *dy = s->dy;                                                                  \
        real *dx = s->dx;                                                                                              \
        NM_INDEPENDENT                                                                                                 \
        for (size_t i = 0; i < blocks * NM_BLOCK; i++)                                                                 \
            dx[i] = word##_backward(self,                                                                              \
                                    (nm_element){(flags)&NM_BACK_X ? x[i] : 0, (flags)&NM_BACK_Y ? y[i] : 0, dy[i]});  \
    }

/* The vtable of `word`, of its functions word_forward_pass and word_backward_pass, with further
 * fields at the end. `options_size` is the size of its private struct, 0 for none; NM_INPLACE needs
 * NM_BACK_Y or neither flag. */
#define NM_POINTWISE_VTABLE(word, sentence, options_size, option_table, flags, ...)                                    \
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

/* The whole type, of word_forward and word_backward; of one that is a relu's like; of one with
 * further fields of the vtable at the end. */
#define NM_POINTWISE_TYPE(...) NM_POINTWISE_TYPE_WITH(__VA_ARGS__, .role = NM_ROLE_OTHER)
#define NM_RECTIFIER_TYPE(...) NM_POINTWISE_TYPE_WITH(__VA_ARGS__, .role = NM_ROLE_RECTIFIER)
#define NM_POINTWISE_TYPE_WITH(word, sentence, options_size, option_table, flags, ...)                                 \
    NM_POINTWISE_LOOPS(word, flags)                                                                                    \
    static void word##_forward_pass(const nm_pass *p, const void *self)                                                \
    {                                                                                                                  \
        nm_pointwise_forward(p, self, word##_forward_loop);                                                            \
    }                                                                                                                  \
    static void word##_backward_pass(const nm_pass *p, const void *self)                                               \
    {                                                                                                                  \
        nm_pointwise_backward(p, self, flags, word##_backward_loop);                                                   \
    }                                                                                                                  \
    NM_POINTWISE_VTABLE(word, sentence, options_size, option_table, flags, __VA_ARGS__)

#endif
