/* What a trainer does besides steps: whole epochs, prediction, evaluation. */
#include "own_trainer.h"

#include "alloc.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* ---- memory for batches of a data set ---- */

typedef struct batch_buffer {
    int *order; /* [samples of the split] */
    real *x, *values;
    int32_t *labels;
    double *sample_loss; /* [batch] */
} batch_buffer;

static void free_buffer(batch_buffer *b)
{
    nm_free(b->order);
    nm_free(b->x);
    nm_free(b->values);
    nm_free(b->labels);
    nm_free(b->sample_loss);
}

/* Whether each sample has as many targets as every loss takes. */
static nm_status check_data(const nm_trainer *t, const nm_data *data, int split)
{
    const nm_network *net = t->net;
    if (nm_data_count(data, split) == 0)
        return nm_fail(t->ctx, NM_INVALID, "the data has no such split");
    if (net->inputs != 1 || !nm_shape_same(net->node[0].out, data->shape))
        return nm_fail(t->ctx, NM_INVALID, "%s: expected images of " NM_SHAPE_FMT "; the data has " NM_SHAPE_FMT,
                       net->node[0].who, NM_SHAPE_ARGS(net->node[0].out), NM_SHAPE_ARGS(data->shape));
    if (t->settings->binary)
        return nm_fail(t->ctx, NM_INVALID, "train.binary: data sets in own loops are normalised; threshold the images");
    const nm_data_split *s = &data->split[split];
    for (int i = 0; i < net->objectives; i++) {
        nm_shape out = net->node[net->objective[i].from].out;
        size_t wanted = s->values ? nm_shape_size(out) : (size_t)out.h * (size_t)out.w;
        if (net->objective[i].target < 0 && (s->labels || s->values) && (size_t)s->targets_each != wanted)
            return nm_fail(t->ctx, NM_INVALID, "%s: expected %zu %s for each image; the data has %d",
                           net->objective[i].who, wanted, s->values ? "values" : "labels", s->targets_each);
    }
    return NM_OK;
}

static nm_status make_buffer(const nm_trainer *t, const nm_data *data, int split, int batch, batch_buffer *b)
{
    const nm_data_split *s = &data->split[split];
    size_t n = (size_t)batch, targets = n * (size_t)s->targets_each;
    *b = (batch_buffer){0};
    b->order = nm_alloc(t->ctx, (size_t)s->count, sizeof *b->order);
    b->x = nm_alloc(t->ctx, n * nm_shape_size(data->shape), sizeof *b->x);
    b->values = s->values ? nm_alloc(t->ctx, targets, sizeof *b->values) : NULL;
    b->labels = s->labels ? nm_alloc(t->ctx, targets, sizeof *b->labels) : NULL;
    b->sample_loss = nm_alloc(t->ctx, n, sizeof *b->sample_loss);
    if (b->order && b->x && b->sample_loss && (b->values || !s->values) && (b->labels || !s->labels)) {
        for (int i = 0; i < s->count; i++)
            b->order[i] = i;
        return NM_OK;
    }
    free_buffer(b);
    return NM_FAILED;
}

/* The samples order[first ..] of a split, `most` of them or what is left. */
static nm_status load(const nm_trainer *t, const nm_data *data, int split, int first, int most, const batch_buffer *b,
                      nm_minibatch *out)
{
    int left = nm_data_count(data, split) - first;
    *out = (nm_minibatch){
        .size = sizeof *out, .n = left < most ? left : most, .x = b->x, .labels = b->labels, .values = b->values};
    return nm_data_batch(t->ctx, data, split, out->n, b->order + first, b->x, b->labels, b->values);
}

/* ---- epochs ---- */

static nm_status check_fit_settings(const nm_trainer *t)
{
    const nm_data *data = t->options.data;
    if (!data)
        return nm_fail(t->ctx, NM_INVALID, "nm_trainer_fit needs options.data");
    if (!t->optimization)
        return nm_fail(t->ctx, NM_INVALID,
                       "nm_trainer_fit updates parameters; options.no_optimizer leaves that to you");
    int count = nm_data_count(data, NM_TRAIN_SPLIT);
    if (t->settings->augment.count)
        return nm_fail(t->ctx, NM_INVALID, "train.augment: nm_trainer_fit does not augment; do it in an own loop");
    if (t->settings->limit > 0 && t->settings->limit < count)
        return nm_fail(t->ctx, NM_INVALID, "train.limit: nm_trainer_fit takes all samples; give it fewer");
    if (t->steps_per_epoch != nm_epoch_steps(count, t->batch))
        return nm_fail(t->ctx, NM_INVALID, "options.steps_per_epoch: the data makes epochs of %llu steps",
                       (unsigned long long)nm_epoch_steps(count, t->batch));
    return check_data(t, data, NM_TRAIN_SPLIT);
}

/* From the present step to the end of its epoch. */
static nm_status fit_epoch(nm_trainer *t, const batch_buffer *b, nm_after_step *after_step, void *arg, bool *stop)
{
    uint64_t epoch = t->step / t->steps_per_epoch, end = (epoch + 1) * t->steps_per_epoch;
    for (int i = 0; i < nm_data_count(t->options.data, NM_TRAIN_SPLIT); i++)
        b->order[i] = i;
    if (t->settings->shuffle)
        nm_data_shuffle(t->options.data, t->options.seed, (uint32_t)epoch, b->order);
    while (t->step < end && !*stop) {
        nm_minibatch batch;
        nm_step_result result = NM_STEP_RESULT_INIT;
        int first = (int)(t->step % t->steps_per_epoch) * t->batch;
        NM_TRY(load(t, t->options.data, NM_TRAIN_SPLIT, first, t->batch, b, &batch));
        NM_TRY(nm_trainer_step(t, &batch, &result));
        *stop = after_step && after_step(arg, t, &result);
    }
    return NM_OK;
}

nm_status nm_trainer_fit(nm_trainer *t, uint64_t epochs, nm_after_step *after_step, nm_after_epoch *after_epoch,
                         void *arg)
{
    batch_buffer b;
    bool stop = false;
    nm_errors_clear(t->ctx);
    NM_TRY(check_fit_settings(t));
    NM_TRY(make_buffer(t, t->options.data, NM_TRAIN_SPLIT, t->batch, &b));
    nm_status status = NM_OK;
    while (status == NM_OK && !stop && t->step / t->steps_per_epoch < epochs) {
        status = fit_epoch(t, &b, after_step, arg, &stop);
        bool whole = t->step % t->steps_per_epoch == 0;
        if (status == NM_OK && whole && after_epoch && after_epoch(arg, t, t->step / t->steps_per_epoch))
            stop = true;
    }
    free_buffer(&b);
    return status;
}

/* ---- evaluation mode ---- */

static nm_status need_evaluation(nm_trainer *t)
{
    if (t->evaluation)
        return NM_OK;
    const nm_beside beside = {.flag = "train.eval_batch="};
    const nm_request request =
        nm_evaluation_request(t->net, t->settings->eval_batch, nm_context_threads(t->ctx), &beside);
    if (!t->evaluation_targets.values)
        NM_TRY(nm_target_maker_new(t->ctx, t->net, t->settings->eval_batch, &t->evaluation_targets));
    return nm_plan_new(t->net, &request, &t->evaluation);
}

nm_status nm_trainer_predict(nm_trainer *t, int n, const nm_real *x, nm_real *outputs)
{
    const nm_network *net = t->net;
    nm_errors_clear(t->ctx);
    if (n < 1 || net->inputs != 1)
        return nm_fail(t->ctx, NM_INVALID, "expected at least one sample for a network of one input; found %d for %d",
                       n, net->inputs);
    NM_TRY(need_evaluation(t));
    size_t in = nm_shape_size(net->node[0].out), size = nm_shape_size(net->node[net->output].out);
    int most = t->settings->eval_batch, broken = -1;
    for (int first = 0; first < n; first += most) {
        const real *from = x + (size_t)first * in;
        nm_batch batch = {.n = n - first < most ? n - first : most, .x = &from};
        nm_plan_run(t->evaluation, &batch, NM_PHASE_FORWARD);
        const real *y = net->output < net->inputs ? from : nm_plan_output(t->evaluation, net->output);
        memcpy(outputs + (size_t)first * size, y, (size_t)batch.n * size * sizeof *y);
        for (int i = 0; i < batch.n && broken < 0; i++)
            broken = nm_all_finite(y + (size_t)i * size, size) ? -1 : first + i;
    }
    if (broken < 0)
        return NM_OK;
    char culprit[NM_CULPRIT];
    const real *sample = x + (size_t)broken * in;
    bool found = nm_find_culprit(t->net, NM_EVAL, &(nm_batch){.n = 1, .x = &sample}, culprit);
    return nm_fail(t->ctx, NM_DIVERGED, "the network yields NaN or infinity, for sample %d first%s%s", broken,
                   found ? "; the first to hold it is " : "", culprit);
}

/* Adds the samples from `first` on. */
static nm_status evaluate_batch(nm_trainer *t, const nm_data *data, int split, int first, const batch_buffer *b,
                                nm_result *sum)
{
    nm_minibatch given;
    nm_batch batch;
    const real *x;
    NM_TRY(load(t, data, split, first, t->settings->eval_batch, b, &given));
    NM_TRY(nm_trainer_take_batch(t, &given, given.n, &t->evaluation_targets, &x, &batch));
    NM_TRY(nm_trainer_need_targets(t, &batch));
    nm_plan_run(t->evaluation, &batch, NM_PHASE_FORWARD);
    nm_result r = nm_find_losses(t->evaluation, batch, b->sample_loss);
    for (int i = 0; i < batch.n; i++)
        sum->loss_sum += b->sample_loss[i];
    sum->correct += r.correct;
    sum->counted += r.counted;
    return NM_OK;
}

nm_status nm_trainer_evaluate(nm_trainer *t, const nm_data *data, int split, nm_evaluation_result *out)
{
    batch_buffer b;
    nm_result sum = {0};
    nm_errors_clear(t->ctx);
    NM_TRY(check_data(t, data, split));
    if (t->net->objectives == 0)
        return nm_fail(t->ctx, NM_INVALID, "%s: the model has no `loss:`", t->net->document->file);
    NM_TRY(need_evaluation(t));
    NM_TRY(make_buffer(t, data, split, t->settings->eval_batch, &b));
    nm_status status = NM_OK;
    int count = nm_data_count(data, split);
    for (int first = 0; first < count && status == NM_OK; first += t->settings->eval_batch)
        status = evaluate_batch(t, data, split, first, &b, &sum);
    free_buffer(&b);
    NM_TRY(status);
    bool judged = t->net->judge >= 0 && sum.counted > 0;
    nm_evaluation_result result = {
        .samples = count, .loss = sum.loss_sum / count, .accuracy = judged ? sum.correct / sum.counted : (double)NAN};
    NM_TRY(nm_sized_write(t->ctx, "NM_EVALUATION_RESULT_INIT", out, &result, sizeof result));
    if (isfinite(result.loss))
        return NM_OK;
    NM_TRY(nm_check_finite(t->ctx, t->net));
    return nm_fail(t->ctx, NM_DIVERGED,
                   "the loss over %d samples is not a finite number: the network yields NaN or "
                   "infinity, or numbers too large for its loss",
                   count);
}
