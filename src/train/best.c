/* Rows of a run: as callers get them, and which is the best. */
#include "train.h"

#include <math.h>

nm_metrics nm_row_metrics(const nm_history_row *row, double seconds)
{
    return (nm_metrics){.size = sizeof(nm_metrics),
                        .step = row->step,
                        .epoch = (int)row->epoch,
                        .lr = row->lr,
                        .train_loss = row->train_loss,
                        .train_accuracy = row->train_accuracy,
                        .test_loss = row->test_loss,
                        .test_accuracy = row->test_accuracy,
                        .seconds = seconds};
}

/* NaN: not measured, worse than anything. */
static bool better(const nm_history_row *a, const nm_history_row *b)
{
    bool rated = !isnan(a->test_accuracy), rival = !isnan(b->test_accuracy);
    if (rated != rival)
        return rated;
    if (rated && a->test_accuracy != b->test_accuracy)
        return a->test_accuracy > b->test_accuracy;
    return a->test_loss < b->test_loss || (isnan(b->test_loss) && !isnan(a->test_loss));
}

int nm_best_row(const nm_history_row *rows, int count)
{
    int best = -1;
    for (int i = 0; i < count; i++)
        if (best < 0 ? !isnan(rows[i].test_accuracy) || !isnan(rows[i].test_loss) : better(&rows[i], &rows[best]))
            best = i;
    return best;
}
