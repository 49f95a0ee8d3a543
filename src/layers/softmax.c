/* y_c = exp(x_c - max x) / sum of the same, over the channels of each pixel; dx = y * (dy - sum dy
 * y). Backward keeps y. For training on classes take the loss softmax_ce on the logits instead: it
 * is stabler and cheaper. */
#include "layer.h"

#include <math.h>

enum { PIXELS = 64 }; /* a task */

static void softmax_forward_task(void *arg, int task, int thread)
{
    (void)thread;
    const nm_pass *p = arg;
    size_t pixels = (size_t)p->n * (size_t)p->ys.h * (size_t)p->ys.w, first = (size_t)task * PIXELS;
    int channels = p->ys.c;
    for (size_t i = first; i < first + PIXELS && i < pixels; i++) {
        const real *x = p->x[0] + i * (size_t)channels;
        real *y = p->y + i * (size_t)channels;
        double most = (double)x[0], sum = 0;
        for (int c = 1; c < channels; c++)
            most = (double)x[c] > most ? (double)x[c] : most;
        for (int c = 0; c < channels; c++)
            sum += exp((double)x[c] - most);
        for (int c = 0; c < channels; c++)
            y[c] = (real)(exp((double)x[c] - most) / sum);
    }
}

static void softmax_forward(const nm_pass *p, const void *self)
{
    (void)self;
    nm_parallel(p->threads, nm_ceil_div(p->n * p->ys.h * p->ys.w, PIXELS), softmax_forward_task, (void *)p);
}

static void softmax_backward_task(void *arg, int task, int thread)
{
    (void)thread;
    const nm_pass *p = arg;
    size_t pixels = (size_t)p->n * (size_t)p->ys.h * (size_t)p->ys.w, first = (size_t)task * PIXELS;
    int channels = p->ys.c;
    for (size_t i = first; i < first + PIXELS && i < pixels; i++) {
        const real *y = p->y + i * (size_t)channels, *dy = p->dy + i * (size_t)channels;
        real *dx = p->dx[0] + i * (size_t)channels;
        double sum = 0;
        for (int c = 0; c < channels; c++)
            sum += (double)dy[c] * (double)y[c];
        for (int c = 0; c < channels; c++)
            dx[c] = (real)((double)y[c] * ((double)dy[c] - sum));
    }
}

static void softmax_backward(const nm_pass *p, const void *self)
{
    (void)self;
    nm_parallel(p->threads, nm_ceil_div(p->n * p->ys.h * p->ys.w, PIXELS), softmax_backward_task, (void *)p);
}

extern const nm_layer_type NM_ISA(nm_layer_softmax);
const nm_layer_type NM_ISA(nm_layer_softmax) = {
    .name = "softmax",
    .help = "Probabilities over the channels of each pixel",
    .least_inputs = 1,
    .most_inputs = 1,
    .memory = NM_INPLACE | NM_BACK_Y,
    .activation = NM_SOFTMAX,
    .forward = softmax_forward,
    .backward = softmax_backward,
};
