/* y = x[0] + x[1] + …, all of one shape. Every input gets dy. A rectifier that follows is done here
 * too; backward then reads y to know where it passed. */
#include "fusion.h"

#include <string.h>

enum { CHUNK = 8192 };

static nm_status add_infer(nm_infer *e, void *self)
{
    (void)self;
    for (int k = 1; k < e->inputs; k++)
        if (!nm_shape_same(e->in[k], e->in[0]))
            return nm_fail(e->ctx, NM_INVALID,
                           "%s: its inputs must have one shape; found " NM_SHAPE_FMT " and " NM_SHAPE_FMT, e->who,
                           NM_SHAPE_ARGS(e->in[0]), NM_SHAPE_ARGS(e->in[k]));
    return NM_OK;
}

static bool add_can_fuse(const void *self, const nm_tail *tail, const nm_tail_request *request)
{
    (void)self;
    (void)request;
    return !tail->pools;
}

static size_t count_at(const nm_pass *p, int task, size_t *first)
{
    size_t count = (size_t)p->n * nm_shape_size(p->ys);
    *first = (size_t)task * CHUNK;
    return count - *first < CHUNK ? count - *first : CHUNK;
}

static void add_forward_task(void *arg, int task, int thread)
{
    (void)thread;
    const nm_pass *p = arg;
    size_t first, count = count_at(p, task, &first);
    bool relu = p->tail->rectifies;
    real *y = p->y + first;
    for (int k = 1; k < p->inputs; k++) {
        const real *a = k == 1 ? p->x[0] + first : y, *restrict b = p->x[k] + first;
        bool last = relu && k == p->inputs - 1;
        NM_INDEPENDENT
        for (size_t i = 0; i < count; i++) {
            real sum = a[i] + b[i];
            y[i] = !last || sum > 0 || sum != sum ? sum : 0;
        }
    }
}

static int tasks_of(const nm_pass *p)
{
    return (int)(((size_t)p->n * nm_shape_size(p->ys) + CHUNK - 1) / CHUNK);
}

static void add_forward(const nm_pass *p, const void *self)
{
    (void)self;
    nm_parallel(p->threads, tasks_of(p), add_forward_task, (void *)p);
}

static void add_backward_task(void *arg, int task, int thread)
{
    (void)thread;
    const nm_pass *p = arg;
    size_t first, count = count_at(p, task, &first);
    bool relu = p->tail->rectifies;
    const real *dy = p->dy + first;
    for (int k = p->inputs - 1; k >= 0; k--) { /* dx[0] last: it may be dy itself */
        if (!p->dx[k])
            continue;
        real *dx = p->dx[k] + first;
        if (relu) {
            const real *restrict y = p->y + first;
            NM_INDEPENDENT
            for (size_t i = 0; i < count; i++)
                dx[i] = y[i] > 0 ? dy[i] : 0;
        } else if (dx != dy) {
            memcpy(dx, dy, count * sizeof *dx);
        }
    }
}

static void add_backward(const nm_pass *p, const void *self)
{
    (void)self;
    nm_parallel(p->threads, tasks_of(p), add_backward_task, (void *)p);
}

static const nm_fusion add_fusion = {.place = NM_TAIL_SUM, .can_fuse = add_can_fuse};

extern const nm_layer_type NM_ISA(nm_layer_add);
const nm_layer_type NM_ISA(nm_layer_add) = {
    .name = "add",
    .help = "The sum of its inputs, element by element",
    .least_inputs = 2,
    .memory = NM_INPLACE,
    .infer = add_infer,
    .forward = add_forward,
    .backward = add_backward,
    .fusion = &add_fusion,
};
