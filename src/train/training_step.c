#include "training_step.h"

#include <math.h>

nm_result nm_training_step_run(const nm_training_step *step, const nm_batch *batch, uint64_t done)
{
    nm_result result = nm_plan_run(step->plan, batch, NM_PHASE_ALL);
    if (!isfinite(result.loss_sum))
        return result;
    if (step->watch && (done + 1) % (uint64_t)step->watch_every == 0)
        nm_watch_row(step->watch, step->plan, batch, done + 1);
    if (step->optimization)
        nm_optimization_step(step->optimization, step->plan, done);
    return result;
}
