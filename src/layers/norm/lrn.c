/* Local response normalisation across channels (Krizhevsky et al. 2012), as PyTorch has it:
 *
 *     b_c = k + alpha / size * sum of x_i^2,  i from c - size / 2 to c + (size - 1) / 2,     y = x
 * * b^-beta dx_i = dy_i * b_i^-beta - 2 alpha beta / size * x_i * sum of dy_c * y_c / b_c over the
 * c whose window has i.
 *
 * Backward reads x and y, and the b that forward saved. */
#include "layer.h"

#include <math.h>

typedef struct lrn {
    int size;
    double alpha, beta, k;
} lrn;

static const nm_option options[] = {
    {"size", NM_OPT_INT, offsetof(lrn, size), "5", 1, 65536, .help = "channels in a window"},
    {"alpha", NM_OPT_REAL, offsetof(lrn, alpha), "1e-4", 0, 1e6, .help = "factor of the mean square"},
    {"beta", NM_OPT_REAL, offsetof(lrn, beta), "0.75", 0, 100, .help = "exponent"},
    {"k", NM_OPT_REAL, offsetof(lrn, k), "1", 1e-9, 1e6, .help = "added constant"},
    {0},
};

enum { PIXELS = 64 }; /* a task */

/* Saved: b. A thread's scratch: two rows of channels. */
static nm_status lrn_plan(nm_reservation *b, const void *self, void *chosen)
{
    (void)self;
    (void)chosen;
    b->saved = (size_t)b->n * nm_shape_size(b->ys) * sizeof(real);
    b->thread_scratch = 2 * (size_t)b->ys.c * sizeof(real);
    return NM_OK;
}

typedef struct job {
    const nm_pass *p;
    const lrn *self;
} job;

/* to[c] = sum of from[c - before .. c + after], within the channels. */
static void window_sums(const real *restrict from, int channels, int before, int after, real *restrict to)
{
    for (int c = 0; c < channels; c++)
        to[c] = 0;
    for (int off = -before; off <= after; off++) {
        int first = off < 0 ? -off : 0, last = off > 0 ? channels - off : channels;
        for (int c = first; c < last; c++)
            to[c] += from[c + off];
    }
}

static void power(const real *b, double beta, int channels, real *to)
{
    if (beta == 0.75)
        for (int c = 0; c < channels; c++) {
            real root = (real)sqrt((double)b[c]);
            to[c] = 1 / (root * (real)sqrt((double)root));
        }
    else
        for (int c = 0; c < channels; c++)
            to[c] = (real)pow((double)b[c], -beta);
}

static void lrn_forward_task(void *arg, int task, int thread)
{
    const job *j = arg;
    const nm_pass *p = j->p;
    int channels = p->ys.c, size = j->self->size;
    size_t pixels = (size_t)p->n * (size_t)p->ys.h * (size_t)p->ys.w;
    real *row = nm_thread_scratch(p, thread), factor = (real)(j->self->alpha / size), k = (real)j->self->k;
    for (size_t i = (size_t)task * PIXELS; i < (size_t)(task + 1) * PIXELS && i < pixels; i++) {
        const real *x = p->x[0] + i * (size_t)channels;
        real *y = p->y + i * (size_t)channels, *b = (real *)p->saved + i * (size_t)channels;
        for (int c = 0; c < channels; c++)
            row[c] = x[c] * x[c];
        window_sums(row, channels, size / 2, (size - 1) / 2, b);
        for (int c = 0; c < channels; c++)
            b[c] = k + factor * b[c];
        power(b, j->self->beta, channels, row);
        for (int c = 0; c < channels; c++)
            y[c] = x[c] * row[c];
    }
}

static void lrn_backward_task(void *arg, int task, int thread)
{
    const job *j = arg;
    const nm_pass *p = j->p;
    int channels = p->ys.c, size = j->self->size;
    size_t pixels = (size_t)p->n * (size_t)p->ys.h * (size_t)p->ys.w;
    real *row = nm_thread_scratch(p, thread), *sum = row + channels;
    real factor = (real)(2 * j->self->alpha * j->self->beta / size);
    for (size_t i = (size_t)task * PIXELS; i < (size_t)(task + 1) * PIXELS && i < pixels; i++) {
        size_t at = i * (size_t)channels;
        const real *x = p->x[0] + at, *y = p->y + at, *dy = p->dy + at, *b = (const real *)p->saved + at;
        real *dx = p->dx[0] + at;
        for (int c = 0; c < channels; c++)
            row[c] = dy[c] * y[c] / b[c];
        window_sums(row, channels, (size - 1) / 2, size / 2, sum);
        power(b, j->self->beta, channels, row);
        for (int c = 0; c < channels; c++)
            dx[c] = dy[c] * row[c] - factor * x[c] * sum[c];
    }
}

static void lrn_forward(const nm_pass *p, const void *self)
{
    job j = {p, self};
    nm_parallel(p->threads, nm_ceil_div(p->n * p->ys.h * p->ys.w, PIXELS), lrn_forward_task, &j);
}

static void lrn_backward(const nm_pass *p, const void *self)
{
    job j = {p, self};
    nm_parallel(p->threads, nm_ceil_div(p->n * p->ys.h * p->ys.w, PIXELS), lrn_backward_task, &j);
}

extern const nm_layer_type NM_ISA(nm_layer_lrn);
const nm_layer_type NM_ISA(nm_layer_lrn) = {
    .name = "lrn",
    .help = "Divides each number by the strength of the channels around it",
    .size = sizeof(lrn),
    .options = options,
    .least_inputs = 1,
    .most_inputs = 1,
    .role = NM_ROLE_NORMALISATION,
    .memory = NM_BACK_X | NM_BACK_Y,
    .plan = lrn_plan,
    .forward = lrn_forward,
    .backward = lrn_backward,
};
