/* Pools that are a sum over the window times a share that depends on the window alone: avgpool,
 * sumpool. */
#ifndef NM_POOL_SUM_H
#define NM_POOL_SUM_H

#include "pool.h"

#include <string.h>

/* The factor of the window `s`; `private` is the layer's struct, which begins with its nm_pool. */
typedef real nm_pool_share(const void *private, nm_pool_span s);

typedef struct nm_pool_sum_job {
    const nm_pass *p;
    const nm_pool *pool;
    nm_pool_share *share;
} nm_pool_sum_job;

static inline void nm_pool_sum_forward_task(void *arg, int task, int thread)
{
    (void)thread;
    const nm_pool_sum_job *j = arg;
    const nm_pool *pool = j->pool;
    int sample = task / pool->out.h, row = task % pool->out.h, channels = pool->in.c;
    const real *x = j->p->x[0] + (size_t)sample * nm_shape_size(pool->in);
    real *restrict y = j->p->y + (size_t)task * (size_t)pool->out.w * (size_t)channels;
    for (int col = 0; col < pool->out.w; col++, y += channels) {
        nm_pool_span s = nm_pool_span_at(pool, row, col);
        real share = j->share(pool, s);
        memset(y, 0, (size_t)channels * sizeof *y);
        for (int h = s.h0; h < s.h1; h++)
            for (int w = s.w0; w < s.w1; w++) {
                const real *restrict from = x + nm_pool_pixel(pool, h, w);
                for (int c = 0; c < channels; c++)
                    y[c] += from[c];
            }
        for (int c = 0; c < channels; c++)
            y[c] *= share;
    }
}

static inline void nm_pool_sum_forward(const nm_pass *p, const void *private, nm_pool_share *share)
{
    nm_pool_sum_job j = {p, private, share};
    nm_parallel(p->threads, p->n * j.pool->out.h, nm_pool_sum_forward_task, &j);
}

/* Windows may overlap: a sample is one task. */
static inline void nm_pool_sum_backward_task(void *arg, int task, int thread)
{
    (void)thread;
    const nm_pool_sum_job *j = arg;
    const nm_pool *pool = j->pool;
    int channels = pool->in.c;
    const real *restrict dy = j->p->dy + (size_t)task * nm_shape_size(pool->out);
    real *dx = j->p->dx[0] + (size_t)task * nm_shape_size(pool->in);
    memset(dx, 0, nm_shape_size(pool->in) * sizeof *dx);
    for (int row = 0; row < pool->out.h; row++)
        for (int col = 0; col < pool->out.w; col++, dy += channels) {
            nm_pool_span s = nm_pool_span_at(pool, row, col);
            real share = j->share(pool, s);
            for (int h = s.h0; h < s.h1; h++)
                for (int w = s.w0; w < s.w1; w++) {
                    real *restrict to = dx + nm_pool_pixel(pool, h, w);
                    for (int c = 0; c < channels; c++)
                        to[c] += share * dy[c];
                }
        }
}

static inline void nm_pool_sum_backward(const nm_pass *p, const void *private, nm_pool_share *share)
{
    nm_pool_sum_job j = {p, private, share};
    nm_parallel(p->threads, p->n, nm_pool_sum_backward_task, &j);
}

#endif
