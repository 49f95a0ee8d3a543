/* Rows and columns taken away at the border; or, with a second input, the middle of the first as
 * large as the second (for skip connections of another size), the odd row or column taken away
 * below or to the right. */
#include "border.h"

typedef struct crop {
    nm_pad crop;
    int top, left; /* set by infer */
} crop;

static const nm_option options[] = {
    {"crop", NM_OPT_PAD, offsetof(crop, crop), "0", 0, 65536, .help = "how many on each side"},
    {0},
};

static nm_status crop_infer(nm_infer *e, void *private)
{
    crop *self = private;
    const nm_pad *c = &self->crop;
    nm_shape in = e->in[0];
    if (c->same)
        return nm_fail(e->ctx, NM_INVALID, "%s: 'same' says nothing here; expected how many rows and columns", e->who);
    if (e->inputs == 2) {
        if (c->top || c->bottom || c->left || c->right)
            return nm_fail(e->ctx, NM_INVALID, "%s: takes its size from its second input; 'crop' is given too", e->who);
        e->out.h = e->in[1].h;
        e->out.w = e->in[1].w;
        self->top = (in.h - e->out.h) / 2;
        self->left = (in.w - e->out.w) / 2;
    } else {
        e->out.h -= c->top + c->bottom;
        e->out.w -= c->left + c->right;
        self->top = c->top;
        self->left = c->left;
    }
    if (e->out.h < 1 || e->out.w < 1 || e->out.h > in.h || e->out.w > in.w)
        return nm_fail(e->ctx, NM_INVALID, "%s: " NM_SHAPE_FMT " cannot be cropped to %dx%d", e->who, NM_SHAPE_ARGS(in),
                       e->out.h, e->out.w);
    return NM_OK;
}

static void crop_forward(const nm_pass *p, const void *private)
{
    const crop *self = private;
    nm_border_forward(p, -self->top, -self->left);
}

static void crop_backward(const nm_pass *p, const void *private)
{
    const crop *self = private;
    if (p->dx[0])
        nm_border_backward(p, -self->top, -self->left);
    if (p->inputs == 2 && p->dx[1]) /* only its size was looked at */
        memset(p->dx[1], 0, (size_t)p->n * nm_shape_size(p->xs[1]) * sizeof(real));
}

static void crop_window(const void *private, nm_window *w)
{
    const crop *self = private;
    w->pad[0] = -self->top;
    w->pad[1] = -self->left;
}

extern const nm_layer_type NM_ISA(nm_layer_crop);
const nm_layer_type NM_ISA(nm_layer_crop) = {
    .name = "crop",
    .help = "Rows and columns taken away at the border",
    .size = sizeof(crop),
    .options = options,
    .least_inputs = 1,
    .most_inputs = 2,
    .keeps_probabilities = true,
    .infer = crop_infer,
    .forward = crop_forward,
    .backward = crop_backward,
    .window = crop_window,
};
