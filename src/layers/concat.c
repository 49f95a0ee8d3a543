/* The inputs' channels one after the other; heights and widths must be equal. */
#include "layer.h"

#include <string.h>

enum { PIXELS = 256 }; /* a task */

static nm_status concat_infer(nm_infer *e, void *self)
{
    (void)self;
    for (int k = 1; k < e->inputs; k++) {
        if (e->in[k].h != e->in[0].h || e->in[k].w != e->in[0].w)
            return nm_fail(e->ctx, NM_INVALID,
                           "%s: its inputs must have one height and width; found " NM_SHAPE_FMT " and " NM_SHAPE_FMT,
                           e->who, NM_SHAPE_ARGS(e->in[0]), NM_SHAPE_ARGS(e->in[k]));
        if (__builtin_add_overflow(e->out.c, e->in[k].c, &e->out.c))
            return nm_fail(e->ctx, NM_INVALID, "%s: more than 2^31 channels", e->who);
    }
    return NM_OK;
}

/* Pixels first..last-1 of all samples between the inputs' side and y's (or the gradients'). */
static void concat_move(const nm_pass *p, int task, bool forward)
{
    size_t pixels = (size_t)p->n * (size_t)p->ys.h * (size_t)p->ys.w, first = (size_t)task * PIXELS;
    size_t last = first + PIXELS < pixels ? first + PIXELS : pixels, offset = 0;
    for (int k = 0; k < p->inputs; k++) {
        size_t c = (size_t)p->xs[k].c, all = (size_t)p->ys.c;
        for (size_t i = first; i < last; i++) {
            if (forward)
                memcpy(p->y + i * all + offset, p->x[k] + i * c, c * sizeof(real));
            else if (p->dx[k])
                memcpy(p->dx[k] + i * c, p->dy + i * all + offset, c * sizeof(real));
        }
        offset += c;
    }
}

static void concat_forward_task(void *arg, int task, int thread)
{
    (void)thread;
    concat_move(arg, task, true);
}

static void concat_backward_task(void *arg, int task, int thread)
{
    (void)thread;
    concat_move(arg, task, false);
}

static void concat_forward(const nm_pass *p, const void *self)
{
    (void)self;
    nm_parallel(p->threads, nm_ceil_div(p->n * p->ys.h * p->ys.w, PIXELS), concat_forward_task, (void *)p);
}

static void concat_backward(const nm_pass *p, const void *self)
{
    (void)self;
    nm_parallel(p->threads, nm_ceil_div(p->n * p->ys.h * p->ys.w, PIXELS), concat_backward_task, (void *)p);
}

extern const nm_layer_type NM_ISA(nm_layer_concat);
const nm_layer_type NM_ISA(nm_layer_concat) = {
    .name = "concat",
    .help = "The channels of its inputs, one after the other",
    .least_inputs = 1,
    .infer = concat_infer,
    .forward = concat_forward,
    .backward = concat_backward,
};
