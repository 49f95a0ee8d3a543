/* Undoes a max pool (Zeiler, Fergus 2014; PyTorch's MaxUnpool2d): each value goes to the place
 * where the pool that `pool` names found its largest input, zeros elsewhere. HxWxC as the pool's
 * output to HxWxC as its input. The places are recomputed from the pool's input, which is this
 * layer's last input (the network links it). Windows that overlap add up, so that unpool is always
 * the transpose of the pool's choice. */
#include "pool.h"

#include <string.h>

typedef struct unpool {
    char *pool;
    nm_pool window; /* the pool's */
} unpool;

static const nm_option options[] = {
    {"pool", NM_OPT_STRING, offsetof(unpool, pool), NULL, .help = "name of the maxpool that it undoes"},
    {0},
};

static nm_status unpool_infer(nm_infer *e, void *private)
{
    unpool *self = private;
    self->window = *(const nm_pool *)e->pair;
    if (!nm_shape_same(e->in[0], self->window.out))
        return nm_fail(e->ctx, NM_INVALID,
                       "%s: its input is " NM_SHAPE_FMT "; expected " NM_SHAPE_FMT ", what '%s' gives", e->who,
                       NM_SHAPE_ARGS(e->in[0]), NM_SHAPE_ARGS(self->window.out), self->pool);
    e->out = self->window.in;
    return NM_OK;
}

static nm_status unpool_plan(nm_reservation *b, const void *self, void *chosen)
{
    (void)self;
    (void)chosen;
    if (b->backward)
        b->saved = (size_t)b->n * nm_shape_size(b->xs[0]) * sizeof(int32_t);
    b->scratch = (size_t)b->n * nm_shape_size(b->xs[0]) * sizeof(int32_t);
    return NM_OK;
}

/* Offset, within a sample of the pool's input, of the largest value of channel c in the window (the
 * first of equals; a NaN wins), as maxpool has it. */
static int32_t unpool_place(const nm_pool *pool, const real *x, nm_pool_span s, int c)
{
    size_t best = nm_pool_pixel(pool, s.h0, s.w0) + (size_t)c;
    for (int h = s.h0; h < s.h1; h++)
        for (int w = s.w0; w < s.w1; w++) {
            size_t at = nm_pool_pixel(pool, h, w) + (size_t)c;
            if (x[at] > x[best] || x[at] != x[at])
                best = at;
        }
    return (int32_t)best;
}

typedef struct job {
    const nm_pass *p;
    const nm_pool *pool;
    int32_t *places;
} job;

static void unpool_forward_task(void *arg, int task, int thread)
{
    (void)thread;
    const job *j = arg;
    const nm_pool *pool = j->pool;
    size_t from = (size_t)task * nm_shape_size(pool->out), to = (size_t)task * nm_shape_size(pool->in);
    const real *x = j->p->x[0] + from, *pooled = j->p->x[j->p->inputs - 1] + to;
    real *y = j->p->y + to;
    int32_t *at = j->places + from;
    memset(y, 0, nm_shape_size(pool->in) * sizeof *y);
    for (int row = 0; row < pool->out.h; row++)
        for (int col = 0; col < pool->out.w; col++) {
            nm_pool_span s = nm_pool_span_at(pool, row, col);
            for (int c = 0; c < pool->in.c; c++) {
                *at = unpool_place(pool, pooled, s, c);
                y[*at++] += *x++;
            }
        }
}

static void unpool_forward(const nm_pass *p, const void *self)
{
    job j = {p, &((const unpool *)self)->window, p->backward ? p->saved : p->scratch};
    nm_parallel(p->threads, p->n, unpool_forward_task, &j);
}

static void unpool_backward_task(void *arg, int task, int thread)
{
    (void)thread;
    const job *j = arg;
    size_t count = nm_shape_size(j->pool->out), from = (size_t)task * count;
    const real *dy = j->p->dy + (size_t)task * nm_shape_size(j->pool->in);
    for (size_t i = 0; i < count && j->p->dx[0]; i++)
        j->p->dx[0][from + i] = dy[j->places[from + i]];
}

static void unpool_backward(const nm_pass *p, const void *self)
{
    job j = {p, &((const unpool *)self)->window, p->saved};
    nm_parallel(p->threads, p->n, unpool_backward_task, &j);
    if (p->dx[1]) /* the places change in steps: no gradient */
        memset(p->dx[1], 0, (size_t)p->n * nm_shape_size(p->xs[1]) * sizeof(real));
}

static void unpool_window(const void *private, nm_window *w)
{
    const unpool *self = private;
    nm_pool_window(&self->window, w);
    w->transposed = true;
}

extern const nm_layer_type NM_ISA(nm_layer_unpool);
const nm_layer_type NM_ISA(nm_layer_unpool) = {
    .name = "unpool",
    .help = "Puts each value where a max pool found its largest input",
    .size = sizeof(unpool),
    .options = options,
    .least_inputs = 1,
    .most_inputs = 1,
    .undoes = "maxpool",
    .partner_offset = offsetof(unpool, pool),
    .infer = unpool_infer,
    .plan = unpool_plan,
    .forward = unpool_forward,
    .backward = unpool_backward,
    .window = unpool_window,
};
