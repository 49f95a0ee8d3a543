#include "divergence.h"

#include "alloc.h"
#include "finite.h"

#include <stdio.h>
#include <string.h>

static int first_not_finite(const nm_network *net, const nm_plan *plan, const nm_batch *batch)
{
    for (int i = 0; i < net->nodes; i++) {
        const real *y = i < net->inputs ? batch->x[i] : nm_plan_output(plan, i);
        if (y && !nm_all_finite(y, (size_t)batch->n * nm_shape_size(net->node[i].out)))
            return i;
    }
    return -1;
}

/* By a plan that keeps what each layer gives; in training it moves running statistics, which are
 * put back. */
static int find(nm_network *net, nm_mode mode, const nm_batch *batch)
{
    nm_request request = {.mode = mode, .batch = batch->n, .threads = nm_context_threads(net->ctx), .keep_all = true};
    size_t count = mode == NM_TRAIN ? net->state_count : 0;
    real *states = count ? nm_alloc(net->ctx, count, sizeof *states) : NULL;
    nm_plan *plan = NULL;
    int found = -1;
    if ((states || !count) && nm_plan_new(net, &request, &plan) == NM_OK) {
        if (count)
            memcpy(states, net->states, count * sizeof *states);
        nm_plan_run(plan, batch, NM_PHASE_FORWARD);
        found = first_not_finite(net, plan, batch);
        if (count)
            memcpy(net->states, states, count * sizeof *states);
    }
    nm_plan_free(plan);
    nm_free(states);
    return found;
}

bool nm_find_culprit(nm_network *net, nm_mode mode, const nm_batch *batch, char text[NM_CULPRIT])
{
    int i = find(net, mode, batch);
    text[0] = '\0';
    if (i >= net->inputs)
        snprintf(text, NM_CULPRIT, "the output of %s", net->node[i].label);
    else if (i >= 0)
        snprintf(text, NM_CULPRIT, "input '%s'", net->node[i].name);
    return i >= 0;
}

bool nm_find_not_finite(const nm_network *net, const nm_train_state *state, char *text, size_t size)
{
    for (int i = 0; i < net->params; i++) {
        const nm_param *p = &net->param[i];
        int slots = state && p->kind != NM_STATE ? state->slots : 0;
        const char *slot = nm_all_finite(nm_param_values(net, p), p->count) ? NULL : "";
        for (int s = 0; s < slots && !slot; s++)
            slot = nm_all_finite(state->slot[s] + p->offset, p->count) ? NULL : state->slot_names[s];
        if (!slot)
            continue;
        snprintf(text, size, "%s%s%s", slot, *slot ? " of " : "", p->name);
        return true;
    }
    return false;
}
