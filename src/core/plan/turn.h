/* One operation of a plan as it is run: by whom, for which samples, and where those lie. Private to
 * src/core/plan. */
#ifndef NM_TURN_H
#define NM_TURN_H

#include "plan.h"

/* A few samples of a batch, or all of them. */
typedef struct nm_slice {
    int first, n;
} nm_slice;

/* A part of the program being run. */
typedef struct nm_run {
    nm_plan *plan;
    const nm_batch *batch;
    unsigned phases;   /* of nm_phase: operations of others are left out */
    const real *dy;    /* given in place of the losses; NULL: the losses are run */
    bool dy_is_placed; /* a loss at the output has been replaced */
    nm_result result;
} nm_run;

/* Who runs an operation, for which samples. */
typedef struct nm_turn {
    const nm_run *run;
    int worker; /* 0: the team; else thread number worker - 1, alone */
    nm_slice s;
} nm_turn;

static inline real *nm_memory_of(const nm_turn *t, int region)
{
    real *at = nm_plan_region(t->run->plan, region);
    size_t arena = at && t->worker > 0 ? (size_t)(t->worker - 1) * t->run->plan->program.region[region].arena_bytes : 0;
    return at ? (real *)(void *)((char *)at + arena) : NULL;
}

/* Where the turn's samples lie in a region, of so many numbers each. */
static inline real *nm_samples_of(const nm_turn *t, int region, size_t size)
{
    real *at = nm_memory_of(t, region);
    return at && t->run->plan->program.region[region].whole ? at + (size_t)t->s.first * size : at;
}

/* A layer's statistics, forward or backward. */
void nm_run_layer(const nm_turn *t, const nm_op *op);

#endif
