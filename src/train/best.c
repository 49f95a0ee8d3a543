/* Which row of a run is the best. */
#include "train.h"

#include <math.h>

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
