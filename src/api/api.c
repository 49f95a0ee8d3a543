/* The public functions of norma.h that train: thin ones over this room. */
#include "api_types.h"

#include "alloc.h"
#include "train.h"

#include <math.h>
#include <string.h>

/* ---- models ---------------------------------------------------------------------------------- */

/* Takes the document. */
static nm_status wrap(nm_context *ctx, nm_yaml *document, nm_model **out)
{
    *out = nm_alloc(ctx, 1, sizeof **out);
    if (*out)
        (*out)->document = document;
    else
        nm_yaml_free(document);
    return *out ? NM_OK : NM_FAILED;
}

nm_status nm_model_load(nm_context *ctx, const char *name, nm_model **out)
{
    char *path;
    nm_yaml *document = NULL;
    *out = NULL;
    nm_errors_clear(ctx);
    NM_TRY(nm_model_path(ctx, name, &path));
    nm_status status = nm_yaml_load(ctx, path, &document);
    nm_free(path);
    return status == NM_OK ? wrap(ctx, document, out) : status;
}

nm_status nm_model_parse(nm_context *ctx, const char *text, nm_model **out)
{
    nm_yaml *document;
    *out = NULL;
    nm_errors_clear(ctx);
    NM_TRY(nm_yaml_parse(ctx, "model", text, strlen(text), &document));
    return wrap(ctx, document, out);
}

void nm_model_free(nm_model *model)
{
    if (!model)
        return;
    nm_yaml_free(model->document);
    nm_free(model);
}

nm_status nm_model_set(nm_context *ctx, nm_model *model, const char *key, const char *value)
{
    nm_errors_clear(ctx);
    NM_TRY(nm_document_set(ctx, model->document, key, value));
    nm_settings_settle(model->document, &key, 1);
    return NM_OK;
}

/* ---- training -------------------------------------------------------------------------------- */

static nm_metrics metrics(const nm_history_row *row, double seconds)
{
    return (nm_metrics){.step = row->step,
                        .epoch = (int)row->epoch,
                        .lr = row->lr,
                        .train_loss = row->train_loss,
                        .train_accuracy = row->train_accuracy,
                        .test_loss = row->test_loss,
                        .test_accuracy = row->test_accuracy,
                        .seconds = seconds};
}

static void pass_row(void *arg, const nm_progress *progress)
{
    const nm_training *how = arg;
    if (!progress->row || !how->on_row)
        return;
    nm_metrics row = metrics(&progress->history, progress->seconds);
    how->on_row(how->arg, &row);
}

static void fill_outcome(const nm_train_result *result, nm_outcome *outcome)
{
    *outcome = (nm_outcome){.step = result->step,
                            .stopped = result->stopped,
                            .diverged = result->diverged,
                            .best_accuracy = (double)NAN,
                            .seconds = result->seconds};
    int best = nm_best_row(result->history, result->rows), last = result->rows - 1;
    if (best >= 0)
        outcome->best_accuracy = result->history[best].test_accuracy;
    if (last >= 0)
        outcome->last = metrics(&result->history[last], result->row_seconds[last]);
}

nm_status nm_model_train(nm_context *ctx, const nm_model *model, const nm_training *how, nm_outcome *outcome)
{
    nm_training plain = {0};
    how = how ? how : &plain;
    nm_train_request request = {.document = model->document,
                                .run = how->run,
                                .resume = how->resume,
                                .progress = pass_row,
                                .arg = (void *)how,
                                .stop = how->stop};
    nm_train_result result;
    *outcome = (nm_outcome){.best_accuracy = (double)NAN};
    nm_errors_clear(ctx);
    NM_TRY(nm_train(ctx, &request, &result));
    fill_outcome(&result, outcome);
    nm_train_result_free(&result);
    if (outcome->diverged)
        return nm_fail(ctx, NM_DIVERGED, "training diverged: the loss of step %llu is not a finite number",
                       (unsigned long long)outcome->step);
    return NM_OK;
}
