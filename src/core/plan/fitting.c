/* Plans that fit into memory. */
#include "plan.h"

#include "memory_left.h"

#include <stdio.h>

size_t nm_plan_bytes(const nm_plan *plan)
{
    const nm_plan_memory *m = &plan->memory;
    return m->activations + m->scratch + (size_t)plan->request.threads * m->thread_scratch + m->gradients + m->sums;
}

static size_t needed(const nm_plan *plan, const nm_beside *beside)
{
    return nm_plan_bytes(plan) + beside->fixed + (size_t)plan->request.batch * beside->per_sample;
}

/* How many samples at once fit: the largest power of two below what was asked for. 0: none. */
static int samples_that_fit(const nm_plan *plan, const nm_beside *beside, size_t left)
{
    nm_request request = plan->request;
    int *samples = request.mode == NM_TRAIN ? &request.micro : &request.batch, fit = 1;
    while (2 * fit < *samples)
        fit *= 2;
    for (fit = *samples > 1 ? fit : 0; fit > 0; fit /= 2) {
        nm_plan *smaller;
        *samples = fit;
        request.dry = true;
        if (nm_plan_new(plan->net, &request, &smaller) != NM_OK)
            return 0;
        bool fits = needed(smaller, beside) <= left;
        nm_plan_free(smaller);
        if (fits)
            break;
    }
    return fit;
}

static nm_status refuse(const nm_plan *plan, const nm_beside *beside, size_t left, const char *limit)
{
    const nm_request *q = &plan->request;
    char need_text[32], left_text[32], way[160], micro[64] = "";
    bool training = q->mode == NM_TRAIN;
    bool cuts = beside->flag && !plan->sharding.shards; /* which go with no micro-batches */
    int fit = cuts ? samples_that_fit(plan, beside, left) : 0;
    if (fit)
        snprintf(way, sizeof way, "%s%d makes it fit", beside->flag, fit);
    else if (!cuts)
        snprintf(way, sizeof way, "give it more memory, or take a smaller batch or network");
    else
        snprintf(way, sizeof way, "no %s fits; give it more memory, or take a smaller %snetwork",
                 training ? "micro-batch" : "batch", training ? "batch or " : "");
    if (training && q->micro < q->batch)
        snprintf(micro, sizeof micro, " in micro-batches of %d", q->micro);
    return nm_fail(plan->net->ctx, NM_FAILED,
                   "%s a batch of %d%s needs %s of memory beyond what is in use; %s leaves %s: %s",
                   training ? "training on" : "evaluating", q->batch, micro,
                   nm_memory_text(needed(plan, beside), need_text), limit, nm_memory_text(left, left_text), way);
}

nm_status nm_check_memory(const nm_plan *plan)
{
    static const nm_beside nothing = {0};
    const nm_beside *beside = plan->request.beside ? plan->request.beside : &nothing;
    const char *limit;
    size_t left = nm_memory_left(beside->untouched, &limit);
    return needed(plan, beside) <= left ? NM_OK : refuse(plan, beside, left, limit);
}
