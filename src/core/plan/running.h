/* Running a plan's operations: what running.c and shards.c share. */
#ifndef NM_RUNNING_H
#define NM_RUNNING_H

#include "plan.h"

/* Operations that are run for some samples, by the team or by a thread alone. */
typedef struct nm_run {
    nm_plan *plan;
    const nm_batch *batch;
    unsigned phases; /* of nm_phase: operations of others are left out */
    nm_result *result;
    int worker;      /* 0: the team; else thread number worker - 1, alone */
    int first, n;    /* samples, of this process's */
    int loop, slice; /* of one that goes over slices of them: the operation; samples at once */
} nm_run;

/* One operation, whatever its kind, for the run's samples. */
void nm_run_kind(const nm_run *r, const nm_op *op);

/* Makes a pass of the operation's layer for the run's samples, and calls `call` with it. */
typedef void nm_layer_call(const nm_pass *p, const nm_node *node, void *arg);
void nm_call_layer(const nm_run *r, const nm_op *op, nm_layer_call *call, void *arg);

/* The number in the whole batch of this process's first sample. */
static inline int nm_first_own_sample(const nm_plan *plan)
{
    return plan->sharding.first * plan->sharding.samples;
}

/* One operation for all shards of this process. */
void nm_run_shards(const nm_run *r, const nm_op *op);
/* At the end of a run: waits for the gradients' sums, and joins the shards' results. */
void nm_join_shards(const nm_run *r);

#endif
