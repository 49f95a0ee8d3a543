/* The loop of training.
 *
 * At its head the state is what a checkpoint holds, and what is due at this number of steps is
 * found from the state alone: first the row (evaluation), then the checkpoint, then the next step.
 * So a run that went on from a checkpoint does not know that it was ever interrupted, wherever that
 * was. */
#include "train_run.h"

#include "alloc.h"
#include "divergence.h"
#include "training_step.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* ---- rows --------------------------------------------------------------------------------- */

/* Records what was NaN or infinite at `step`; the caller returns, and the loop ends. */
static nm_status diverged(nm_train_result *result, uint64_t step, const char *where)
{
    result->diverged = true;
    result->step = step;
    snprintf(result->cause, sizeof result->cause, "%s", where);
    return NM_DIVERGED;
}

/* What is judged and saved must be numbers: all parameters, statistics and slots. */
static nm_status check_state(const nm_train_run *t, nm_train_result *result)
{
    char where[sizeof result->cause];
    return nm_find_not_finite(t->net, &t->state, where, sizeof where) ? diverged(result, t->state.step, where) : NM_OK;
}

/* Makes the row unless a stop comes in between; it is due again on resuming then. */
static nm_status make_row(nm_train_run *t, nm_train_result *result)
{
    nm_history_row row = nm_train_run_start_row(t, t->state.step);
    NM_TRY(check_state(t, result));
    NM_TRY(nm_population_estimate(t));
    if (t->population)
        NM_TRY(check_state(t, result));
    if (t->evaluator) {
        bool stopped;
        nm_evaluation e;
        /* processes that train together stop together, at the head of the loop */
        NM_TRY(nm_evaluator_run(t->evaluator, t->processes ? NULL : t->request->stop, &e, &stopped));
        if (stopped)
            return NM_OK;
        if (e.not_finite || !isfinite(e.loss)) {
            char where[NM_CULPRIT + 64];
            snprintf(where, sizeof where, "%s%sthe loss on the test split%s", e.culprit, *e.culprit ? ", and so " : "",
                     *e.culprit ? "," : "");
            return diverged(result, t->state.step, where);
        }
        row.test_loss = e.loss;
        row.test_accuracy = e.accuracy;
        t->evaluated_step = t->state.step;
    }
    return nm_train_run_finish_row(t, &row, t->state.step % t->row_every == 0);
}

static bool row_due(const nm_train_run *t)
{
    const nm_train_state *s = &t->state;
    bool made = s->history_count > 0 && s->history[s->history_count - 1].step == s->step;
    return s->step > 0 && !made && (s->step == t->steps || (s->step < t->steps && s->step % t->row_every == 0));
}

/* ---- checkpoints -------------------------------------------------------------------------- */

static nm_status write_checkpoint(nm_train_run *t)
{
    NM_TRY(nm_watch_flush(t->watch));
    nm_train_state lasting = t->state;
    lasting.history_count -= t->passing_rows;
    int keep = t->state.step > 0 ? t->settings->keep : 0; /* the start is no step to keep */
    return nm_run_dir_save(t->run, t->net, &lasting, keep);
}

static nm_status save(nm_train_run *t, nm_train_result *result)
{
    NM_TRY(check_state(t, result));
    NM_TRY(nm_train_follow(t, t->run ? write_checkpoint(t) : NM_OK));
    t->saved_step = t->state.step;
    return NM_OK;
}

static void exchange(real *a, real *b, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        real value = a[i];
        a[i] = b[i];
        b[i] = value;
    }
}

/* Some samples of the batch in evaluation mode, which reads running statistics where training takes
 * the batch's. */
static nm_status check_prediction(const nm_train_run *t, nm_train_result *result, const nm_batch *batch)
{
    enum { SOME = 16 };
    char culprit[NM_CULPRIT];
    int n = batch->n < SOME ? batch->n : SOME;
    if (!t->evaluator || nm_evaluator_predicts(t->evaluator, batch->x[0], n, culprit))
        return NM_OK;
    return diverged(result, t->state.step, *culprit ? culprit : "the prediction");
}

/* With the running statistics that the state had before the next step's forward moved them. */
static nm_status save_before(nm_train_run *t, nm_train_result *result, const nm_batch *batch)
{
    exchange(t->net->states, t->states, t->net->state_count);
    nm_status status = nm_train_follow(t, check_prediction(t, result, batch));
    if (status == NM_DIVERGED && !result->diverged) /* process 0 has found it */
        status = diverged(result, t->state.step, "the prediction");
    if (status == NM_OK)
        status = save(t, result);
    exchange(t->net->states, t->states, t->net->state_count);
    return status;
}

static bool save_due(const nm_train_run *t, bool stop)
{
    uint64_t step = t->state.step;
    if (!t->keeps || t->saved_step == step)
        return false;
    return stop || step == t->steps || step == 0 || (t->save_every && step % t->save_every == 0);
}

/* ---- steps --------------------------------------------------------------------------------- */

/* The state stays at the last step that was sound, and so does last.h5. */
static nm_status end_diverged(nm_train_run *t, nm_train_result *result)
{
    nm_history_row row = nm_train_run_start_row(t, result->step);
    result->stopped = false;
    NM_TRY(nm_train_run_add_row(t, &row, nm_train_run_seconds(t)));
    t->passing_rows++;
    NM_TRY(nm_train_run_write_metrics(t));
    nm_train_run_report(t, &row);
    return nm_watch_flush(t->watch);
}

/* A step in progress, from its gradients to its update. */
typedef struct started_step {
    nm_training_step step;
    nm_batch batch, own; /* own: as if this process's samples were all */
    const real *x;
    nm_result r;
    nm_bad_number bad;
} started_step;

/* Forward, loss and backward of the next step. `proof`: the gradients must be numbers too, which
 * the update would find out otherwise. */
static nm_status start_step(nm_train_run *t, nm_train_result *result, bool proof, started_step *s)
{
    double start = nm_clock();
    const nm_loaded *loaded = nm_train_run_next(t, t->loader);
    s->x = loaded->x;
    s->batch = (nm_batch){.n = loaded->batch,
                          .x = &s->x,
                          .targets = nm_target_maker_make(&t->targets, loaded),
                          .seed = t->state.seed,
                          .step = (uint32_t)t->state.step};
    s->own = s->batch;
    s->own.n = loaded->n;
    s->step = (nm_training_step){t->net, t->plan, t->optimization, t->watch, t->settings->watch_every};
    if (proof && t->net->state_count)
        memcpy(t->states, t->net->states, t->net->state_count * sizeof(real));
    nm_traffic before = nm_processes_traffic(t->processes);
    s->r = nm_plan_run(t->plan, &s->batch, NM_PHASE_ALL);
    nm_train_count_traffic(t, &before);
    t->stepping += nm_clock() - start;
    if (s->r.failed)
        return NM_FAILED;
    nm_find_bad_number(t->net, &s->own, &s->r, &s->bad);
    if (proof && !s->bad.found)
        s->bad.found = nm_optimization_find_bad(t->optimization, t->plan, s->bad.where, sizeof s->bad.where);
    return s->bad.found ? diverged(result, t->state.step + 1, s->bad.where) : NM_OK;
}

static nm_status finish_step(nm_train_run *t, nm_train_result *result, started_step *now)
{
    nm_train_state *s = &t->state;
    double start = nm_clock();
    nm_training_step_update(&now->step, &now->batch, s->step, &now->bad);
    if (now->bad.found)
        return diverged(result, s->step + 1, now->bad.where);
    s->step++;
    s->loss_sum += now->r.loss_sum;
    s->correct += now->r.correct;
    s->counted += now->r.counted;
    s->seen += (uint64_t)now->batch.n;
    t->stepping += nm_clock() - start;
    t->stepped += (uint64_t)now->batch.n;
    nm_train_run_report(t, NULL);
    return NM_OK;
}

/* Whether the loss is so far above where training began that the run is lost unless it falls: what
 * is saved of it would have to be thrown away with it, so that last.h5 waits. */
static bool blown_up(nm_train_run *t, double loss)
{
    enum { FACTOR = 10000 };
    if (t->first_loss == 0) {
        t->first_loss = loss;
        for (int i = 0; i < t->state.history_count; i++) /* NaN: greater than nothing */
            t->first_loss = fmax(t->first_loss, t->state.history[i].train_loss);
    }
    bool before = t->withheld;
    t->withheld = t->first_loss > 0 && loss > FACTOR * t->first_loss;
    if (t->withheld && !before && t->run)
        nm_log(t->ctx, "step %llu: the loss has grown from %g to %g: last.h5 stays as it is until it falls again",
               (unsigned long long)t->state.step + 1, t->first_loss, loss);
    return t->withheld;
}

/* One step, and before its update the checkpoint of the state that it starts from, where that is
 * due: a state is good when the loss and the gradients of the step that follows are numbers (at the
 * end: its evaluation). Otherwise a state that only yields NaN could take the place of one that can
 * be gone on from. `last`: no step follows; it is computed only as a proof. */
static nm_status save_and_step(nm_train_run *t, nm_train_result *result, bool saves, bool last)
{
    started_step s;
    bool proved = t->state.step == 0 || (last && t->evaluated_step == t->state.step);
    if (saves && proved)
        NM_TRY(save(t, result));
    saves = saves && !proved;
    if (last && !saves)
        return NM_OK;
    NM_TRY(start_step(t, result, saves, &s));
    bool waits = blown_up(t, s.r.loss);
    if (saves && (last || !waits))
        NM_TRY(save_before(t, result, &s.own));
    return last ? NM_OK : finish_step(t, result, &s);
}

/* NM_DIVERGED: it did, and *result says where. */
static nm_status loop(nm_train_run *t, nm_train_result *result)
{
    for (bool last = false; !last;) {
        if (row_due(t))
            NM_TRY(make_row(t, result));
        bool stop = nm_stop_wanted(t->request->stop);
        NM_TRY(nm_train_stop_together(t, &stop));
        last = stop || t->state.step >= t->steps;
        result->stopped = stop && (t->state.step < t->steps || row_due(t));
        NM_TRY(save_and_step(t, result, save_due(t, stop), last));
    }
    return NM_OK;
}

nm_status nm_train(nm_context *ctx, const nm_train_request *request, nm_train_result *result)
{
    enum { GRACE = 20 }; /* seconds in which those that were told to stop save together */
    nm_train_run t = {0};
    *result = (nm_train_result){0};
    nm_processes_set_stop(request->processes, request->stop, GRACE);
    nm_status status = nm_train_run_open(ctx, request, &t, result);
    if (status == NM_OK && t.run && !(result->run = nm_strdup(ctx, t.run->path)))
        status = NM_FAILED;
    if (status == NM_OK)
        status = loop(&t, result);
    if (result->diverged)
        status = end_diverged(&t, result);
    if (status == NM_OK) {
        if (!result->diverged)
            result->step = t.state.step;
        result->seconds = nm_train_run_seconds(&t);
        result->waited = nm_train_run_waited(&t);
        result->step_bytes = t.sent_steps ? (double)t.sent.bytes / (double)t.sent_steps : 0;
        result->step_messages = t.sent_steps ? (double)t.sent.messages / (double)t.sent_steps : 0;
        result->rows = t.state.history_count;
        result->history = t.state.history;
        result->row_seconds = t.row_seconds;
        t.state.history = NULL;
        t.row_seconds = NULL;
    } else {
        nm_free(result->run);
        result->run = NULL;
    }
    nm_train_run_close(&t);
    nm_processes_set_stop(request->processes, NULL, 0);
    return status;
}

void nm_train_result_free(nm_train_result *result)
{
    nm_free(result->history);
    nm_free(result->row_seconds);
    nm_free(result->run);
    *result = (nm_train_result){0};
}
