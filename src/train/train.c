/* The loop of training.
 *
 * At its head the state is what a checkpoint holds, and what is due at this number of steps is
 * found from the state alone: first the row (evaluation), then the checkpoint, then the next step.
 * So a run that went on from a checkpoint does not know that it was ever interrupted, wherever that
 * was. */
#include "train_run.h"

#include "alloc.h"
#include "training_step.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static double seconds_so_far(const nm_train_run *t)
{
    return t->seconds_before + nm_clock() - t->started;
}

/* ---- rows --------------------------------------------------------------------------------- */

nm_status nm_train_run_add_row(nm_train_run *t, const nm_history_row *row, double seconds)
{
    int count = t->state.history_count;
    if (count == t->row_capacity) {
        int capacity = 2 * count + 16;
        nm_history_row *rows = nm_alloc(t->ctx, (size_t)capacity, sizeof *rows);
        double *beside = nm_alloc(t->ctx, (size_t)capacity, sizeof *beside);
        if (!rows || !beside) {
            nm_free(rows);
            nm_free(beside);
            return NM_FAILED;
        }
        if (count) {
            memcpy(rows, t->state.history, (size_t)count * sizeof *rows);
            memcpy(beside, t->row_seconds, (size_t)count * sizeof *beside);
        }
        nm_free(t->state.history);
        nm_free(t->row_seconds);
        t->state.history = rows;
        t->row_seconds = beside;
        t->row_capacity = capacity;
    }
    t->state.history[count] = *row;
    t->row_seconds[count] = seconds;
    t->state.history_count++;
    return NM_OK;
}

static double waited_share(const nm_train_run *t)
{
    return t->stepping > 0 ? nm_loader_waited(t->loader) / t->stepping : (double)NAN;
}

/* NaN where nothing counts, as where the loss does not classify. */
static double train_accuracy(const nm_train_state *s)
{
    return s->counted > 0 ? s->correct / s->counted : (double)NAN;
}

static void report(const nm_train_run *t, const nm_history_row *row)
{
    if (!t->request->progress)
        return;
    const nm_train_state *s = &t->state;
    double rate = t->stepping > 0 ? (double)t->stepped / t->stepping : 0, left = (double)(t->steps - s->step);
    uint64_t epoch_steps = s->steps_per_epoch;
    double seconds = seconds_so_far(t);
    nm_metrics metrics = row ? nm_row_metrics(row, seconds) : (nm_metrics){0};
    nm_progress progress = {
        .size = sizeof progress,
        .step = s->step,
        .steps = t->steps,
        .epoch = (int)((s->step + epoch_steps - 1) / epoch_steps),
        .epochs = (int)((t->steps + epoch_steps - 1) / epoch_steps),
        .loss = s->seen ? s->loss_sum / (double)s->seen : (double)NAN,
        .accuracy = train_accuracy(s),
        .images_per_second = rate,
        .seconds_left = rate > 0 ? left * t->loading.batch / rate : 0,
        .waited = waited_share(t),
        .seconds = seconds,
        .row = row ? &metrics : NULL,
    };
    if (row) { /* its sums have started anew */
        progress.loss = row->train_loss;
        progress.accuracy = row->train_accuracy;
    }
    t->request->progress(t->request->arg, &progress);
}

static nm_history_row start_row(const nm_train_run *t, uint64_t step)
{
    uint64_t last = step ? step - 1 : 0; /* the number of the step that led here */
    return (nm_history_row){.step = step,
                            .epoch = (uint32_t)(last / t->state.steps_per_epoch + 1),
                            .lr = nm_optimization_rate(t->optimization, last),
                            .train_loss = (double)NAN,
                            .train_accuracy = (double)NAN,
                            .test_loss = (double)NAN,
                            .test_accuracy = (double)NAN};
}

/* metrics.csv with what the history holds. */
static nm_status write_metrics(const nm_train_run *t)
{
    return t->run ? nm_run_dir_metrics(t->run, t->state.history, t->row_seconds, t->state.history_count) : NM_OK;
}

/* The row is the history's last. */
static nm_status keep_best(nm_train_run *t, const nm_history_row *row)
{
    nm_train_state *s = &t->state;
    if (nm_best_row(s->history, s->history_count) != s->history_count - 1)
        return NM_OK;
    s->best_accuracy = row->test_accuracy;
    s->best_step = row->step;
    return t->run ? nm_run_dir_save_best(t->run, t->net, s) : NM_OK;
}

/* A row belongs to the state when it falls on the beat of rows. The row at the end of a run of so
 * many steps may not: it is reported and written to metrics.csv, but the state stays as if training
 * had not ended there, so that going on with more steps is the same as never having stopped. */
static nm_status finish_row(nm_train_run *t, nm_history_row *row, bool lasting)
{
    nm_train_state *s = &t->state, before = *s;
    if (s->seen) {
        row->train_loss = s->loss_sum / (double)s->seen;
        row->train_accuracy = train_accuracy(s);
    }
    NM_TRY(nm_train_run_add_row(t, row, seconds_so_far(t)));
    s->loss_sum = 0;
    s->correct = s->counted = 0;
    s->seen = 0;
    NM_TRY(keep_best(t, row));
    NM_TRY(write_metrics(t));
    report(t, row);
    if (!lasting) {
        s->loss_sum = before.loss_sum;
        s->correct = before.correct;
        s->counted = before.counted;
        s->seen = before.seen;
        s->best_accuracy = before.best_accuracy;
        s->best_step = before.best_step;
    }
    t->passing_rows += !lasting;
    return NM_OK;
}

/* The state stays at the last step that was sound, and so does last.h5. */
static nm_status diverge(nm_train_run *t, nm_train_result *result, uint64_t step, const char *where)
{
    result->diverged = true;
    result->step = step;
    snprintf(result->cause, sizeof result->cause, "%s", where);
    nm_history_row row = start_row(t, step);
    NM_TRY(nm_train_run_add_row(t, &row, seconds_so_far(t)));
    t->passing_rows++;
    NM_TRY(write_metrics(t));
    report(t, &row);
    return nm_watch_flush(t->watch);
}

/* Makes the row unless a stop comes in between; it is due again on resuming then. */
static nm_status make_row(nm_train_run *t, nm_train_result *result)
{
    nm_history_row row = start_row(t, t->state.step);
    bool stopped = false;
    NM_TRY(nm_population_estimate(t));
    if (t->evaluator) {
        nm_evaluation e;
        NM_TRY(nm_evaluator_run(t->evaluator, t->request->stop, &e, &stopped));
        row.test_loss = e.loss;
        row.test_accuracy = e.accuracy;
        nm_free(e.confusion);
        if (!stopped && !isfinite(e.loss))
            return diverge(t, result, t->state.step, "the loss on the test split");
    }
    return stopped ? NM_OK : finish_row(t, &row, t->state.step % t->row_every == 0);
}

static bool row_due(const nm_train_run *t)
{
    const nm_train_state *s = &t->state;
    bool made = s->history_count > 0 && s->history[s->history_count - 1].step == s->step;
    return s->step > 0 && !made && (s->step == t->steps || (s->step < t->steps && s->step % t->row_every == 0));
}

/* ---- checkpoints -------------------------------------------------------------------------- */

/* What is judged and saved must be numbers: all parameters, statistics and slots. */
static bool is_sound(const nm_train_run *t)
{
    return nm_all_finite(t->net->weights, t->net->weight_count) && nm_all_finite(t->net->states, t->net->state_count) &&
           nm_optimization_is_sound(t->optimization);
}

static nm_status save(nm_train_run *t)
{
    if (!t->run || t->saved_step == t->state.step)
        return NM_OK;
    NM_TRY(nm_watch_flush(t->watch));
    nm_train_state lasting = t->state;
    lasting.history_count -= t->passing_rows;
    int keep = t->state.step > 0 ? t->settings->keep : 0; /* the start is no step to keep */
    NM_TRY(nm_run_dir_save(t->run, t->net, &lasting, keep));
    t->saved_step = t->state.step;
    return NM_OK;
}

static bool save_due(const nm_train_run *t)
{
    uint64_t step = t->state.step;
    return step == t->steps || step == 0 || (t->save_every && step % t->save_every == 0);
}

/* ---- steps --------------------------------------------------------------------------------- */

static nm_status one_step(nm_train_run *t, nm_train_result *result)
{
    nm_train_state *s = &t->state;
    double start = nm_clock();
    const nm_loaded *loaded = nm_train_run_next(t, t->loader);
    nm_batch batch = {.n = loaded->n,
                      .x = &loaded->x,
                      .targets = nm_target_maker_make(&t->targets, loaded),
                      .seed = s->seed,
                      .step = (uint32_t)s->step};
    nm_training_step step = {t->net, t->plan, t->optimization, t->watch, t->settings->watch_every};
    nm_bad_number bad;
    nm_result r = nm_training_step_run(&step, &batch, s->step, &bad);
    if (bad.found)
        return diverge(t, result, s->step + 1, bad.where);
    s->step++;
    s->loss_sum += r.loss_sum;
    s->correct += r.correct;
    s->counted += r.counted;
    s->seen += (uint64_t)loaded->n;
    t->stepping += nm_clock() - start;
    t->stepped += (uint64_t)loaded->n;
    report(t, NULL);
    return NM_OK;
}

static nm_status loop(nm_train_run *t, nm_train_result *result)
{
    while (!result->diverged) {
        bool stop = nm_stop_wanted(t->request->stop);
        if ((row_due(t) || save_due(t) || stop) && !is_sound(t))
            return diverge(t, result, t->state.step, "a parameter");
        if (row_due(t))
            NM_TRY(make_row(t, result));
        if (result->diverged)
            break;
        stop = nm_stop_wanted(t->request->stop);
        if (stop || save_due(t))
            NM_TRY(save(t));
        result->stopped = stop && (t->state.step < t->steps || row_due(t));
        if (stop || t->state.step >= t->steps)
            break;
        NM_TRY(one_step(t, result));
    }
    return NM_OK;
}

nm_status nm_train(nm_context *ctx, const nm_train_request *request, nm_train_result *result)
{
    nm_train_run t = {0};
    *result = (nm_train_result){0};
    nm_status status = nm_train_run_open(ctx, request, &t, result);
    if (status == NM_OK && t.run && !(result->run = nm_strdup(ctx, t.run->path)))
        status = NM_FAILED;
    if (status == NM_OK)
        status = loop(&t, result);
    if (status == NM_OK) {
        if (!result->diverged)
            result->step = t.state.step;
        result->seconds = seconds_so_far(&t);
        result->waited = waited_share(&t);
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
    return status;
}

void nm_train_result_free(nm_train_result *result)
{
    nm_free(result->history);
    nm_free(result->row_seconds);
    nm_free(result->run);
    *result = (nm_train_result){0};
}
