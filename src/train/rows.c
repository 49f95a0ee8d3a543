/* Rows of a run: made, kept in the history and in metrics.csv, reported. */
#include "alloc.h"
#include "train_run.h"

#include <math.h>
#include <string.h>

double nm_train_run_seconds(const nm_train_run *t)
{
    return t->seconds_before + nm_clock() - t->started;
}

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

double nm_train_run_waited(const nm_train_run *t)
{
    return t->stepping > 0 ? nm_loader_waited(t->loader) / t->stepping : (double)NAN;
}

/* NaN where nothing counts, as where the loss does not classify. */
static double train_accuracy(const nm_train_state *s)
{
    return s->counted > 0 ? s->correct / s->counted : (double)NAN;
}

void nm_train_run_report(const nm_train_run *t, const nm_history_row *row)
{
    if (!t->request->progress || nm_processes_rank(t->processes) > 0)
        return;
    const nm_train_state *s = &t->state;
    double rate = t->stepping > 0 ? (double)t->stepped / t->stepping : 0, left = (double)(t->steps - s->step);
    uint64_t epoch_steps = s->steps_per_epoch;
    double seconds = nm_train_run_seconds(t);
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
        .waited = nm_train_run_waited(t),
        .seconds = seconds,
        .row = row ? &metrics : NULL,
    };
    if (row) { /* its sums have started anew */
        progress.loss = row->train_loss;
        progress.accuracy = row->train_accuracy;
    }
    t->request->progress(t->request->arg, &progress);
}

nm_history_row nm_train_run_start_row(const nm_train_run *t, uint64_t step)
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
nm_status nm_train_run_write_metrics(const nm_train_run *t)
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
nm_status nm_train_run_finish_row(nm_train_run *t, nm_history_row *row, bool lasting)
{
    nm_train_state *s = &t->state, before = *s;
    if (s->seen) {
        row->train_loss = s->loss_sum / (double)s->seen;
        row->train_accuracy = train_accuracy(s);
    }
    NM_TRY(nm_train_run_add_row(t, row, nm_train_run_seconds(t)));
    s->loss_sum = 0;
    s->correct = s->counted = 0;
    s->seen = 0;
    NM_TRY(keep_best(t, row));
    NM_TRY(nm_train_run_write_metrics(t));
    nm_train_run_report(t, row);
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
