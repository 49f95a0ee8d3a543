/* Setting a training run up: everything that can be wrong with the request is found here, before
 * anything is written. */
#include "resume.h"

#include "alloc.h"
#include "digest.h"
#include "gemm.h"
#include "idle.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- settings and network ------------------------------------------------------------------ */

/* The settings and the network; the errors of both are reported. */
static nm_status open_network(nm_train_run *t)
{
    NM_TRY(nm_yaml_copy(t->ctx, t->request->document, &t->document));
    nm_yaml *document = t->document;
    t->document = NULL; /* the network's, also where it cannot be opened */
    NM_TRY(nm_network_open(t->ctx, document, &nm_train_section, &t->net));
    t->document = document;
    t->settings = nm_settings_of(t->net);
    return NM_OK;
}

/* A run that is resumed before its first checkpoint starts as a new one does. */
static nm_status take_values(nm_train_run *t)
{
    bool goes_on = false;
    if (t->request->resume && t->request->run)
        NM_TRY(nm_run_dir_has_checkpoint(t->ctx, t->request->run, &goes_on));
    return goes_on ? NM_OK : nm_network_take_values(t->ctx, t->net, &t->taken);
}

static nm_status initialise(nm_train_run *t, char digest[65])
{
    nm_network_initialise(t->net, (uint64_t)t->settings->seed);
    NM_TRY(take_values(t));
    nm_bytes *blocks = nm_alloc(t->ctx, 2 * (size_t)t->net->params + 1, sizeof *blocks);
    if (!blocks)
        return NM_FAILED;
    for (int i = 0; i < t->net->params; i++) {
        const nm_param *param = &t->net->param[i];
        blocks[2 * i] = (nm_bytes){param->name, strlen(param->name) + 1};
        blocks[2 * i + 1] = (nm_bytes){nm_param_values(t->net, param), param->count * sizeof(real)};
    }
    nm_digest(blocks, 2 * t->net->params, digest);
    nm_free(blocks);
    return NM_OK;
}

/* ---- data ---------------------------------------------------------------------------------- */

/* The names of the classes, one a line. */
static nm_status name_classes(nm_train_run *t)
{
    size_t size = 1;
    for (int c = 0; c < t->data->classes; c++)
        size += strlen(t->data->class_names[c]) + 1;
    if (!(t->classes = nm_alloc(t->ctx, size, 1)))
        return NM_FAILED;
    char *end = t->classes;
    for (int c = 0; c < t->data->classes; c++)
        end += sprintf(end, "%s%s", c ? "\n" : "", t->data->class_names[c]);
    t->state.classes = t->classes;
    return NM_OK;
}

/* Of what failed with messages from `first` on: they begin with where the setting was given. */
static nm_status place_errors(nm_train_run *t, const char *key, int first, nm_status status)
{
    const nm_yaml *given = nm_yaml_get(nm_yaml_get(t->document, "train"), key);
    char place[512];
    nm_yaml_place(given, place, sizeof place);
    if (status == NM_INVALID && given && *place)
        nm_errors_place(t->ctx, first, place);
    return status;
}

static nm_status open_data(nm_train_run *t)
{
    int first = nm_error_count(t->ctx);
    NM_TRY(place_errors(t, "data", first, nm_train_run_open_data(t)));
    nm_status status = nm_check_fit(t->ctx, t->net, &t->data->train, t->data->classes);
    if (status == NM_OK && t->data->train.count == 0)
        status = nm_fail(t->ctx, NM_INVALID, "%s: it has no training samples", t->data->found);
    NM_TRY(status);
    NM_TRY(nm_dataset_normalisation(t->ctx, &t->data->train, &t->state.normalisation));
    if (t->keeps || t->processes)
        nm_train_run_digest_data(t);
    t->state.data = t->data->name;
    return name_classes(t);
}

/* Stands for the number of training samples where the data is not opened: more than any batch. */
enum { SAMPLES_UNKNOWN = 1 << 24 };

/* How an epoch is cut into steps. A single sample that is left at its end is passed over, as batch
 * norm after a dense layer could not be trained on it; in every network, so that those with and
 * without batch norm see the same batches. Which sample that is changes with every reshuffle. */
static nm_status count_steps(nm_train_run *t)
{
    bool save_epochs;
    const nm_train_settings *s = t->settings;
    int all = t->data ? t->data->train.count : SAMPLES_UNKNOWN;
    int count = s->limit > 0 && s->limit < all ? s->limit : all;
    int batch = s->batch < count ? s->batch : count;
    t->loading = (nm_loader_settings){.samples = t->data ? &t->data->train : NULL,
                                      .limit = s->limit,
                                      .batch = batch,
                                      .shuffle = s->shuffle,
                                      .augmentation = s->augment.count ? &t->augmentation : NULL,
                                      .normalisation = t->state.normalisation,
                                      .binary = s->binary,
                                      .seed = (uint64_t)s->seed};
    t->loader_steps = nm_ceil_div(count, batch);
    bool pass_over = batch > 1 && count % batch == 1;
    t->state.steps_per_epoch = (uint64_t)(t->loader_steps - pass_over);
    t->steps = s->steps > 0 ? (uint64_t)s->steps : (uint64_t)s->epochs * t->state.steps_per_epoch;
    t->row_every = s->eval_every > 0 ? (uint64_t)s->eval_every : t->state.steps_per_epoch;
    NM_TRY(nm_read_save_every(t->settings->save_every, &t->save_every, &save_epochs)); /* has been checked */
    t->save_every *= save_epochs ? t->state.steps_per_epoch : 1;
    if (t->steps > UINT32_MAX)
        return nm_fail(t->ctx, NM_INVALID, "%s: %llu steps are more than can be counted", t->document->file,
                       (unsigned long long)t->steps);
    return NM_OK;
}

nm_status nm_train_run_load_from(nm_train_run *t, uint64_t step, nm_loader **loader)
{
    nm_loader_settings settings = t->loading;
    uint64_t epoch_steps = t->state.steps_per_epoch;
    settings.first_step = step / epoch_steps * (uint64_t)t->loader_steps + step % epoch_steps;
    return nm_loader_new(t->ctx, &settings, loader);
}

const nm_loaded *nm_train_run_next(const nm_train_run *t, nm_loader *loader)
{
    const nm_loaded *loaded = nm_loader_next(loader);
    while (loaded->position >= t->state.steps_per_epoch)
        loaded = nm_loader_next(loader);
    return loaded;
}

/* ---- the run directory ---------------------------------------------------------------------- */

static nm_status open_run(nm_train_run *t)
{
    const nm_train_request *r = t->request;
    if (!r->run && r->resume)
        return nm_fail(t->ctx, NM_INVALID, "to resume, name the run directory");
    if (!r->run && !r->run_stem)
        return NM_OK;
    NM_TRY(r->run ? nm_run_dir_open(t->ctx, r->run, r->resume, &t->run)
                  : nm_run_dir_open_fresh(t->ctx, r->run_stem, &t->run));
    if (t->run->has_last)
        NM_TRY(nm_train_run_resume(t));
    else if (t->request->resume)
        nm_log(t->ctx, "%s: there is nothing to resume yet: starting at step 0", t->run->path);
    char *text;
    NM_TRY(nm_model_text(t->ctx, t->document, &text));
    nm_status status = nm_run_dir_model(t->run, text);
    nm_free(text);
    NM_TRY(status);
    NM_TRY(nm_watch_open(t->watch, t->run, t->state.step));
    return nm_run_dir_metrics(t->run, t->state.history, t->row_seconds, t->state.history_count);
}

/* ---- opening and closing -------------------------------------------------------------------- */

/* Memory of training beside its plan: the optimizer's slots and the evaluator's plan are there, the
 * loader and checkpoints, which are built in memory and then copied, will come. */
static nm_beside beside_plan(const nm_train_run *t)
{
    size_t weights = t->net->weight_count * sizeof(real), slots = nm_optimization_bytes(t->optimization);
    bool saves = t->keeps && nm_processes_rank(t->processes) == 0;
    return (nm_beside){.untouched = slots + (t->evaluator ? nm_evaluator_bytes(t->evaluator) : 0),
                       .fixed = saves ? 2 * (weights + slots) : 0,
                       .per_sample = nm_loader_sample_bytes(&t->data->train),
                       .flag = "--micro-batch "};
}

/* Before the plan of training, so that what fits beside it is known there. */
static nm_status open_evaluator(nm_train_run *t)
{
    const nm_train_settings *s = t->settings;
    if (t->data->test.count == 0)
        return NM_OK;
    nm_beside beside = beside_plan(t);
    beside.flag = "--eval-batch ";
    NM_TRY(nm_check_fit(t->ctx, t->net, &t->data->test, t->data->classes));
    const nm_loader_settings loading = {.samples = &t->data->test,
                                        .batch = s->eval_batch,
                                        .normalisation = t->state.normalisation,
                                        .binary = s->binary};
    return nm_evaluator_new(t->ctx, t->net, &loading, beside, t->processes, &t->evaluator);
}

static nm_status open_plan(nm_train_run *t)
{
    nm_beside beside = beside_plan(t);
    nm_request request = {.mode = NM_TRAIN,
                          .batch = t->loading.batch,
                          .threads = nm_context_threads(t->ctx),
                          .micro = t->settings->micro_batch,
                          .shards = t->settings->shards,
                          .processes = t->processes,
                          .recompute = t->settings->recompute,
                          .beside = &beside};
    request.keep = nm_watch_nodes(t->watch, &request.keeps);
    NM_TRY(nm_plan_new(t->net, &request, &t->plan));
    int own = nm_plan_own_samples(t->plan, t->loading.batch, &t->loading.first);
    t->loading.own = own < t->loading.batch ? own : 0;
    return NM_OK;
}

static nm_status prepare(nm_train_run *t)
{
    nm_context *ctx = t->ctx;
    const nm_train_settings *s = t->settings;
    NM_TRY(nm_optimization_new(ctx, s, t->net, t->steps, t->state.steps_per_epoch, &t->optimization));
    nm_optimization_state(t->optimization, &t->state);
    NM_TRY(nm_watch_new(ctx, t->net, &s->watch, t->loading.batch, &t->watch));
    if (!t->data)
        return NM_OK;
    if (nm_optimization_parameters(t->optimization) == 0)
        return nm_yaml_fail(ctx, t->document, "there is no parameter to train");
    NM_TRY(open_evaluator(t));
    NM_TRY(open_plan(t));
    NM_TRY(nm_target_maker_new(ctx, t->net, t->loading.batch, &t->targets));
    return nm_population_find(t);
}

nm_status nm_train_run_set_up(nm_context *ctx, const nm_train_request *request, bool data, nm_train_run *t,
                              nm_train_result *result)
{
    *t = (nm_train_run){.ctx = ctx,
                        .request = request,
                        .saved_step = NM_NEVER_SAVED,
                        .started = nm_clock(),
                        .keeps = request->run || request->run_stem,
                        .processes = request->processes};
    NM_TRY(nm_gemm_check(ctx));
    NM_TRY(open_network(t));
    NM_TRY(nm_network_freeze(ctx, t->net));
    int first = nm_error_count(ctx);
    NM_TRY(place_errors(t, "augment", first, nm_augmentation_read(ctx, &t->settings->augment, &t->augmentation)));
    if (data)
        NM_TRY(open_data(t));
    NM_TRY(count_steps(t));
    NM_TRY(data ? initialise(t, result->model_digest) : nm_network_take_values(t->ctx, t->net, &t->taken));
    t->state.seed = (uint64_t)t->settings->seed;
    t->state.best_accuracy = (double)NAN;
    return prepare(t);
}

nm_status nm_train_run_open(nm_context *ctx, const nm_train_request *request, nm_train_run *t, nm_train_result *result)
{
    NM_TRY(nm_train_together(t, nm_train_run_set_up(ctx, request, true, t, result)));
    NM_TRY(nm_train_follow(t, nm_processes_rank(t->processes) == 0 ? open_run(t) : NM_OK));
    NM_TRY(nm_train_take_state(t));
    if (!(t->states = nm_alloc(ctx, t->net->state_count + 1, sizeof *t->states)))
        return NM_FAILED;
    NM_TRY(nm_idle_report(t));
    if (t->taken)
        nm_log(ctx, "%s: took %d of the model's %d parameters", t->settings->init_from, t->taken, t->net->params);
    return nm_train_run_load_from(t, t->state.step, &t->loader);
}

void nm_train_run_close(nm_train_run *t)
{
    nm_loader_free(t->loader);
    nm_evaluator_free(t->evaluator);
    nm_target_maker_free(&t->targets);
    nm_plan_free(t->plan);
    nm_watch_free(t->watch);
    nm_run_dir_close(t->run);
    nm_optimization_free(t->optimization);
    nm_free(t->population_state);
    nm_free(t->states);
    nm_free(t->state.history);
    nm_free(t->state.changes);
    nm_normalisation_free(&t->state.normalisation);
    nm_free(t->row_seconds);
    nm_free(t->classes);
    if (!t->request->cache)
        nm_dataset_free(t->data);
    if (t->net)
        nm_network_free(t->net);
    else
        nm_yaml_free(t->document);
}
