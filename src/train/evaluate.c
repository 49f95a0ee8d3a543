/* Evaluation: loss, accuracy and confusion over a split, each sample with the same weight. */
#include "evaluate.h"

#include "alloc.h"

#include <math.h>
#include <string.h>

/* ---- does the network fit the data? ------------------------------------------------------ */

static nm_status check_objective(nm_context *ctx, const nm_network *net, const nm_objective *objective,
                                 const nm_samples *samples, int classes)
{
    nm_shape out = net->node[objective->from].out;
    int h = samples->pixel_labels ? samples->shape.h : 1, w = samples->pixel_labels ? samples->shape.w : 1;
    if (objective->target >= 0)
        return NM_OK;
    if (!samples->labels)
        return nm_fail(ctx, NM_INVALID, "%s: the data set has no labels", objective->who);
    if (out.h != h || out.w != w)
        return nm_fail(ctx, NM_INVALID,
                       "%s: its prediction '%s' is " NM_SHAPE_FMT "; the data has one label %s: expected %dx%dx%d",
                       objective->who, net->node[objective->from].name, NM_SHAPE_ARGS(out),
                       samples->pixel_labels ? "a pixel" : "an image", h, w, classes);
    if (samples->pixel_labels && !objective->type->classifies)
        return nm_fail(ctx, NM_INVALID, "%s: takes values; the data has a label for each pixel", objective->who);
    if (out.c < classes)
        return nm_fail(ctx, NM_INVALID, "%s: its prediction '%s' has %d classes; the data has %d",
                       objective->who, net->node[objective->from].name, out.c, classes);
    return NM_OK;
}

nm_status nm_check_fit(nm_context *ctx, const nm_network *net, const nm_samples *samples, int classes)
{
    if (net->inputs != 1)
        return nm_fail(ctx, NM_INVALID, "%s: the network has %d inputs; a data set of images feeds one",
                       net->document->file, net->inputs);
    nm_status status = NM_OK;
    if (!nm_shape_same(net->node[0].out, samples->shape))
        status =
            nm_fail(ctx, NM_INVALID, "%s: expected images of " NM_SHAPE_FMT "; the data has " NM_SHAPE_FMT,
                    net->node[0].who, NM_SHAPE_ARGS(net->node[0].out), NM_SHAPE_ARGS(samples->shape));
    if (net->objectives == 0)
        return nm_fail(ctx, NM_INVALID, "%s: the model has no `loss:`", net->document->file);
    for (int i = 0; i < net->objectives; i++)
        if (check_objective(ctx, net, &net->objective[i], samples, classes) != NM_OK)
            status = NM_INVALID;
    return status;
}

/* ---- targets ----------------------------------------------------------------------------- */

nm_status nm_target_maker_new(nm_context *ctx, const nm_network *net, int batch, nm_target_maker *out)
{
    *out = (nm_target_maker){0};
    for (int i = 0; i < net->objectives; i++)
        if (!net->objective[i].type->classifies && net->objective[i].target < 0)
            out->classes = net->node[net->objective[i].from].out.c;
    if (!out->classes)
        return NM_OK;
    out->values = nm_alloc(ctx, (size_t)batch * (size_t)out->classes, sizeof(real));
    return out->values ? NM_OK : NM_FAILED;
}

nm_targets nm_target_maker_make(const nm_target_maker *maker, const nm_loaded *loaded)
{
    if (maker->values) {
        memset(maker->values, 0, (size_t)loaded->n * (size_t)maker->classes * sizeof(real));
        for (int i = 0; i < loaded->n; i++)
            maker->values[(size_t)i * (size_t)maker->classes + (size_t)loaded->labels[i]] = 1;
    }
    return (nm_targets){.labels = loaded->labels, .values = maker->values};
}

void nm_target_maker_free(nm_target_maker *maker)
{
    nm_free(maker->values);
    *maker = (nm_target_maker){0};
}

/* ---- evaluation -------------------------------------------------------------------------- */

struct nm_evaluator {
    nm_context *ctx;
    nm_network *net;
    nm_loader_settings settings;
    int count;
    nm_plan *plan;
    nm_target_maker targets;
};

nm_status nm_evaluator_new(nm_context *ctx, nm_network *net, const nm_samples *samples, int limit, int batch,
                           const nm_normalisation *normalisation, bool binary, nm_evaluator **out)
{
    *out = NULL;
    int count = limit > 0 && limit < samples->count ? limit : samples->count;
    if (count == 0)
        return nm_fail(ctx, NM_INVALID, "there are no samples to evaluate on");
    nm_evaluator *e = nm_alloc(ctx, 1, sizeof *e);
    if (!e)
        return NM_FAILED;
    batch = batch < count ? batch : count;
    *e = (nm_evaluator){.ctx = ctx, .net = net, .count = count};
    e->settings = (nm_loader_settings){.samples = samples,
                                       .limit = limit,
                                       .batch = batch,
                                       .normalisation = *normalisation,
                                       .binary = binary};
    nm_request request = {.mode = NM_EVAL,
                          .batch = batch,
                          .threads = nm_context_threads(ctx),
                          .keep = &net->output,
                          .keeps = 1};
    nm_status status = nm_plan_new(net, &request, &e->plan);
    if (status == NM_OK)
        status = nm_target_maker_new(ctx, net, batch, &e->targets);
    if (status == NM_OK)
        *out = e;
    else
        nm_evaluator_free(e);
    return status;
}

void nm_evaluator_free(nm_evaluator *e)
{
    if (!e)
        return;
    nm_target_maker_free(&e->targets);
    nm_plan_free(e->plan);
    nm_free(e);
}

/* Row: the true class, column: the first of the largest outputs (a NaN is never larger). */
static void count_predictions(const nm_evaluator *e, const nm_loaded *loaded, nm_evaluation *out)
{
    const real *y = nm_plan_output(e->plan, e->net->output);
    const nm_loss_type *judge = e->net->objective[0].type;
    size_t places = (size_t)loaded->n * nm_label_places(e->settings.samples);
    for (size_t i = 0; i < places && out->classes; i++, y += out->classes) {
        int best = 0;
        for (int c = 1; c < out->classes; c++)
            if (y[c] > y[best])
                best = c;
        if (loaded->labels[i] >= 0 && (!judge->counts || judge->counts(e->net->objective[0].self, loaded->labels[i])))
            out->confusion[loaded->labels[i] * out->classes + best]++;
    }
}

static bool run_all(nm_evaluator *e, nm_loader *loader, const volatile int *stop, nm_evaluation *out)
{
    double loss = 0;
    while (out->samples < e->count) {
        if (stop && *stop)
            return false;
        const nm_loaded *loaded = nm_loader_next(loader);
        nm_batch batch = {
            .n = loaded->n, .x = &loaded->x, .targets = nm_target_maker_make(&e->targets, loaded)};
        nm_plan_forward(e->plan, &batch);
        loss += nm_plan_loss(e->plan, &batch).loss_sum;
        count_predictions(e, loaded, out);
        out->samples += loaded->n;
    }
    out->loss = loss / out->samples;
    double correct = 0, counted = 0;
    for (int c = 0; c < out->classes; c++)
        correct += out->confusion[c * out->classes + c];
    for (int i = 0; i < out->classes * out->classes; i++)
        counted += out->confusion[i];
    out->accuracy = counted > 0 ? correct / counted : (double)NAN;
    return true;
}

nm_status nm_evaluator_run(nm_evaluator *e, const volatile int *stop, nm_evaluation *out, bool *stopped)
{
    /* a network that is judged by values has no classes */
    bool classifies = e->net->objective[0].target < 0;
    size_t classes = classifies ? (size_t)e->net->node[e->net->output].out.c : 0;
    *out = (nm_evaluation){.classes = (int)classes};
    *stopped = false;
    nm_loader *loader;
    NM_TRY(nm_loader_new(e->ctx, &e->settings, &loader));
    out->confusion = nm_alloc(e->ctx, classes * classes + 1, sizeof *out->confusion);
    nm_status status = out->confusion ? NM_OK : NM_FAILED;
    if (status == NM_OK)
        *stopped = !run_all(e, loader, stop, out);
    nm_loader_free(loader);
    if (status != NM_OK || *stopped) {
        nm_free(out->confusion);
        *out = (nm_evaluation){0};
    }
    return status;
}

nm_status nm_evaluate(nm_context *ctx, nm_network *net, const nm_samples *samples, int limit, int batch,
                      const nm_normalisation *normalisation, bool binary, nm_evaluation *out)
{
    int classes = 0;
    for (size_t i = 0; samples->labels && i < (size_t)samples->count * nm_label_places(samples); i++)
        classes = samples->labels[i] >= classes ? samples->labels[i] + 1 : classes;
    *out = (nm_evaluation){0};
    NM_TRY(nm_check_fit(ctx, net, samples, classes));
    nm_evaluator *e;
    NM_TRY(nm_evaluator_new(ctx, net, samples, limit, batch, normalisation, binary, &e));
    bool stopped;
    nm_status status = nm_evaluator_run(e, NULL, out, &stopped);
    nm_evaluator_free(e);
    return status;
}
