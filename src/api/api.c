/* Training: the public function of norma.h, a thin one over src/train. */
#include "api_types.h"

#include "alloc.h"
#include "train.h"

#include <math.h>

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
