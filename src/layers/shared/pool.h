/* What pooling layers share: options, the output's extent, the walk over a window. */
#ifndef NM_POOL_H
#define NM_POOL_H

#include "layer.h"

typedef struct nm_pool {
    int size[2], stride[2];
    nm_pad pad;
    bool ceil;
    nm_shape in, out; /* set by infer */
} nm_pool;

#define NM_POOL_OPTIONS                                                                                                \
    {"size", NM_OPT_PAIR, offsetof(nm_pool, size), NULL, 1, 255, .help = "height and width of the window"},            \
        {"stride",                                                                                                     \
         NM_OPT_PAIR,                                                                                                  \
         offsetof(nm_pool, stride),                                                                                    \
         "",                                                                                                           \
         1,                                                                                                            \
         1024,                                                                                                         \
         .help = "step of the window; as large as the window where not given"},                                        \
        {"pad", NM_OPT_PAD, offsetof(nm_pool, pad), "0", 0, 254, .help = "border around the input"},                   \
    {                                                                                                                  \
        "ceil", NM_OPT_BOOL, offsetof(nm_pool, ceil), "false",                                                         \
            .help = "a last window that hangs over the border counts too"                                              \
    }

static inline nm_status nm_pool_axis(nm_infer *e, nm_pool *self, int axis, int in, int *before, int *after, int *out)
{
    int size = self->size[axis], stride = self->stride[axis];
    if (self->pad.same) {
        *out = (in + stride - 1) / stride;
        int whole = (*out - 1) * stride + size - in;
        *before = whole > 0 ? whole / 2 : 0;
        *after = whole > 0 ? whole - *before : 0;
        return NM_OK;
    }
    if (*before >= size || *after >= size)
        return nm_fail(e->ctx, NM_INVALID, "%s: pad must be smaller than the window; found pad %d and size %d", e->who,
                       *before >= size ? *before : *after, size);
    int slack = in + *before + *after - size + (self->ceil ? stride - 1 : 0);
    if (slack < 0)
        return nm_fail(e->ctx, NM_INVALID,
                       "%s: a window of %d does not fit into its input " NM_SHAPE_FMT " with padding %d", e->who, size,
                       NM_SHAPE_ARGS(e->in[0]), *before + *after);
    *out = slack / stride + 1;
    if (self->ceil && (*out - 1) * stride >= in + *before)
        --*out; /* a window must begin inside the input or the padding before it, as in PyTorch */
    return NM_OK;
}

static inline nm_status nm_pool_infer(nm_infer *e, void *private)
{
    nm_pool *self = private;
    for (int axis = 0; axis < 2; axis++)
        if (self->stride[axis] == 0)
            self->stride[axis] = self->size[axis];
    self->in = e->in[0];
    self->out = self->in;
    NM_TRY(nm_pool_axis(e, self, 0, self->in.h, &self->pad.top, &self->pad.bottom, &self->out.h));
    NM_TRY(nm_pool_axis(e, self, 1, self->in.w, &self->pad.left, &self->pad.right, &self->out.w));
    e->out = self->out;
    return NM_OK;
}

static inline void nm_pool_window(const void *private, nm_window *w)
{
    const nm_pool *self = private;
    for (int axis = 0; axis < 2; axis++) {
        w->kernel[axis] = self->size[axis];
        w->stride[axis] = self->stride[axis];
    }
    w->pad[0] = self->pad.top;
    w->pad[1] = self->pad.left;
}

/* The part of the window of output (row, col) that lies inside the input: rows h0..h1-1, columns
 * w0..w1-1; (row0, col0) is where the window itself begins. */
typedef struct nm_pool_span {
    int h0, h1, w0, w1, row0, col0;
} nm_pool_span;

static inline nm_pool_span nm_pool_span_at(const nm_pool *self, int row, int col)
{
    nm_pool_span s = {.row0 = row * self->stride[0] - self->pad.top, .col0 = col * self->stride[1] - self->pad.left};
    s.h0 = s.row0 > 0 ? s.row0 : 0;
    s.w0 = s.col0 > 0 ? s.col0 : 0;
    s.h1 = s.row0 + self->size[0] < self->in.h ? s.row0 + self->size[0] : self->in.h;
    s.w1 = s.col0 + self->size[1] < self->in.w ? s.col0 + self->size[1] : self->in.w;
    return s;
}

/* Whether every input pixel belongs to exactly one window, so that backward can write instead of
 * adding. */
static inline bool nm_pool_tiles(const nm_pool *self)
{
    return self->stride[0] == self->size[0] && self->stride[1] == self->size[1] && !self->pad.top && !self->pad.left &&
           self->out.h * self->size[0] >= self->in.h && self->out.w * self->size[1] >= self->in.w;
}

static inline size_t nm_pool_pixel(const nm_pool *self, int h, int w)
{
    return ((size_t)h * (size_t)self->in.w + (size_t)w) * (size_t)self->in.c;
}

#endif
