/* Some of the channels: first, first + 1, … first + count - 1. The inverse of concat. */
#include "layer.h"

#include <string.h>

typedef struct slice {
    int first, count;
} slice;

static const nm_option options[] = {
    {"first", NM_OPT_INT, offsetof(slice, first), "0", 0, 1 << 30, .help = "number of the first channel, from 0"},
    {"count", NM_OPT_INT, offsetof(slice, count), "", 1, 1 << 30, .help = "how many; all that follow where not given"},
    {0},
};

static nm_status slice_infer(nm_infer *e, void *private)
{
    slice *self = private;
    int channels = e->in[0].c;
    if (self->first < channels && self->count == 0)
        self->count = channels - self->first;
    if (self->first >= channels || self->count > channels - self->first)
        return nm_fail(e->ctx, NM_INVALID, "%s: takes channels %d to %d; its input " NM_SHAPE_FMT " has 0 to %d",
                       e->who, self->first, self->first + (self->count ? self->count : 1) - 1, NM_SHAPE_ARGS(e->in[0]),
                       channels - 1);
    e->out.c = self->count;
    return NM_OK;
}

typedef struct job {
    const nm_pass *p;
    const slice *self;
    bool forward;
} job;

static void task_run(void *arg, int task, int thread)
{
    (void)thread;
    const job *j = arg;
    nm_shape in = j->p->xs[0];
    size_t all = (size_t)in.c, some = (size_t)j->self->count, pixels = (size_t)in.h * (size_t)in.w;
    size_t first = (size_t)task * pixels;
    if (!j->forward)
        memset(j->p->dx[0] + first * all, 0, pixels * all * sizeof(real));
    for (size_t i = first; i < first + pixels; i++) {
        size_t at = i * all + (size_t)j->self->first;
        if (j->forward)
            memcpy(j->p->y + i * some, j->p->x[0] + at, some * sizeof(real));
        else
            memcpy(j->p->dx[0] + at, j->p->dy + i * some, some * sizeof(real));
    }
}

static void slice_forward(const nm_pass *p, const void *self)
{
    job j = {p, self, true};
    nm_parallel(p->threads, p->n, task_run, &j);
}

static void slice_backward(const nm_pass *p, const void *self)
{
    job j = {p, self, false};
    nm_parallel(p->threads, p->n, task_run, &j);
}

extern const nm_layer_type NM_ISA(nm_layer_slice);
const nm_layer_type NM_ISA(nm_layer_slice) = {
    .name = "slice",
    .help = "Some of the channels",
    .size = sizeof(slice),
    .options = options,
    .least_inputs = 1,
    .most_inputs = 1,
    .infer = slice_infer,
    .forward = slice_forward,
    .backward = slice_backward,
};
