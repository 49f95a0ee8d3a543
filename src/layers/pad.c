/* Rows and columns of zeros around the input. */
#include "border.h"

static const nm_option options[] = {
    {"pad", NM_OPT_PAD, 0, NULL, 0, 1024, .help = "how many on each side"},
    {0},
};

static nm_status pad_infer(nm_infer *e, void *private)
{
    const nm_pad *pad = private;
    if (pad->same)
        return nm_fail(e->ctx, NM_INVALID, "%s: 'same' says nothing here; expected how many rows and columns", e->who);
    e->out.h += pad->top + pad->bottom;
    e->out.w += pad->left + pad->right;
    return NM_OK;
}

static void pad_forward(const nm_pass *p, const void *private)
{
    nm_border_forward(p, ((const nm_pad *)private)->top, ((const nm_pad *)private)->left);
}

static void pad_backward(const nm_pass *p, const void *private)
{
    nm_border_backward(p, ((const nm_pad *)private)->top, ((const nm_pad *)private)->left);
}

static void pad_window(const void *private, nm_window *w)
{
    w->pad[0] = ((const nm_pad *)private)->top;
    w->pad[1] = ((const nm_pad *)private)->left;
}

extern const nm_layer_type NM_ISA(nm_layer_pad);
const nm_layer_type NM_ISA(nm_layer_pad) = {
    .name = "pad",
    .help = "Zeros around the input",
    .size = sizeof(nm_pad),
    .options = options,
    .least_inputs = 1,
    .most_inputs = 1,
    .infer = pad_infer,
    .forward = pad_forward,
    .backward = pad_backward,
    .window = pad_window,
};
