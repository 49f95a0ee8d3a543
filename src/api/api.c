/* Training: the public functions of norma.h, thin ones over src/train. */
#include "api_types.h"

#include "alloc.h"
#include "join.h"
#include "run_dir.h"

#include <math.h>
#include <string.h>

/* Calls of on_progress, and of on_row where a row was made. */
static void pass_progress(void *arg, const nm_progress *progress)
{
    const nm_training *how = arg;
    if (how->on_progress)
        how->on_progress(how->arg, progress);
    if (progress->row && how->on_row)
        how->on_row(how->arg, progress->row);
}

/* What an outcome points to is one block, which begins with its `row`: pointers, rows, the path,
 * the cause. */
static nm_status fill_outcome(nm_context *ctx, const nm_train_result *result, nm_outcome *o)
{
    size_t rows = (size_t)result->rows, path = result->run ? strlen(result->run) + 1 : 0,
           cause = result->diverged ? strlen(result->cause) + 1 : 0;
    size_t pointers = (rows + 1) * sizeof(nm_metrics *);
    char *block = nm_alloc(ctx, pointers + rows * sizeof(nm_metrics) + path + cause, 1);
    if (!block)
        return NM_FAILED;
    const nm_metrics **row = (const nm_metrics **)(void *)block;
    nm_metrics *metrics = (nm_metrics *)(void *)(block + pointers);
    for (size_t i = 0; i < rows; i++) {
        metrics[i] = nm_row_metrics(&result->history[i], result->row_seconds[i]);
        row[i] = &metrics[i];
    }
    int best = nm_best_row(result->history, result->rows);
    o->step = result->step;
    o->stopped = result->stopped;
    o->diverged = result->diverged;
    o->seconds = result->seconds;
    o->waited = result->waited;
    o->step_bytes = result->step_bytes;
    o->step_messages = result->step_messages;
    o->rows = result->rows;
    o->row = row;
    o->last = rows ? row[rows - 1] : NULL;
    o->best = best < 0 ? NULL : row[best];
    o->best_accuracy = best < 0 ? (double)NAN : row[best]->test_accuracy;
    if (path)
        o->run = memcpy(block + pointers + rows * sizeof(nm_metrics), result->run, path);
    if (cause)
        o->cause = memcpy(block + pointers + rows * sizeof(nm_metrics) + path, result->cause, cause);
    return NM_OK;
}

void nm_outcome_free(nm_outcome *o)
{
    nm_free((void *)(uintptr_t)o->row);
    o->row = NULL;
    o->rows = 0;
    o->last = o->best = NULL;
    o->run = NULL;
}

/* FOLDER/NAME for run directories FOLDER/NAME-1, …; nm_free. */
static char *run_stem(nm_context *ctx, const nm_model *model, const char *folder)
{
    char name[192];
    nm_run_name(nm_yaml_text(model->document, "name", "network"), name, sizeof name);
    return nm_format(ctx, "%s/%s", folder, name);
}

static nm_status train(nm_context *ctx, const nm_model *model, nm_training *how, nm_outcome *outcome)
{
    nm_train_request request = {.document = model->document,
                                .run = how->run,
                                .resume = how->resume,
                                .allow_change = how->allow_change,
                                .processes = nm_joined_processes(),
                                .progress = pass_progress,
                                .arg = how,
                                .stop = how->stop};
    char *stem = how->runs && !how->run ? run_stem(ctx, model, how->runs) : NULL;
    if (how->runs && !how->run && !stem)
        return NM_FAILED;
    nm_train_result result = {0};
    request.run_stem = stem;
    nm_status status = nm_train(ctx, &request, &result);
    if (status == NM_OK)
        status = fill_outcome(ctx, &result, outcome);
    nm_train_result_free(&result);
    nm_free(stem);
    return status;
}

nm_status nm_model_train(nm_context *ctx, const nm_model *model, const nm_training *how, nm_outcome *outcome)
{
    nm_training own = NM_TRAINING_INIT;
    nm_outcome found = NM_OUTCOME_INIT;
    found.best_accuracy = found.waited = (double)NAN;
    nm_errors_clear(ctx);
    if (how)
        NM_TRY(nm_sized_read(ctx, "NM_TRAINING_INIT", how, &own, sizeof own));
    if (outcome)
        NM_TRY(nm_sized_write(ctx, "NM_OUTCOME_INIT", outcome, &found, sizeof found));
    NM_TRY(train(ctx, model, &own, &found));
    if (outcome)
        NM_TRY(nm_sized_write(ctx, "NM_OUTCOME_INIT", outcome, &found, sizeof found));
    nm_status status = NM_OK;
    if (found.diverged)
        status = nm_fail(ctx, NM_DIVERGED, "training diverged: %s was NaN or infinite at step %llu", found.cause,
                         (unsigned long long)found.step);
    if (!outcome || outcome->size <= offsetof(nm_outcome, row)) /* it has no place for the rows */
        nm_outcome_free(&found);
    return status;
}
