#include "training_step.h"

#include "finite.h"

#include <math.h>
#include <stdio.h>

static bool find_parameter(const nm_network *net, nm_bad_number *bad)
{
    for (int i = 0; i < net->params; i++)
        if (!nm_all_finite(nm_param_values(net, &net->param[i]), net->param[i].count)) {
            snprintf(bad->where, sizeof bad->where, "%s", net->param[i].name);
            return bad->found = true;
        }
    return false;
}

void nm_find_bad_number(nm_network *net, const nm_batch *batch, const nm_result *result, nm_bad_number *bad)
{
    char culprit[NM_CULPRIT], loss[80] = "the loss";
    *bad = (nm_bad_number){0};
    if (isfinite(result->loss_sum) && nm_all_finite(net->states, net->state_count))
        return;
    if (find_parameter(net, bad))
        return;
    bad->found = true;
    if (net->objectives == 1)
        snprintf(loss, sizeof loss, "the loss, %s of %s", net->objective->type->name,
                 net->node[net->objective->from].name);
    if (batch->n > 0 && nm_find_culprit(net, NM_TRAIN, batch, culprit))
        snprintf(bad->where, sizeof bad->where, "%s, and so %s,", culprit, loss);
    else
        snprintf(bad->where, sizeof bad->where, "%s", loss);
}

void nm_training_step_update(const nm_training_step *step, const nm_batch *batch, uint64_t done, nm_bad_number *bad)
{
    if (step->watch && (done + 1) % (uint64_t)step->watch_every == 0)
        nm_watch_row(step->watch, step->plan, batch, done + 1);
    bad->found = step->optimization && nm_optimization_step(step->optimization, step->plan, done) != NM_UPDATED &&
                 nm_optimization_find_bad(step->optimization, step->plan, bad->where, sizeof bad->where);
}

nm_result nm_training_step_run(const nm_training_step *step, const nm_batch *batch, uint64_t done, nm_bad_number *bad)
{
    nm_result result = nm_plan_run(step->plan, batch, NM_PHASE_ALL);
    nm_find_bad_number(step->net, batch, &result, bad);
    if (!bad->found)
        nm_training_step_update(step, batch, done, bad);
    return result;
}
