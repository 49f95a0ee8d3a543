/* The mean of each window: its sum over the window's area, padding counted as zeros, or (count_pad
 * off) over the pixels that lie in the input. With `ceil`, what hangs over the padded input is
 * never counted. */
#include "pool_sum.h"

typedef struct avgpool {
    nm_pool pool; /* first: the shared functions take it for the whole */
    bool count_pad;
} avgpool;

static const nm_option options[] = {
    NM_POOL_OPTIONS,
    {"count_pad", NM_OPT_BOOL, offsetof(avgpool, count_pad), "true", .help = "padding counts in the mean, as zeros"},
    {0},
};

static real share_of(const void *private, nm_pool_span s)
{
    const avgpool *self = private;
    const nm_pool *pool = &self->pool;
    int h = s.h1 - s.h0, w = s.w1 - s.w0;
    if (self->count_pad) {
        int bottom = pool->in.h + pool->pad.bottom, right = pool->in.w + pool->pad.right;
        h = (s.row0 + pool->size[0] < bottom ? s.row0 + pool->size[0] : bottom) - s.row0;
        w = (s.col0 + pool->size[1] < right ? s.col0 + pool->size[1] : right) - s.col0;
    }
    return (real)(1.0 / ((double)h * w));
}

static void avgpool_forward(const nm_pass *p, const void *self)
{
    nm_pool_sum_forward(p, self, share_of);
}

static void avgpool_backward(const nm_pass *p, const void *self)
{
    nm_pool_sum_backward(p, self, share_of);
}

extern const nm_layer_type NM_ISA(nm_layer_avgpool);
const nm_layer_type NM_ISA(nm_layer_avgpool) = {
    .name = "avgpool",
    .help = "The mean of each window",
    .size = sizeof(avgpool),
    .options = options,
    .least_inputs = 1,
    .most_inputs = 1,
    .keeps_probabilities = true,
    .infer = nm_pool_infer,
    .forward = avgpool_forward,
    .backward = avgpool_backward,
    .window = nm_pool_window,
};
