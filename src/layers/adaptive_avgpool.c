/* The mean over bins that cut any input into a given number of rows and columns, as PyTorch has it:
 * bin i of `out` over `in` pixels reaches from floor(i * in / out) to ceil((i + 1) * in / out);
 * neighbours may share a pixel. */
#include "layer.h"

#include <string.h>

typedef struct adaptive {
    int size[2];
    nm_shape in; /* set by infer */
} adaptive;

static const nm_option options[] = {
    {"size", NM_OPT_PAIR, offsetof(adaptive, size), NULL, 1, 65536, .help = "height and width of the output"},
    {0},
};

static nm_status adaptive_avgpool_infer(nm_infer *e, void *private)
{
    adaptive *self = private;
    self->in = e->in[0];
    e->out = (nm_shape){self->size[0], self->size[1], e->in[0].c};
    return NM_OK;
}

static int bin(int64_t index, int in, int out, bool end)
{
    return (int)(end ? ((index + 1) * in + out - 1) / out : index * in / out);
}

/* One bin at a time: adds x to y, or gives dy back to dx. */
static void run_bin(const nm_pass *p, int sample, int row, int col, bool forward)
{
    nm_shape in = p->xs[0], out = p->ys;
    size_t channels = (size_t)in.c;
    int h0 = bin(row, in.h, out.h, false), h1 = bin(row, in.h, out.h, true);
    int w0 = bin(col, in.w, out.w, false), w1 = bin(col, in.w, out.w, true);
    const real share = (real)(1.0 / ((double)(h1 - h0) * (w1 - w0)));
    size_t to = (((size_t)sample * (size_t)out.h + (size_t)row) * (size_t)out.w + (size_t)col) * channels;
    if (forward)
        memset(p->y + to, 0, channels * sizeof(real));
    for (int h = h0; h < h1; h++)
        for (int w = w0; w < w1; w++) {
            size_t from = (((size_t)sample * (size_t)in.h + (size_t)h) * (size_t)in.w + (size_t)w) * channels;
            if (forward)
                for (size_t c = 0; c < channels; c++)
                    p->y[to + c] += share * p->x[0][from + c];
            else
                for (size_t c = 0; c < channels; c++)
                    p->dx[0][from + c] += share * p->dy[to + c];
        }
}

static void adaptive_avgpool_forward_task(void *arg, int task, int thread)
{
    (void)thread;
    const nm_pass *p = arg;
    for (int col = 0; col < p->ys.w; col++)
        run_bin(p, task / p->ys.h, task % p->ys.h, col, true);
}

static void adaptive_avgpool_forward(const nm_pass *p, const void *self)
{
    (void)self;
    nm_parallel(p->threads, p->n * p->ys.h, adaptive_avgpool_forward_task, (void *)p);
}

static void adaptive_avgpool_backward_task(void *arg, int task, int thread)
{
    (void)thread;
    const nm_pass *p = arg;
    memset(p->dx[0] + (size_t)task * nm_shape_size(p->xs[0]), 0, nm_shape_size(p->xs[0]) * sizeof(real));
    for (int row = 0; row < p->ys.h; row++)
        for (int col = 0; col < p->ys.w; col++)
            run_bin(p, task, row, col, false);
}

static void adaptive_avgpool_backward(const nm_pass *p, const void *self)
{
    (void)self;
    nm_parallel(p->threads, p->n, adaptive_avgpool_backward_task, (void *)p);
}

/* Its field is the whole input where the output is a single pixel. */
static void adaptive_avgpool_window(const void *private, nm_window *w)
{
    const adaptive *self = private;
    w->global = self->size[0] == 1 && self->size[1] == 1;
    for (int axis = 0; axis < 2; axis++) {
        int in = axis ? self->in.w : self->in.h, out = self->size[axis];
        if (in < out)
            continue;
        /* exact where bins are alike; otherwise the largest bin, and their distance to the nearest
         * pixel */
        for (int i = 0; i < out; i++) {
            int pixels = bin(i, in, out, true) - bin(i, in, out, false);
            w->kernel[axis] = pixels > w->kernel[axis] ? pixels : w->kernel[axis];
        }
        w->stride[axis] = (in + out / 2) / out;
    }
}

extern const nm_layer_type NM_ISA(nm_layer_adaptive_avgpool);
const nm_layer_type NM_ISA(nm_layer_adaptive_avgpool) = {
    .name = "adaptive_avgpool",
    .help = "The mean over bins that cut the input into a given number of rows and columns",
    .size = sizeof(adaptive),
    .options = options,
    .least_inputs = 1,
    .most_inputs = 1,
    .keeps_probabilities = true,
    .infer = adaptive_avgpool_infer,
    .forward = adaptive_avgpool_forward,
    .backward = adaptive_avgpool_backward,
    .window = adaptive_avgpool_window,
};
