/* HxWxC to 1x1x(H*W*C), in the order in memory. */
#include "layer.h"

#include <string.h>

static nm_status flatten_infer(nm_infer *e, void *self)
{
    (void)self;
    size_t size = nm_shape_size(e->in[0]);
    if (size > 1 << 30)
        return nm_fail(e->ctx, NM_INVALID, "%s: its input " NM_SHAPE_FMT " has more than 2^30 numbers", e->who,
                       NM_SHAPE_ARGS(e->in[0]));
    e->out = (nm_shape){1, 1, (int)size};
    return NM_OK;
}

static void flatten_forward(const nm_pass *p, const void *self)
{
    (void)self;
    if (p->y != p->x[0])
        memcpy(p->y, p->x[0], (size_t)p->n * nm_shape_size(p->ys) * sizeof(real));
}

static void flatten_backward(const nm_pass *p, const void *self)
{
    (void)self;
    if (p->dx[0] != p->dy)
        memcpy(p->dx[0], p->dy, (size_t)p->n * nm_shape_size(p->ys) * sizeof(real));
}

extern const nm_layer_type NM_ISA(nm_layer_flatten);
const nm_layer_type NM_ISA(nm_layer_flatten) = {
    .name = "flatten",
    .help = "All numbers of a sample as one row of channels",
    .least_inputs = 1,
    .most_inputs = 1,
    .memory = NM_INPLACE,
    .keeps_probabilities = true,
    .infer = flatten_infer,
    .forward = flatten_forward,
    .backward = flatten_backward,
};
