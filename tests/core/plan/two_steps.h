/* Steps of training whose batch is cut in some way, and what they sum against the whole batch's. */
#ifndef TWO_STEPS_H
#define TWO_STEPS_H

#include "layer_check.h"

typedef struct outcome {
    nm_network *net;
    nm_plan *plan;
    nm_result result; /* of the second step */
} outcome;

/* The same step twice: nothing may stay behind but the running statistics. x: [n] samples. */
static inline outcome two_steps(const char *text, nm_request request, int n, const real *x, const int32_t *labels)
{
    const real *xs[1] = {x};
    nm_batch batch = {.n = n, .x = xs, .targets = {.labels = labels}, .seed = 5, .step = 3};
    outcome o = {.net = built(text)};
    o.plan = plan_for(o.net, request);
    nm_plan_run(o.plan, &batch, NM_PHASE_ALL);
    o.result = nm_plan_run(o.plan, &batch, NM_PHASE_ALL);
    return o;
}

static inline void free_outcome(outcome *o)
{
    nm_plan_free(o->plan);
    nm_network_free(o->net);
}

/* in_float: the tolerance in float, of the largest value. */
static inline void ck_sums(const char *what, const real *found, const real *expected, size_t count, double in_float)
{
    if (count)
        check_alike(what, found, expected, count, sizeof(real) == 8 ? 1e-12 : in_float);
}

#endif
