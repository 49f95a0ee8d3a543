/* The mean of each window: its sum over the window's area, padding counted as zeros, or (count_pad off) over the pixels
 * that lie in the input. With `ceil`, what hangs over the padded input is never counted. */
#include "pool.h"

#include <string.h>

typedef struct avgpool {
    nm_pool pool; /* first: the shared functions take it for the whole */
    bool count_pad;
} avgpool;

static const nm_option options[] = {
    NM_POOL_OPTIONS,
    {"count_pad", NM_OPT_BOOL, offsetof(avgpool, count_pad), "true", .help = "padding counts in the mean, as zeros"},
    {0},
};

typedef struct job {
    const nm_pass *p;
    const avgpool *self;
} job;

static real share_of(const avgpool *self, nm_pool_span s)
{
    const nm_pool *pool = &self->pool;
    int h = s.h1 - s.h0, w = s.w1 - s.w0;
    if (self->count_pad) {
        int bottom = pool->in.h + pool->pad.bottom, right = pool->in.w + pool->pad.right;
        h = (s.row0 + pool->size[0] < bottom ? s.row0 + pool->size[0] : bottom) - s.row0;
        w = (s.col0 + pool->size[1] < right ? s.col0 + pool->size[1] : right) - s.col0;
    }
    return (real)(1.0 / ((double)h * w));
}

static void forward_task(void *arg, int task, int thread)
{
    (void)thread;
    const job *j = arg;
    const nm_pool *pool = &j->self->pool;
    int sample = task / pool->out.h, row = task % pool->out.h, channels = pool->in.c;
    const real *x = j->p->x[0] + (size_t)sample * nm_shape_size(pool->in);
    real *restrict y = j->p->y + (size_t)task * (size_t)pool->out.w * (size_t)channels;
    for (int col = 0; col < pool->out.w; col++, y += channels) {
        nm_pool_span s = nm_pool_span_at(pool, row, col);
        real share = share_of(j->self, s);
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

static void forward(const nm_pass *p, const void *self)
{
    job j = {p, self};
    nm_parallel(p->threads, p->n * j.self->pool.out.h, forward_task, &j);
}

static void backward_task(void *arg, int task, int thread)
{
    (void)thread;
    const job *j = arg;
    const nm_pool *pool = &j->self->pool;
    int channels = pool->in.c;
    const real *restrict dy = j->p->dy + (size_t)task * nm_shape_size(pool->out);
    real *dx = j->p->dx[0] + (size_t)task * nm_shape_size(pool->in);
    memset(dx, 0, nm_shape_size(pool->in) * sizeof *dx);
    for (int row = 0; row < pool->out.h; row++)
        for (int col = 0; col < pool->out.w; col++, dy += channels) {
            nm_pool_span s = nm_pool_span_at(pool, row, col);
            real share = share_of(j->self, s);
            for (int h = s.h0; h < s.h1; h++)
                for (int w = s.w0; w < s.w1; w++) {
                    real *restrict to = dx + nm_pool_pixel(pool, h, w);
                    for (int c = 0; c < channels; c++)
                        to[c] += share * dy[c];
                }
        }
}

static void backward(const nm_pass *p, const void *self)
{
    job j = {p, self};
    nm_parallel(p->threads, p->n, backward_task, &j);
}

extern const nm_layer_type NM_ISA(nm_layer_avgpool);
const nm_layer_type NM_ISA(nm_layer_avgpool) = {
    .name = "avgpool",
    .help = "The mean of each window",
    .size = sizeof(avgpool),
    .options = options,
    .least_inputs = 1,
    .most_inputs = 1,
    .infer = nm_pool_infer,
    .forward = forward,
    .backward = backward,
    .window = nm_pool_window,
};
