/* One training step, for whoever trains or measures training: forward, loss, backward, update. */
#ifndef NM_TRAINING_STEP_H
#define NM_TRAINING_STEP_H

#include "optimization.h"
#include "watch.h"

typedef struct nm_training_step {
    nm_plan *plan;                 /* of mode NM_TRAIN */
    nm_optimization *optimization; /* NULL: the gradients are computed, the parameters stay */
    nm_watch *watch;               /* NULL: none */
    int watch_every;               /* steps between rows of the watch, >= 1 */
} nm_training_step;

/* Runs the step that comes after `done` updates. Where the loss is not finite (result.loss_sum) the
 * parameters stay as they were and the watch gets no row; running statistics have moved. */
nm_result nm_training_step_run(const nm_training_step *step, const nm_batch *batch, uint64_t done);

#endif
