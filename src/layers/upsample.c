/* Enlarges height and width by a whole factor or to a given size: `nearest` repeats pixels (source
 * floor(i * in / out)), `bilinear` blends the four around the source position, which is (i + 0.5) *
 * in / out - 0.5, not below 0, or with `align_corners` i * (in - 1) / (out - 1), as in PyTorch.
 * Backward gives each gradient back by the same weights.
 */
#include "layer.h"

#include <string.h>

typedef struct upsample {
    int scale[2], size[2];
    int mode;
    bool align_corners;
} upsample;

enum { NEAREST, BILINEAR };
static const char *const modes[] = {"nearest", "bilinear", NULL};
static const nm_option options[] = {
    {"scale", NM_OPT_PAIR, offsetof(upsample, scale), "", 1, 1024,
     .help = "factor of height and width; 2 where neither it nor size is given"},
    {"size", NM_OPT_PAIR, offsetof(upsample, size), "", 1, 65536,
     .help = "height and width of the output, instead of scale"},
    {"mode", NM_OPT_ENUM, offsetof(upsample, mode), "nearest", .choices = modes, .help = "repeat pixels or blend them"},
    {"align_corners", NM_OPT_BOOL, offsetof(upsample, align_corners), "false",
     .help = "bilinear: the centres of the corner pixels stay in place"},
    {0},
};

static nm_status upsample_infer(nm_infer *e, void *private)
{
    upsample *self = private;
    if (self->scale[0] && self->size[0])
        return nm_fail(e->ctx, NM_INVALID, "%s: expected scale or size; found both", e->who);
    if (self->align_corners && self->mode != BILINEAR)
        return nm_fail(e->ctx, NM_INVALID, "%s: align_corners is for mode bilinear; found mode nearest", e->who);
    for (int axis = 0; axis < 2; axis++) {
        int in = axis ? e->in[0].w : e->in[0].h, factor = self->scale[axis] ? self->scale[axis] : 2;
        if (!self->size[axis])
            self->scale[axis] = factor;
        if (!self->size[axis] && __builtin_mul_overflow(in, factor, &self->size[axis]))
            return nm_fail(e->ctx, NM_INVALID, "%s: its output would have more than 2^31 rows", e->who);
    }
    e->out.h = self->size[0];
    e->out.w = self->size[1];
    return NM_OK;
}

/* Output position i reads `low` with weight 1 - share and `high` with weight `share`. */
typedef struct source {
    int low, high;
    real share;
} source;

static source source_of(const upsample *self, int i, int in, int out)
{
    if (self->mode == NEAREST) {
        int at = (int)((int64_t)i * in / out);
        return (source){at, at, 0};
    }
    double at = self->align_corners ? (out > 1 ? (double)i * (in - 1) / (out - 1) : 0) : (i + 0.5) * in / out - 0.5;
    at = at > 0 ? at : 0;
    int low = (int)at < in - 1 ? (int)at : in - 1;
    return (source){low, low + 1 < in ? low + 1 : low, (real)(at - low)};
}

typedef struct job {
    const nm_pass *p;
    const upsample *self;
} job;

static void upsample_forward_task(void *arg, int task, int thread)
{
    (void)thread;
    const job *j = arg;
    nm_shape in = j->p->xs[0], out = j->p->ys;
    size_t channels = (size_t)in.c, line = (size_t)in.w * channels;
    source v = source_of(j->self, task % out.h, in.h, out.h);
    const real *x = j->p->x[0] + (size_t)(task / out.h) * nm_shape_size(in);
    real *restrict y = j->p->y + (size_t)task * (size_t)out.w * channels;
    for (int col = 0; col < out.w; col++, y += channels) {
        source u = source_of(j->self, col, in.w, out.w);
        const real *a = x + (size_t)v.low * line + (size_t)u.low * channels;
        if (j->self->mode == NEAREST) {
            memcpy(y, a, channels * sizeof *y);
            continue;
        }
        const real *b = x + (size_t)v.low * line + (size_t)u.high * channels;
        const real *c = x + (size_t)v.high * line + (size_t)u.low * channels;
        const real *d = x + (size_t)v.high * line + (size_t)u.high * channels;
        for (size_t k = 0; k < channels; k++) {
            real above = a[k] + u.share * (b[k] - a[k]), below = c[k] + u.share * (d[k] - c[k]);
            y[k] = above + v.share * (below - above);
        }
    }
}

static void upsample_forward(const nm_pass *p, const void *self)
{
    job j = {p, self};
    nm_parallel(p->threads, p->n * p->ys.h, upsample_forward_task, &j);
}

static void upsample_backward_task(void *arg, int task, int thread)
{
    (void)thread;
    const job *j = arg;
    nm_shape in = j->p->xs[0], out = j->p->ys;
    size_t channels = (size_t)in.c;
    const real *dy = j->p->dy + (size_t)task * nm_shape_size(out);
    real *dx = j->p->dx[0] + (size_t)task * nm_shape_size(in);
    memset(dx, 0, nm_shape_size(in) * sizeof *dx);
    for (int row = 0; row < out.h; row++)
        for (int col = 0; col < out.w; col++, dy += channels) {
            source v = source_of(j->self, row, in.h, out.h), u = source_of(j->self, col, in.w, out.w);
            for (int corner = 0; corner < 4; corner++) {
                real share = (corner / 2 ? v.share : 1 - v.share) * (corner % 2 ? u.share : 1 - u.share);
                int h = corner / 2 ? v.high : v.low, w = corner % 2 ? u.high : u.low;
                if (share == 0)
                    continue;
                real *restrict to = dx + ((size_t)h * (size_t)in.w + (size_t)w) * channels;
                for (size_t k = 0; k < channels; k++)
                    to[k] += share * dy[k];
            }
        }
}

static void upsample_backward(const nm_pass *p, const void *self)
{
    job j = {p, self};
    nm_parallel(p->threads, p->n, upsample_backward_task, &j);
}

/* As a transposed convolution: nearest reads one input, bilinear two on each axis. */
static void upsample_window(const void *private, nm_window *w)
{
    const upsample *self = private;
    for (int axis = 0; axis < 2; axis++) {
        w->stride[axis] = self->scale[axis] ? self->scale[axis] : 1;
        w->kernel[axis] = self->mode == NEAREST ? w->stride[axis] : 2 * w->stride[axis];
        w->pad[axis] = self->mode == NEAREST ? 0 : 0.5 * w->stride[axis];
    }
    w->transposed = true;
}

extern const nm_layer_type NM_ISA(nm_layer_upsample);
const nm_layer_type NM_ISA(nm_layer_upsample) = {
    .name = "upsample",
    .help = "Larger height and width, by repeated or blended pixels",
    .size = sizeof(upsample),
    .options = options,
    .least_inputs = 1,
    .most_inputs = 1,
    .keeps_probabilities = true,
    .infer = upsample_infer,
    .forward = upsample_forward,
    .backward = upsample_backward,
    .window = upsample_window,
};
