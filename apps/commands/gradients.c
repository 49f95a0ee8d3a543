/* The network at work: random images and targets, forward and backward from one state. */
#include "gradients.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void *gradients_memory(nm_context *ctx, size_t count, size_t size)
{
    void *block = calloc(count ? count : 1, size);
    if (!block)
        (void)nm_fail(ctx, NM_FAILED, "out of memory: %zu bytes could not be had", count * size);
    return block;
}

/* Of a layer that there is. */
static nm_layer_info layer_of(const gradients *g, int layer)
{
    nm_layer_info info = NM_LAYER_INFO_INIT;
    (void)nm_network_layer(g->ctx, g->net, layer, &info);
    return info;
}

size_t gradients_layer_size(const gradients *g, int layer)
{
    nm_layer_info info = layer_of(g, layer);
    return (size_t)info.height * (size_t)info.width * (size_t)info.channels;
}

/* Random labels that every loss of classes has, values for the others; space for the largest
 * prediction. */
static nm_status make_targets(gradients *g)
{
    size_t places = 1, numbers = 1;
    int classes = 1 << 30;
    for (int i = 0; i < nm_network_objectives(g->net); i++) {
        nm_layer_info s = layer_of(g, g->judged[i].info.layer);
        size_t here = (size_t)g->batch.n * (size_t)s.height * (size_t)s.width, all = here * (size_t)s.channels;
        places = here > places ? here : places;
        numbers = all > numbers ? all : numbers;
        classes = s.channels < classes ? s.channels : classes;
    }
    g->batch.labels = g->labels = gradients_memory(g->ctx, places, sizeof *g->labels);
    g->batch.values = g->values = gradients_memory(g->ctx, numbers, sizeof *g->values);
    if (!g->labels || !g->values)
        return NM_FAILED;
    for (size_t k = 0; k < places; k++)
        g->labels[k] = (int32_t)nm_rng_below(&g->rng, (uint32_t)classes);
    for (size_t k = 0; k < numbers; k++)
        g->values[k] = (nm_real)nm_rng_uniform(&g->rng);
    return NM_OK;
}

static nm_status make_images(gradients *g)
{
    int inputs = nm_network_inputs(g->net);
    if (!(g->x = gradients_memory(g->ctx, (size_t)inputs, sizeof *g->x)))
        return NM_FAILED;
    for (int i = 0; i < inputs; i++) {
        size_t count = (size_t)g->batch.n * gradients_layer_size(g, i);
        if (!(g->x[i] = gradients_memory(g->ctx, count, sizeof *g->x[i])))
            return NM_FAILED;
        for (size_t k = 0; k < count; k++)
            g->x[i][k] = (nm_real)nm_rng_normal(&g->rng);
    }
    g->batch.inputs = (const nm_real *const *)g->x;
    return NM_OK;
}

/* Parameter `index`, which there is. */
static nm_parameter parameter_of(const gradients *g, int index)
{
    nm_parameter p = NM_PARAMETER_INIT;
    (void)nm_network_parameter(g->ctx, g->net, index, &p);
    return p;
}

static nm_status save_states(gradients *g)
{
    int count = nm_network_parameters(g->net);
    if (!(g->states = gradients_memory(g->ctx, (size_t)count, sizeof *g->states)))
        return NM_FAILED;
    for (int i = 0; i < count; i++) {
        nm_parameter p = parameter_of(g, i);
        if (p.trained)
            continue;
        if (!(g->states[i] = gradients_memory(g->ctx, p.count, sizeof *p.values)))
            return NM_FAILED;
        memcpy(g->states[i], p.values, p.count * sizeof *p.values);
    }
    return NM_OK;
}

static nm_status find_objectives(gradients *g)
{
    int count = nm_network_objectives(g->net);
    if (!(g->judged = gradients_memory(g->ctx, (size_t)count, sizeof *g->judged)))
        return NM_FAILED;
    for (int i = 0; i < count; i++) {
        judged *j = &g->judged[i];
        j->info = (nm_objective_info)NM_OBJECTIVE_INFO_INIT;
        NM_TRY(nm_network_objective(g->ctx, g->net, i, &j->info));
        snprintf(j->name, sizeof j->name, "%s of %s", j->info.loss, layer_of(g, j->info.layer).name);
        j->count = (size_t)g->batch.n * gradients_layer_size(g, j->info.layer);
        j->y = gradients_memory(g->ctx, j->count, sizeof *j->y);
        j->dy = gradients_memory(g->ctx, j->count, sizeof *j->dy);
        j->losses = gradients_memory(g->ctx, (size_t)g->batch.n, sizeof *j->losses);
        j->start = gradients_memory(g->ctx, (size_t)g->batch.n, sizeof *j->start);
        if (!j->y || !j->dy || !j->losses || !j->start)
            return NM_FAILED;
    }
    return NM_OK;
}

/* What losses read must stay readable. */
static nm_status make_trainer(gradients *g)
{
    int count = nm_network_objectives(g->net);
    int *keep = gradients_memory(g->ctx, 2 * (size_t)count, sizeof *keep);
    if (!keep)
        return NM_FAILED;
    nm_trainer_options options = NM_TRAINER_OPTIONS_INIT;
    options.batch = g->batch.n;
    options.input_gradients = options.no_optimizer = true;
    options.keep = keep;
    for (int i = 0; i < count; i++) {
        keep[options.keeps++] = g->judged[i].info.layer;
        if (g->judged[i].info.target_layer >= 0)
            keep[options.keeps++] = g->judged[i].info.target_layer;
    }
    nm_status status = nm_trainer_new(g->ctx, g->net, &options, &g->trainer);
    free(keep);
    return status;
}

nm_status gradients_forward(gradients *g)
{
    for (int i = 0; i < nm_network_parameters(g->net); i++)
        if (g->states[i]) {
            nm_parameter p = parameter_of(g, i);
            memcpy(p.values, g->states[i], p.count * sizeof *p.values);
        }
    return nm_trainer_forward(g->trainer, &g->batch);
}

nm_status gradients_run_loss(gradients *g, int i, nm_real *dy)
{
    const judged *j = &g->judged[i];
    nm_minibatch targets = g->batch;
    if (j->info.target_layer >= 0)
        targets.values = nm_trainer_layer_output(g->trainer, j->info.target_layer);
    return nm_objective_run(g->ctx, g->net, i, j->y, &targets, j->losses, dy);
}

static nm_status start(gradients *g)
{
    NM_TRY(find_objectives(g));
    NM_TRY(make_trainer(g));
    NM_TRY(save_states(g));
    NM_TRY(make_images(g));
    NM_TRY(make_targets(g));
    NM_TRY(gradients_run(g));
    NM_TRY(nm_trainer_update(g->trainer)); /* of nothing; what layers draw from now on is that of step 1 */
    return gradients_forward(g);
}

nm_status gradients_open(nm_context *ctx, nm_network *net, int batch, gradients *g)
{
    *g = (gradients){.ctx = ctx,
                     .net = net,
                     .batch = NM_MINIBATCH_INIT,
                     .rng = nm_rng_stream(nm_network_seed(net), "gradcheck", "batch")};
    g->batch.n = batch;
    NM_TRY(start(g));
    for (int i = 0; i < nm_network_objectives(net); i++) {
        judged *j = &g->judged[i];
        memcpy(j->y, nm_trainer_layer_output(g->trainer, j->info.layer), j->count * sizeof *j->y);
        NM_TRY(gradients_run_loss(g, i, j->dy));
        memcpy(j->start, j->losses, (size_t)batch * sizeof *j->start);
    }
    return NM_OK;
}

void gradients_free(gradients *g)
{
    for (int i = 0; g->x && i < nm_network_inputs(g->net); i++)
        free(g->x[i]);
    for (int i = 0; g->states && i < nm_network_parameters(g->net); i++)
        free(g->states[i]);
    for (int i = 0; g->judged && i < nm_network_objectives(g->net); i++) {
        free(g->judged[i].y);
        free(g->judged[i].dy);
        free(g->judged[i].losses);
        free(g->judged[i].start);
    }
    free(g->x);
    free(g->states);
    free(g->judged);
    free(g->labels);
    free(g->values);
    nm_trainer_free(g->trainer);
}

/* Gradients can be wrong where the loss is no number, too. */
nm_status gradients_run(gradients *g)
{
    NM_TRY(gradients_forward(g));
    nm_status status = nm_trainer_loss(g->trainer, NULL);
    return status == NM_OK || status == NM_DIVERGED ? nm_trainer_backward(g->trainer) : status;
}
