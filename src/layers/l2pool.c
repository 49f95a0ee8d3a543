/* The root of the sum of squares of each window (PyTorch's LPPool2d with norm 2); padding adds
 * nothing:
 *
 *     y = sqrt(sum x^2),   dx = sum over windows of dy * x / y, nothing where y = 0.
 *
 * Backward reads x and y. */
#include "pool.h"

#include <math.h>
#include <string.h>

static const nm_option options[] = {NM_POOL_OPTIONS, {0}};

typedef struct job {
    const nm_pass *p;
    const nm_pool *pool;
} job;

static void l2pool_forward_task(void *arg, int task, int thread)
{
    (void)thread;
    const job *j = arg;
    const nm_pool *pool = j->pool;
    int sample = task / pool->out.h, row = task % pool->out.h, channels = pool->in.c;
    const real *x = j->p->x[0] + (size_t)sample * nm_shape_size(pool->in);
    real *restrict y = j->p->y + (size_t)task * (size_t)pool->out.w * (size_t)channels;
    for (int col = 0; col < pool->out.w; col++, y += channels) {
        nm_pool_span s = nm_pool_span_at(pool, row, col);
        memset(y, 0, (size_t)channels * sizeof *y);
        for (int h = s.h0; h < s.h1; h++)
            for (int w = s.w0; w < s.w1; w++) {
                const real *restrict from = x + nm_pool_pixel(pool, h, w);
                for (int c = 0; c < channels; c++)
                    y[c] += from[c] * from[c];
            }
        for (int c = 0; c < channels; c++)
            y[c] = (real)sqrt((double)y[c]);
    }
}

static void l2pool_forward(const nm_pass *p, const void *self)
{
    job j = {p, self};
    nm_parallel(p->threads, p->n * j.pool->out.h, l2pool_forward_task, &j);
}

static void l2pool_backward_task(void *arg, int task, int thread)
{
    (void)thread;
    const job *j = arg;
    const nm_pool *pool = j->pool;
    int channels = pool->in.c;
    const real *dy = j->p->dy + (size_t)task * nm_shape_size(pool->out);
    const real *y = j->p->y + (size_t)task * nm_shape_size(pool->out);
    const real *x = j->p->x[0] + (size_t)task * nm_shape_size(pool->in);
    real *dx = j->p->dx[0] + (size_t)task * nm_shape_size(pool->in);
    memset(dx, 0, nm_shape_size(pool->in) * sizeof *dx);
    for (int row = 0; row < pool->out.h; row++)
        for (int col = 0; col < pool->out.w; col++, dy += channels, y += channels) {
            nm_pool_span s = nm_pool_span_at(pool, row, col);
            for (int h = s.h0; h < s.h1; h++)
                for (int w = s.w0; w < s.w1; w++) {
                    size_t at = nm_pool_pixel(pool, h, w);
                    const real *restrict from = x + at;
                    real *restrict to = dx + at;
                    for (int c = 0; c < channels; c++)
                        to[c] += y[c] > 0 ? dy[c] * from[c] / y[c] : 0;
                }
        }
}

static void l2pool_backward(const nm_pass *p, const void *self)
{
    job j = {p, self};
    nm_parallel(p->threads, p->n, l2pool_backward_task, &j);
}

extern const nm_layer_type NM_ISA(nm_layer_l2pool);
const nm_layer_type NM_ISA(nm_layer_l2pool) = {
    .name = "l2pool",
    .help = "The root of the sum of squares of each window",
    .size = sizeof(nm_pool),
    .options = options,
    .least_inputs = 1,
    .most_inputs = 1,
    .memory = NM_BACK_X | NM_BACK_Y,
    .infer = nm_pool_infer,
    .forward = l2pool_forward,
    .backward = l2pool_backward,
    .window = nm_pool_window,
};
