/* Global average pooling: the mean of each channel over height and width; HxWxC to 1x1xC. */
#include "layer.h"

enum { LANES = 32 };

static nm_status gap_infer(nm_infer *e, void *self)
{
    (void)self;
    e->out = (nm_shape){1, 1, e->in[0].c};
    return NM_OK;
}

static void gap_forward_task(void *arg, int task, int thread)
{
    (void)thread;
    const nm_pass *p = arg;
    int pixels = p->xs[0].h * p->xs[0].w, channels = p->xs[0].c;
    const real *x = p->x[0] + (size_t)task * nm_shape_size(p->xs[0]);
    real *y = p->y + (size_t)task * (size_t)channels;
    for (int first = 0; first < channels; first += LANES) {
        int lanes = channels - first < LANES ? channels - first : LANES;
        double sum[LANES] = {0};
        for (int i = 0; i < pixels; i++)
            for (int c = 0; c < lanes; c++)
                sum[c] += (double)x[(size_t)i * (size_t)channels + (size_t)(first + c)];
        for (int c = 0; c < lanes; c++)
            y[first + c] = (real)(sum[c] / pixels);
    }
}

static void gap_forward(const nm_pass *p, const void *self)
{
    (void)self;
    nm_parallel(p->threads, p->n, gap_forward_task, (void *)p);
}

static void gap_backward_task(void *arg, int task, int thread)
{
    (void)thread;
    const nm_pass *p = arg;
    int pixels = p->xs[0].h * p->xs[0].w, channels = p->xs[0].c;
    const real *restrict dy = p->dy + (size_t)task * (size_t)channels;
    real *restrict dx = p->dx[0] + (size_t)task * nm_shape_size(p->xs[0]);
    const real share = (real)(1.0 / pixels);
    for (int i = 0; i < pixels; i++, dx += channels)
        for (int c = 0; c < channels; c++)
            dx[c] = share * dy[c];
}

static void gap_backward(const nm_pass *p, const void *self)
{
    (void)self;
    nm_parallel(p->threads, p->n, gap_backward_task, (void *)p);
}

static void gap_window(const void *self, nm_window *w)
{
    (void)self;
    w->global = true;
}

extern const nm_layer_type NM_ISA(nm_layer_gap);
const nm_layer_type NM_ISA(nm_layer_gap) = {
    .name = "gap",
    .help = "Global average pooling: the mean of each channel",
    .least_inputs = 1,
    .most_inputs = 1,
    .keeps_probabilities = true,
    .infer = gap_infer,
    .forward = gap_forward,
    .backward = gap_backward,
    .window = gap_window,
};
