/* Evaluation: loss, accuracy and confusion over a split, each sample with the same weight. */
#include "evaluate.h"

#include "alloc.h"
#include "evaluate_share.h"

#include <limits.h>
#include <math.h>
#include <string.h>

/* ---- evaluation -------------------------------------------------------------------------- */

struct nm_evaluator {
    nm_context *ctx;
    nm_network *net;
    nm_processes *processes;
    nm_loader_settings settings;
    int count;
    int most;      /* samples of a batch that are evaluated here */
    bool by_class; /* counts for each class too */
    nm_plan *plan;
    nm_target_maker targets;
    double *sample_loss; /* [count], first of what is evaluated here, in the end of all: evaluate_share.h */
};

/* Labels that no loss holds against the prediction count nothing right or wrong. */
static void report_unjudged(nm_context *ctx, const nm_network *net)
{
    const nm_objective *o = net->objective;
    while (o < net->objective + net->objectives && o->target >= 0)
        o++;
    if (net->judge >= 0 || o == net->objective + net->objectives)
        return;
    nm_log(ctx,
           "output '%s' of " NM_SHAPE_FMT ": no loss judges it, so no accuracy is counted on data that is evaluated; "
           "the loss %s judges '%s' of " NM_SHAPE_FMT,
           net->node[net->output].name, NM_SHAPE_ARGS(net->node[net->output].out), o->type->name,
           net->node[o->from].name, NM_SHAPE_ARGS(net->node[o->from].out));
}

/* Of each batch the samples that are this process's. A batch of fewer samples than there are
 * processes is evaluated by each as if it were alone. */
static void take_share(nm_evaluator *e, nm_processes *processes)
{
    int count = nm_processes_count(processes), rank = nm_processes_rank(processes), batch = e->settings.batch;
    e->most = batch;
    if (count == 1 || batch < count)
        return;
    e->processes = processes;
    e->settings.first = (int)nm_share_first((size_t)batch, rank, count);
    e->most = (int)nm_share_first((size_t)batch, rank + 1, count) - e->settings.first;
    e->settings.own = e->most;
}

static nm_status open_evaluator(nm_evaluator *e, nm_beside beside)
{
    beside.per_sample = nm_loader_sample_bytes(e->settings.samples);
    const nm_request request = nm_evaluation_request(e->net, e->most, nm_context_threads(e->ctx), &beside);
    NM_TRY(nm_plan_new(e->net, &request, &e->plan));
    NM_TRY(nm_target_maker_new(e->ctx, e->net, e->most, &e->targets));
    e->sample_loss = nm_alloc(e->ctx, (size_t)e->count, sizeof *e->sample_loss);
    return e->sample_loss ? NM_OK : NM_FAILED;
}

nm_status nm_evaluator_new(nm_context *ctx, nm_network *net, const nm_loader_settings *loading, nm_beside beside,
                           nm_processes *processes, nm_evaluator **out)
{
    *out = NULL;
    int count = loading->samples->count;
    count = loading->limit > 0 && loading->limit < count ? loading->limit : count;
    if (count == 0)
        return nm_fail(ctx, NM_INVALID, "there are no samples to evaluate on");
    nm_evaluator *e = nm_alloc(ctx, 1, sizeof *e);
    if (!e)
        return NM_FAILED;
    *e = (nm_evaluator){.ctx = ctx, .net = net, .settings = *loading, .count = count};
    e->settings.batch = loading->batch < count ? loading->batch : count;
    take_share(e, processes);
    nm_status status = open_evaluator(e, beside);
    if (status == NM_OK) {
        report_unjudged(ctx, net);
        *out = e;
    } else {
        nm_evaluator_free(e);
    }
    return status;
}

size_t nm_evaluator_bytes(const nm_evaluator *e)
{
    return nm_plan_bytes(e->plan) + (size_t)e->most * nm_loader_sample_bytes(e->settings.samples);
}

void nm_evaluator_free(nm_evaluator *e)
{
    if (!e)
        return;
    nm_target_maker_free(&e->targets);
    nm_plan_free(e->plan);
    nm_free(e->sample_loss);
    nm_free(e);
}

/* The first of the largest scores; -1 where one is NaN or infinite: such scores name no class. */
static int predicted_class(const real *y, int classes)
{
    int best = 0;
    for (int c = 1; c < classes; c++)
        if (y[c] > y[best])
            best = c;
    return nm_all_finite(y, (size_t)classes) ? best : -1;
}

static void count_one(const nm_evaluator *e, int label, int predicted, nm_evaluation_share *sums, nm_evaluation *out)
{
    sums->counted++;
    sums->right += predicted == label;
    if (!e->by_class)
        return;
    out->of_class[label].samples++;
    out->of_class[label].right += predicted == label;
    if (predicted >= 0)
        out->of_class[predicted].predicted++;
    if (out->confusion && predicted >= 0)
        out->confusion[(size_t)label * (size_t)out->classes + (size_t)predicted]++;
}

/* Whether the loss that judges the output counts what has this label. */
static bool judged(const nm_network *net, int label)
{
    const nm_objective *judge = &net->objective[net->judge];
    return label >= 0 && (!judge->type->counts || judge->type->counts(judge->self, label));
}

/* loss: of the samples that were loaded. */
static void find_not_finite(nm_evaluator *e, const nm_loaded *loaded, const double *loss, nm_evaluation_share *sums,
                            const real *y, size_t size)
{
    for (int i = 0; i < loaded->n; i++) {
        bool finite = nm_all_finite(y + (size_t)i * size, size);
        sums->not_finite += !finite;
        if (sums->culprit_at >= 0 || (finite && isfinite(loss[i])))
            continue;
        const real *x = loaded->x + (size_t)i * nm_shape_size(e->net->node[0].out);
        (void)nm_find_culprit(e->net, NM_EVAL, &(nm_batch){.n = 1, .x = &x}, sums->culprit);
        sums->culprit_at = (int)loaded->position * e->settings.batch + e->settings.first + i;
    }
}

static void count_predictions(nm_evaluator *e, const nm_loaded *loaded, const double *loss, nm_evaluation_share *sums,
                              nm_evaluation *out)
{
    int output = e->net->output;
    const real *y = output < e->net->inputs ? loaded->x : nm_plan_output(e->plan, output);
    find_not_finite(e, loaded, loss, sums, y, nm_shape_size(e->net->node[output].out));
    size_t places = (size_t)loaded->n * nm_label_places(e->settings.samples);
    for (size_t i = 0; i < places && out->classes; i++, y += out->classes)
        if (judged(e->net, loaded->labels[i]))
            count_one(e, loaded->labels[i], predicted_class(y, out->classes), sums, out);
}

nm_result nm_find_losses(nm_plan *plan, nm_batch batch, double *sample_loss)
{
    memset(sample_loss, 0, (size_t)batch.n * sizeof *sample_loss);
    batch.sample_loss = sample_loss;
    return nm_plan_run(plan, &batch, NM_PHASE_LOSS);
}

/* Losses go to e->sample_loss, the rest to *sums. False: stopped. */
static bool run_all(nm_evaluator *e, nm_loader *loader, const volatile int *stop, nm_evaluation_share *sums,
                    nm_evaluation *out)
{
    double *loss = e->sample_loss + nm_evaluation_share_first(e->processes, e->count, e->settings.batch);
    while (out->samples < e->count) {
        if (nm_stop_wanted(stop))
            return false;
        const nm_loaded *loaded = nm_loader_next(loader);
        out->samples += loaded->batch;
        if (loaded->n == 0)
            continue;
        nm_batch batch = {.n = loaded->n, .x = &loaded->x, .targets = nm_target_maker_make(&e->targets, loaded)};
        nm_plan_run(e->plan, &batch, NM_PHASE_FORWARD);
        (void)nm_find_losses(e->plan, batch, loss);
        count_predictions(e, loaded, loss, sums, out);
        loss += loaded->n;
    }
    return true;
}

static nm_status evaluate_all(nm_evaluator *e, nm_loader *loader, const volatile int *stop, nm_evaluation *out,
                              bool *stopped)
{
    nm_evaluation_share sums = {.culprit_at = -1};
    double loss = 0;
    *stopped = !run_all(e, loader, stop, &sums, out);
    if (*stopped)
        return NM_OK;
    NM_TRY(nm_evaluation_share_join(e->processes, e->count, e->settings.batch, e->sample_loss, &sums, &loss));
    out->not_finite = sums.not_finite;
    memcpy(out->culprit, sums.culprit, sizeof out->culprit);
    out->loss = loss / out->samples;
    out->accuracy = sums.counted > 0 ? (double)sums.right / (double)sums.counted : (double)NAN;
    return NM_OK;
}

bool nm_evaluator_predicts(nm_evaluator *e, const real *x, int n, char culprit[NM_CULPRIT])
{
    int output = e->net->output;
    nm_batch batch = {.n = n < e->most ? n : e->most, .x = &x};
    nm_plan_run(e->plan, &batch, NM_PHASE_FORWARD);
    const real *y = output < e->net->inputs ? x : nm_plan_output(e->plan, output);
    bool finite = nm_all_finite(y, (size_t)batch.n * nm_shape_size(e->net->node[output].out));
    culprit[0] = '\0';
    if (!finite)
        (void)nm_find_culprit(e->net, NM_EVAL, &batch, culprit);
    return finite;
}

/* The matrix is left out where it would take too much memory, or where an int could not count what
 * falls into it. */
static nm_status make_counts(const nm_evaluator *e, nm_evaluation *out)
{
    size_t classes = (size_t)out->classes, places = nm_label_places(e->settings.samples);
    if (!e->by_class || !classes)
        return NM_OK;
    if (!(out->of_class = nm_alloc(e->ctx, classes, sizeof *out->of_class)))
        return NM_FAILED;
    if (classes > NM_MOST_CONFUSED || (size_t)e->count > (size_t)INT_MAX / places)
        return NM_OK;
    out->confusion = nm_alloc(e->ctx, classes * classes, sizeof *out->confusion);
    return out->confusion ? NM_OK : NM_FAILED;
}

nm_status nm_evaluator_run(nm_evaluator *e, const volatile int *stop, nm_evaluation *out, bool *stopped)
{
    *out = (nm_evaluation){.classes = e->net->judge >= 0 ? e->net->node[e->net->output].out.c : 0};
    *stopped = false;
    nm_loader *loader;
    NM_TRY(nm_loader_new(e->ctx, &e->settings, &loader));
    nm_status status = make_counts(e, out);
    if (status == NM_OK)
        status = evaluate_all(e, loader, stop, out, stopped);
    nm_loader_free(loader);
    if (status != NM_OK || *stopped)
        nm_evaluation_free(out);
    return status;
}

void nm_evaluation_free(nm_evaluation *e)
{
    nm_free(e->of_class);
    nm_free(e->confusion);
    *e = (nm_evaluation){0};
}

/* ---- a whole split at once --------------------------------------------------------------- */

nm_status nm_check_finite(nm_context *ctx, const nm_network *net)
{
    for (int i = 0; i < net->params; i++)
        if (!nm_all_finite(nm_param_values(net, &net->param[i]), net->param[i].count))
            return nm_fail(ctx, NM_DIVERGED, "the network holds NaN or infinity, in %s: %s", net->param[i].name,
                           net->param[i].kind == NM_STATE
                               ? "norma recalibrate sets running statistics anew"
                               : "its training diverged, or the file was changed; train with a smaller learning rate, "
                                 "or take an earlier checkpoint");
    return NM_OK;
}

static nm_status check_result(nm_context *ctx, const nm_evaluation *e)
{
    const char *first = *e->culprit ? "; the first to hold it is " : "";
    if (e->not_finite)
        return nm_fail(ctx, NM_DIVERGED,
                       "the network yields NaN or infinity for %d of %d samples: they have no class%s%s", e->not_finite,
                       e->samples, first, e->culprit);
    if (!isfinite(e->loss))
        return nm_fail(ctx, NM_DIVERGED, "the loss over %d samples is not a finite number%s%s", e->samples, first,
                       e->culprit);
    return NM_OK;
}

nm_status nm_evaluate(nm_context *ctx, nm_network *net, const nm_samples *samples, int limit, int batch,
                      const nm_normalisation *normalisation, bool binary, nm_evaluation *out)
{
    int classes = 0;
    for (size_t i = 0; samples->labels && i < (size_t)samples->count * nm_label_places(samples); i++)
        classes = samples->labels[i] >= classes ? samples->labels[i] + 1 : classes;
    *out = (nm_evaluation){0};
    NM_TRY(nm_check_fit(ctx, net, samples, classes));
    NM_TRY(nm_check_finite(ctx, net));
    nm_evaluator *e;
    nm_beside beside = {.flag = "--batch "};
    const nm_loader_settings loading = {
        .samples = samples, .limit = limit, .batch = batch, .normalisation = *normalisation, .binary = binary};
    NM_TRY(nm_evaluator_new(ctx, net, &loading, beside, NULL, &e));
    e->by_class = true;
    bool stopped;
    nm_status status = nm_evaluator_run(e, NULL, out, &stopped);
    nm_evaluator_free(e);
    if (status == NM_OK && (status = check_result(ctx, out)) != NM_OK)
        nm_evaluation_free(out);
    return status;
}
