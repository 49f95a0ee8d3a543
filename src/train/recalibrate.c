/* Passes over the training split that look at batch norm's statistics. */
#include "recalibrate.h"

#include "alloc.h"
#include "evaluate.h"

#include <math.h>
#include <string.h>

static nm_loader_settings loading_of(const nm_recalibration *how)
{
    return (nm_loader_settings){.samples = how->samples,
                                .limit = how->limit,
                                .batch = how->batch,
                                .shuffle = true,
                                .normalisation = how->normalisation,
                                .binary = how->binary,
                                .seed = how->seed};
}

static nm_status plan_for(nm_context *ctx, nm_network *net, const nm_recalibration *how, nm_mode mode, nm_plan **plan)
{
    nm_request request = {.mode = mode, .batch = how->batch, .threads = nm_context_threads(ctx)};
    return nm_plan_new(net, &request, plan);
}

nm_status nm_recalibrate(nm_context *ctx, nm_network *net, const nm_recalibration *how)
{
    nm_loader_settings settings = loading_of(how);
    nm_loader *loader = NULL;
    nm_plan *plan = NULL;
    nm_status status = plan_for(ctx, net, how, NM_TRAIN, &plan);
    if (status == NM_OK)
        status = nm_loader_new(ctx, &settings, &loader);
    for (size_t i = 0; status == NM_OK && i < net->state_count; i++)
        if (!isfinite((double)net->states[i])) /* the first batch replaces it: 0 times NaN would stay NaN */
            net->states[i] = 0;
    double seen = 0;
    for (int i = 0, steps = loader ? nm_loader_steps_per_epoch(loader) : 0; i < steps; i++) {
        const nm_loaded *b = nm_loader_next(loader);
        if (b->n == 1 && seen > 0) /* has no variance after a dense layer */
            continue;
        seen += b->n;
        nm_plan_run(
            plan,
            &(nm_batch){.n = b->n, .x = &b->x, .seed = how->seed, .step = (uint32_t)i, .statistics_rate = b->n / seen},
            NM_PHASE_FORWARD);
    }
    nm_loader_free(loader);
    nm_plan_free(plan);
    return status;
}

typedef struct gap {
    nm_plan *plan[2]; /* train, eval */
    nm_loader *loader;
    nm_target_maker targets;
    real *states;
} gap;

static nm_status open_gap(nm_context *ctx, nm_network *net, const nm_recalibration *how, int classes, gap *g)
{
    nm_loader_settings settings = loading_of(how);
    NM_TRY(nm_check_fit(ctx, net, how->samples, classes));
    NM_TRY(plan_for(ctx, net, how, NM_TRAIN, &g->plan[0]));
    NM_TRY(plan_for(ctx, net, how, NM_EVAL, &g->plan[1]));
    NM_TRY(nm_target_maker_new(ctx, net, how->batch, &g->targets));
    g->states = nm_alloc(ctx, net->state_count + 1, sizeof *g->states);
    if (!g->states)
        return NM_FAILED;
    memcpy(g->states, net->states, net->state_count * sizeof *g->states);
    return nm_loader_new(ctx, &settings, &g->loader);
}

nm_status nm_mode_gap(nm_context *ctx, nm_network *net, const nm_recalibration *how, int classes, int batches,
                      double *train_loss, double *eval_loss)
{
    gap g = {0};
    double sum[2] = {0}, seen = 0;
    nm_status status = open_gap(ctx, net, how, classes, &g);
    int steps = status == NM_OK ? nm_loader_steps_per_epoch(g.loader) : 0;
    for (int i = 0; i < batches && i < steps; i++) {
        const nm_loaded *b = nm_loader_next(g.loader);
        nm_batch batch = {.n = b->n,
                          .x = &b->x,
                          .targets = nm_target_maker_make(&g.targets, b),
                          .seed = how->seed,
                          .step = (uint32_t)i};
        if (b->n == 1 && seen > 0)
            break;
        for (int mode = 0; mode < 2; mode++) {
            nm_plan_run(g.plan[mode], &batch, NM_PHASE_FORWARD);
            sum[mode] += nm_plan_run(g.plan[mode], &batch, NM_PHASE_LOSS).loss_sum;
            memcpy(net->states, g.states, net->state_count * sizeof *g.states);
        }
        seen += b->n;
    }
    *train_loss = sum[0] / seen;
    *eval_loss = sum[1] / seen;
    nm_loader_free(g.loader);
    nm_target_maker_free(&g.targets);
    nm_plan_free(g.plan[0]);
    nm_plan_free(g.plan[1]);
    nm_free(g.states);
    return status;
}
