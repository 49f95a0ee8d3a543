/* Global max pooling: the largest value of each channel over height and width; HxWxC to 1x1xC.
 * Forward saves which pixel it was (the first of equals; a NaN wins), backward gives the gradient
 * to that pixel. */
#include "layer.h"

#include <string.h>

static nm_status gmp_infer(nm_infer *e, void *self)
{
    (void)self;
    e->out = (nm_shape){1, 1, e->in[0].c};
    return NM_OK;
}

static nm_status gmp_plan(nm_reservation *b, const void *self, void *chosen)
{
    (void)self;
    (void)chosen;
    b->saved = (size_t)b->n * (size_t)b->ys.c * sizeof(int32_t);
    return NM_OK;
}

static void gmp_forward_task(void *arg, int task, int thread)
{
    (void)thread;
    const nm_pass *p = arg;
    int pixels = p->xs[0].h * p->xs[0].w, channels = p->xs[0].c;
    const real *restrict x = p->x[0] + (size_t)task * nm_shape_size(p->xs[0]);
    real *restrict best = p->y + (size_t)task * (size_t)channels;
    int32_t *restrict at = (int32_t *)p->saved + (size_t)task * (size_t)channels;
    memcpy(best, x, (size_t)channels * sizeof *best);
    memset(at, 0, (size_t)channels * sizeof *at);
    for (int i = 1; i < pixels; i++) {
        x += channels;
        for (int c = 0; c < channels; c++) {
            bool wins = x[c] > best[c] || x[c] != x[c];
            at[c] = wins ? i : at[c];
            best[c] = wins ? x[c] : best[c];
        }
    }
}

static void gmp_forward(const nm_pass *p, const void *self)
{
    (void)self;
    nm_parallel(p->threads, p->n, gmp_forward_task, (void *)p);
}

static void gmp_backward_task(void *arg, int task, int thread)
{
    (void)thread;
    const nm_pass *p = arg;
    size_t channels = (size_t)p->xs[0].c;
    const real *dy = p->dy + (size_t)task * channels;
    const int32_t *at = (const int32_t *)p->saved + (size_t)task * channels;
    real *dx = p->dx[0] + (size_t)task * nm_shape_size(p->xs[0]);
    memset(dx, 0, nm_shape_size(p->xs[0]) * sizeof *dx);
    for (size_t c = 0; c < channels; c++)
        dx[(size_t)at[c] * channels + c] = dy[c];
}

static void gmp_backward(const nm_pass *p, const void *self)
{
    (void)self;
    nm_parallel(p->threads, p->n, gmp_backward_task, (void *)p);
}

static void gmp_window(const void *self, nm_window *w)
{
    (void)self;
    w->global = true;
}

extern const nm_layer_type NM_ISA(nm_layer_gmp);
const nm_layer_type NM_ISA(nm_layer_gmp) = {
    .name = "gmp",
    .help = "Global max pooling: the largest value of each channel",
    .least_inputs = 1,
    .most_inputs = 1,
    .infer = gmp_infer,
    .plan = gmp_plan,
    .forward = gmp_forward,
    .backward = gmp_backward,
    .window = gmp_window,
};
