/* The same numbers, in their order in memory (height, width, channels), as another shape. */
#include "layer.h"

#include <string.h>

typedef struct reshape {
    int height, width, channels;
} reshape;

static const nm_option options[] = {
    {"height", NM_OPT_INT, offsetof(reshape, height), "1", 1, 1 << 30, .help = "of the output"},
    {"width", NM_OPT_INT, offsetof(reshape, width), "1", 1, 1 << 30, .help = "of the output"},
    {"channels", NM_OPT_INT, offsetof(reshape, channels), NULL, 1, 1 << 30, .help = "of the output"},
    {0},
};

static nm_status reshape_infer(nm_infer *e, void *private)
{
    const reshape *self = private;
    e->out = (nm_shape){self->height, self->width, self->channels};
    if ((double)self->height * self->width * self->channels != (double)nm_shape_size(e->in[0]))
        return nm_fail(e->ctx, NM_INVALID, "%s: " NM_SHAPE_FMT " cannot become " NM_SHAPE_FMT ": not as many numbers",
                       e->who, NM_SHAPE_ARGS(e->in[0]), NM_SHAPE_ARGS(e->out));
    return NM_OK;
}

static void reshape_forward(const nm_pass *p, const void *self)
{
    (void)self;
    if (p->y != p->x[0])
        memcpy(p->y, p->x[0], (size_t)p->n * nm_shape_size(p->ys) * sizeof(real));
}

static void reshape_backward(const nm_pass *p, const void *self)
{
    (void)self;
    if (p->dx[0] != p->dy)
        memcpy(p->dx[0], p->dy, (size_t)p->n * nm_shape_size(p->ys) * sizeof(real));
}

static void reshape_window(const void *self, nm_window *w)
{
    (void)self;
    w->global = true; /* pixels move: where a number came from is no longer known */
}

extern const nm_layer_type NM_ISA(nm_layer_reshape);
const nm_layer_type NM_ISA(nm_layer_reshape) = {
    .name = "reshape",
    .help = "The same numbers as another shape",
    .size = sizeof(reshape),
    .options = options,
    .least_inputs = 1,
    .most_inputs = 1,
    .memory = NM_INPLACE,
    .keeps_probabilities = true,
    .infer = reshape_infer,
    .forward = reshape_forward,
    .backward = reshape_backward,
    .window = reshape_window,
};
