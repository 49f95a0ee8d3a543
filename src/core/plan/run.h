/* One layer of a plan at a time. Private to src/core: passes.c runs them in their order. */
#ifndef NM_RUN_H
#define NM_RUN_H

#include "plan.h"

/* A few samples of a batch: all of them where the plan is not staged. */
typedef struct nm_slice {
    int first, n;
} nm_slice;

/* What a layer has to know of these samples before it goes forward: in training of the whole batch.
 */
void nm_run_gather(nm_plan *plan, nm_lane *lane, const nm_batch *batch, int node, nm_slice s);
void nm_run_forward(nm_plan *plan, nm_lane *lane, const nm_batch *batch, int node, nm_slice s);
/* Adds up the gradients that several readers of the node's output have left. */
void nm_run_sum(nm_plan *plan, int node, nm_slice s);
void nm_run_backward(nm_plan *plan, const nm_batch *batch, int node, nm_slice s);
/* Adds what an objective makes of some samples, and leaves its gradient. */
void nm_run_loss(nm_plan *plan, const nm_batch *batch, int objective, nm_slice s, nm_result *result);
void nm_run_zero(const nm_plan *plan, real *to, size_t count);

#endif
