/* One training step, for whoever trains or measures training: forward, loss, backward, update. */
#ifndef NM_TRAINING_STEP_H
#define NM_TRAINING_STEP_H

#include "divergence.h"
#include "optimization.h"
#include "watch.h"

typedef struct nm_training_step {
    nm_network *net;
    nm_plan *plan;                 /* of `net`, of mode NM_TRAIN */
    nm_optimization *optimization; /* NULL: the gradients are computed, the parameters stay */
    nm_watch *watch;               /* NULL: none */
    int watch_every;               /* steps between rows of the watch, >= 1 */
} nm_training_step;

/* Where a step met NaN or infinity. */
typedef struct nm_bad_number {
    bool found;
    char where[NM_CULPRIT + 96]; /* "the gradient of c1/weight" */
} nm_bad_number;

/* Runs the step that comes after `done` updates. Where the loss, a running statistic or a gradient
 * is not finite the parameters stay as they were, and the watch gets no row where the loss is not;
 * a parameter or a slot that is not finite after the update is found too. */
nm_result nm_training_step_run(const nm_training_step *step, const nm_batch *batch, uint64_t done, nm_bad_number *bad);

/* The second half of a step, by the plan's gradients: the row of the watch and the update. */
void nm_training_step_update(const nm_training_step *step, const nm_batch *batch, uint64_t done, nm_bad_number *bad);

/* What of the loss and the running statistics is not finite after a run on `batch` that gave
 * `result`; a parameter where it explains that, otherwise the layer where it begins. */
void nm_find_bad_number(nm_network *net, const nm_batch *batch, const nm_result *result, nm_bad_number *bad);

#endif
