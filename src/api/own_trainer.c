/* The steps of a trainer. */
#include "own_trainer.h"

#include "alloc.h"
#include "arrays.h"
#include "gemm.h"
#include "training_step.h"

#include <math.h>
#include <string.h>

/* ---- making and freeing ---- */

uint64_t nm_epoch_steps(int samples, int batch)
{
    uint64_t steps = (uint64_t)nm_ceil_div(samples, batch);
    return steps - (batch > 1 && samples % batch == 1 && steps > 1);
}

static nm_status check_options(nm_context *ctx, const nm_network *net, const nm_trainer_options *options)
{
    const nm_data *data = options->data;
    if (options->batch < 0)
        return nm_fail(ctx, NM_INVALID, "options.batch must be at least 1, or 0 for the model's; found %d",
                       options->batch);
    if (options->output && (options->output < net->inputs || options->output >= net->nodes))
        return nm_fail(ctx, NM_INVALID, "options.output: expected a layer from %d to %d, or 0; found %d", net->inputs,
                       net->nodes - 1, options->output);
    if (data && (net->inputs != 1 || !nm_shape_same(net->node[0].out, data->shape)))
        return nm_fail(ctx, NM_INVALID, "%s: expected images of " NM_SHAPE_FMT "; the data has " NM_SHAPE_FMT,
                       net->node[0].who, NM_SHAPE_ARGS(net->node[0].out), NM_SHAPE_ARGS(data->shape));
    for (int i = 0; i < options->keeps; i++)
        if (options->keep[i] < 0 || options->keep[i] >= net->nodes)
            return nm_fail(ctx, NM_INVALID, "options.keep: there is no layer %d: expected 0 to %d", options->keep[i],
                           net->nodes - 1);
    return NM_OK;
}

/* What the options leave to the settings. */
static void settle(nm_trainer *t)
{
    const nm_train_settings *s = t->settings;
    const nm_data *data = t->options.data;
    int count = data ? data->split[NM_TRAIN_SPLIT].count : 0;
    t->batch = t->options.batch ? t->options.batch : s->batch;
    t->batch = data && count < t->batch ? count : t->batch;
    t->steps_per_epoch = t->options.steps_per_epoch ? t->options.steps_per_epoch
                         : data                     ? nm_epoch_steps(count, t->batch)
                                                    : 1;
    if (!t->options.steps)
        t->options.steps = s->steps > 0 ? (uint64_t)s->steps : (uint64_t)s->epochs * t->steps_per_epoch;
    t->options.seed = t->options.seed ? t->options.seed : (uint64_t)s->seed;
    bool cut = ((s->micro_batch > 0 && s->micro_batch < t->batch) || s->recompute) && !t->options.evaluation;
    t->sliced = cut && t->net->objectives && !t->options.keep_all && t->options.keeps <= 0;
}

/* Steps in slices keep no output. */
static nm_status choose_readable(nm_trainer *t)
{
    const nm_trainer_options *o = &t->options;
    if (!(t->readable = nm_alloc(t->ctx, (size_t)(o->keeps > 0 ? o->keeps : 0) + 1, sizeof *t->readable)))
        return NM_FAILED;
    for (int i = 0; i < o->keeps; i++)
        if (o->keep[i] >= t->net->inputs)
            t->readable[t->readables++] = o->keep[i];
    t->readable[t->readables] = t->net->output;
    t->readables += !t->sliced;
    return NM_OK;
}

static void set_output(nm_trainer *t, int layer)
{
    t->part = *t->net;
    t->part.output = layer;
    t->part.objectives = 0;
    t->part.judge = -1;
    t->part.apply = NM_LINEAR;
    t->net = &t->part;
}

static nm_status set_up(nm_trainer *t)
{
    nm_context *ctx = t->ctx;
    t->settings = nm_settings_of(t->net);
    settle(t);
    NM_TRY(choose_readable(t));
    if (!t->options.no_optimizer)
        NM_TRY(nm_optimization_new(ctx, t->settings, t->net, t->options.steps, t->steps_per_epoch, &t->optimization));
    bool may_slice = t->net->objectives && !t->options.keep_all && t->options.keeps <= 0;
    nm_beside beside = {.untouched = nm_optimization_bytes(t->optimization),
                        .flag = t->options.evaluation ? "options.batch = "
                                : may_slice           ? "train.micro_batch="
                                                      : NULL};
    nm_request request = {.mode = t->options.evaluation ? NM_EVAL : NM_TRAIN,
                          .gradients = true,
                          .batch = t->batch,
                          .threads = nm_context_threads(ctx),
                          .micro = t->sliced ? t->settings->micro_batch : 0,
                          .shards = t->options.keep_all ? 0 : t->settings->shards,
                          .recompute = t->sliced && t->settings->recompute,
                          .input_gradients = t->options.input_gradients,
                          .keep_all = t->options.keep_all,
                          .keep = t->readable,
                          .keeps = t->readables,
                          .beside = &beside};
    NM_TRY(nm_plan_new(t->net, &request, &t->plan));
    NM_TRY(nm_target_maker_new(ctx, t->net, t->batch, &t->targets));
    t->held_x = nm_alloc(ctx, (size_t)t->net->inputs, sizeof *t->held_x);
    return t->held_x ? NM_OK : NM_FAILED;
}

nm_status nm_trainer_new(nm_context *ctx, nm_network *net, const nm_trainer_options *options, nm_trainer **out)
{
    nm_trainer_options own = {0};
    *out = NULL;
    nm_errors_clear(ctx);
    NM_TRY(nm_gemm_check(ctx));
    if (options)
        NM_TRY(nm_sized_read(ctx, "NM_TRAINER_OPTIONS_INIT", options, &own, sizeof own));
    NM_TRY(check_options(ctx, net, &own));
    nm_trainer *t = nm_alloc(ctx, 1, sizeof *t);
    if (!t)
        return NM_FAILED;
    *t = (nm_trainer){.ctx = ctx, .net = net, .options = own};
    if (own.output)
        set_output(t, own.output);
    nm_status status = set_up(t);
    if (status == NM_OK)
        *out = t;
    else
        nm_trainer_free(t);
    return status;
}

void nm_trainer_free(nm_trainer *t)
{
    if (!t)
        return;
    nm_plan_free(t->plan);
    nm_plan_free(t->evaluation);
    nm_optimization_free(t->optimization);
    nm_target_maker_free(&t->targets);
    nm_target_maker_free(&t->evaluation_targets);
    nm_free(t->readable);
    nm_free(t->held_x);
    nm_free(t->kept);
    nm_free(t);
}

/* ---- a step ---- */

static nm_status give_result(const nm_trainer *t, const nm_result *r, nm_step_result *out)
{
    nm_step_result result = {
        .step = t->step, .loss = r->loss, .loss_sum = r->loss_sum, .correct = r->correct, .counted = r->counted};
    return out ? nm_sized_write(t->ctx, "NM_STEP_RESULT_INIT", out, &result, sizeof result) : NM_OK;
}

static nm_status fail_diverged(const nm_trainer *t, const nm_bad_number *bad)
{
    return nm_fail(t->ctx, NM_DIVERGED, "training diverged: %s was NaN or infinite at step %llu", bad->where,
                   (unsigned long long)t->step + 1);
}

static nm_status check_loss(nm_trainer *t, const nm_result *r)
{
    nm_bad_number bad;
    nm_find_bad_number(t->net, &t->held, r, &bad);
    return bad.found ? fail_diverged(t, &bad) : NM_OK;
}

static nm_status update(nm_trainer *t)
{
    nm_bad_number bad;
    if (nm_optimization_step(t->optimization, t->plan, t->step) == NM_UPDATED)
        return NM_OK;
    nm_optimization_find_bad(t->optimization, t->plan, bad.where, sizeof bad.where);
    return fail_diverged(t, &bad);
}

/* After every backward. */
static void add_kept(nm_trainer *t)
{
    if (t->keeps)
        nm_add_array(nm_context_threads(t->ctx), nm_plan_gradients(t->plan), t->kept, t->net->weight_count);
    t->keeps = false;
    t->phase = NM_GRADIENTS_READY;
}

static void count_update(nm_trainer *t)
{
    t->step++;
    t->keeps = false;
    t->phase = NM_IDLE;
}

nm_status nm_trainer_step(nm_trainer *t, const nm_minibatch *batch, nm_step_result *result)
{
    nm_errors_clear(t->ctx);
    t->phase = NM_IDLE;
    NM_TRY(give_result(t, &(nm_result){0}, result)); /* a struct that is not set up is found before anything runs */
    NM_TRY(nm_trainer_take_batch(t, batch, t->batch, &t->targets, t->held_x, &t->held));
    NM_TRY(nm_trainer_need_targets(t, &t->held));
    /* Where gradients were kept, they come in between. */
    nm_training_step step = {.net = t->net, .plan = t->plan, .optimization = t->keeps ? NULL : t->optimization};
    nm_bad_number bad;
    nm_result r = nm_training_step_run(&step, &t->held, t->step, &bad);
    NM_TRY(give_result(t, &r, result));
    if (bad.found)
        return fail_diverged(t, &bad);
    add_kept(t);
    if (t->optimization && !step.optimization)
        NM_TRY(update(t));
    if (t->optimization)
        count_update(t);
    return NM_OK;
}

/* ---- a step, one by one ---- */

static nm_status need_phase(const nm_trainer *t, bool right, const char *call, const char *first)
{
    return right ? NM_OK : nm_fail(t->ctx, NM_INVALID, "%s comes after %s", call, first);
}

nm_status nm_trainer_forward(nm_trainer *t, const nm_minibatch *batch)
{
    nm_errors_clear(t->ctx);
    if (t->sliced)
        return nm_fail(t->ctx, NM_INVALID,
                       "train.micro_batch and train.recompute run a step in slices: only nm_trainer_step does that");
    nm_batch taken;
    t->phase = NM_IDLE;
    NM_TRY(nm_trainer_take_batch(t, batch, t->batch, &t->targets, t->held_x, &taken));
    t->held = taken;
    nm_plan_run(t->plan, &t->held, NM_PHASE_FORWARD);
    t->phase = NM_FORWARD_DONE;
    return NM_OK;
}

nm_status nm_trainer_loss(nm_trainer *t, nm_step_result *result)
{
    nm_errors_clear(t->ctx);
    NM_TRY(need_phase(t, t->phase == NM_FORWARD_DONE, "nm_trainer_loss", "nm_trainer_forward"));
    NM_TRY(give_result(t, &(nm_result){0}, result));
    NM_TRY(nm_trainer_need_targets(t, &t->held));
    nm_result r = nm_plan_run(t->plan, &t->held, NM_PHASE_LOSS);
    t->phase = NM_LOSS_DONE;
    NM_TRY(give_result(t, &r, result));
    return check_loss(t, &r);
}

nm_status nm_trainer_backward(nm_trainer *t)
{
    nm_errors_clear(t->ctx);
    NM_TRY(need_phase(t, t->phase == NM_LOSS_DONE, "nm_trainer_backward", "nm_trainer_loss"));
    nm_plan_run(t->plan, &t->held, NM_PHASE_BACKWARD);
    add_kept(t);
    return NM_OK;
}

nm_status nm_trainer_backward_from(nm_trainer *t, const nm_real *gradient)
{
    nm_errors_clear(t->ctx);
    NM_TRY(need_phase(t, t->phase == NM_FORWARD_DONE, "nm_trainer_backward_from", "nm_trainer_forward"));
    t->held.dy = gradient;
    nm_plan_run(t->plan, &t->held, NM_PHASE_LOSS | NM_PHASE_BACKWARD);
    t->held.dy = NULL;
    add_kept(t);
    return NM_OK;
}

nm_status nm_trainer_update(nm_trainer *t)
{
    nm_errors_clear(t->ctx);
    NM_TRY(need_phase(t, t->phase == NM_GRADIENTS_READY, "nm_trainer_update", "a backward"));
    if (t->optimization)
        NM_TRY(update(t));
    count_update(t);
    return NM_OK;
}

nm_status nm_trainer_accumulate(nm_trainer *t)
{
    nm_errors_clear(t->ctx);
    NM_TRY(need_phase(t, t->phase == NM_GRADIENTS_READY, "nm_trainer_accumulate", "a backward"));
    if (!t->kept && !(t->kept = nm_alloc(t->ctx, t->net->weight_count + 1, sizeof *t->kept)))
        return NM_FAILED;
    memcpy(t->kept, nm_plan_gradients(t->plan), t->net->weight_count * sizeof *t->kept);
    t->keeps = true;
    return NM_OK;
}

void nm_trainer_zero_gradients(nm_trainer *t)
{
    nm_zero_array(nm_context_threads(t->ctx), nm_plan_gradients(t->plan), t->net->weight_count);
    t->keeps = false;
}

/* ---- where it stands ---- */

uint64_t nm_trainer_steps(const nm_trainer *t)
{
    return t->step;
}

double nm_trainer_lr(const nm_trainer *t)
{
    return t->optimization ? nm_optimization_rate(t->optimization, t->step) : (double)NAN;
}

void nm_trainer_set_lr(nm_trainer *t, double lr)
{
    if (t->optimization)
        nm_optimization_fix_rate(t->optimization, lr >= 0 ? lr : (double)NAN);
}
