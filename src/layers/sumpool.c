/* The sum of each window; padding adds nothing. */
#include "pool_sum.h"

static const nm_option options[] = {NM_POOL_OPTIONS, {0}};

static real one(const void *self, nm_pool_span s)
{
    (void)self;
    (void)s;
    return 1;
}

static void sumpool_forward(const nm_pass *p, const void *self)
{
    nm_pool_sum_forward(p, self, one);
}

static void sumpool_backward(const nm_pass *p, const void *self)
{
    nm_pool_sum_backward(p, self, one);
}

extern const nm_layer_type NM_ISA(nm_layer_sumpool);
const nm_layer_type NM_ISA(nm_layer_sumpool) = {
    .name = "sumpool",
    .help = "The sum of each window",
    .size = sizeof(nm_pool),
    .options = options,
    .least_inputs = 1,
    .most_inputs = 1,
    .infer = nm_pool_infer,
    .forward = sumpool_forward,
    .backward = sumpool_backward,
    .window = nm_pool_window,
};
