/* Population statistics (Ioffe and Szegedy 2015, algorithm 2): before an evaluation the running
 * mean becomes the mean of the batch means, the running variance m/(m-1) times the mean of the
 * batch variances, over batches of training as training sees them, with the parameters of this
 * moment. Batch k updates with rate 1/k, which makes the running values the averages of the first
 * k. */
#include "train_run.h"

#include "alloc.h"

#include <string.h>

/* By the layer's own option, so that nothing here knows its struct. */
static bool wants_population(const nm_node *node)
{
    const nm_option *o = node->type ? nm_option_find(node->type->options, "statistics") : NULL;
    if (!o || o->type != NM_OPT_ENUM)
        return false;
    int chosen = *(const int *)((const char *)node->self + o->offset);
    return strcmp(o->choices[chosen], "population") == 0;
}

nm_status nm_population_find(nm_train_run *t)
{
    t->population_state = nm_alloc(t->ctx, (size_t)t->net->params + 1, sizeof *t->population_state);
    if (!t->population_state)
        return NM_FAILED;
    for (int i = 0; i < t->net->params; i++) {
        const nm_param *param = &t->net->param[i];
        t->population_state[i] = param->kind == NM_STATE && wants_population(&t->net->node[param->node]);
        t->population = t->population || t->population_state[i];
    }
    return NM_OK;
}

/* The states of the others are put back: only what asked for it is estimated. */
static void put_back(nm_train_run *t, const real *before)
{
    for (int i = 0; i < t->net->params; i++) {
        const nm_param *param = &t->net->param[i];
        if (param->kind == NM_STATE && !t->population_state[i])
            memcpy(t->net->states + param->offset, before + param->offset, param->count * sizeof(real));
    }
}

nm_status nm_population_estimate(nm_train_run *t)
{
    if (!t->population)
        return NM_OK;
    real *before = nm_alloc(t->ctx, t->net->state_count, sizeof(real));
    if (!before)
        return NM_FAILED;
    memcpy(before, t->net->states, t->net->state_count * sizeof(real));
    uint64_t epoch = (t->state.step - 1) / t->state.steps_per_epoch;
    nm_loader *loader = NULL;
    nm_status status = nm_train_run_load_from(t, epoch * t->state.steps_per_epoch, &loader);
    uint64_t used = 0, tried = 0;
    while (status == NM_OK && used < (uint64_t)t->settings->population_batches && tried < t->state.steps_per_epoch) {
        const nm_loaded *loaded = nm_train_run_next(t, loader);
        uint64_t step = epoch * t->state.steps_per_epoch + tried++;
        if (loaded->batch < t->loading.batch && used > 0)
            break; /* the short batch at the end would count as much as a whole one */
        used++;
        nm_batch batch = {.n = loaded->batch,
                          .x = &loaded->x,
                          .targets = nm_target_maker_make(&t->targets, loaded),
                          .seed = t->state.seed,
                          .step = (uint32_t)step,
                          .statistics_rate = 1.0 / (double)used};
        if (nm_plan_run(t->plan, &batch, NM_PHASE_FORWARD).failed)
            status = NM_FAILED;
    }
    nm_loader_free(loader);
    if (status == NM_OK)
        put_back(t, before);
    nm_free(before);
    return status;
}
