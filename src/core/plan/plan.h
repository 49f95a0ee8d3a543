/* The inside of a plan. Private to src/core.
 *
 * Time runs through windows, each with room for one forward and one backward pass. A plan that runs
 * the whole batch at once has one window: node i works at moment i, the losses at `nodes`, the
 * backward pass of node i at nodes + 2 * (nodes - i), and just before it the gradients that several
 * users of its output have left are summed.
 *
 * A staged plan (nm_request.micro, .recompute) cuts the network before every layer that has to know
 * the whole batch (batch norm in train mode: its type has `batch_statistics`). A node's stage is
 * the number of such layers above it, itself included. Stage after stage goes forward, each a few
 * samples at a time, then stage after stage backward, each again a few samples at a time: what of
 * its values backward reads is computed again first. The last stage goes forward and backward in
 * one window. So S stages have 2 S - 1 windows, and what crosses from one stage into another is
 * `whole`: there is room for all samples of the batch. A layer that gathers goes backward for the
 * whole batch at once, after the others of its stage.
 *
 * A plan for evaluation alone is cut into stages too (plan_slices.c); only their forward windows
 * are run. In a stage that is run apart each thread takes a few samples through all its layers, in
 * a lane of its own.
 *
 * Each piece of memory is a region with a first and a last moment; regions whose moments do not
 * meet may lie at the same place of the slab. */
#ifndef NM_PLAN_H
#define NM_PLAN_H

#include "fusion.h"
#include "network.h"

typedef struct nm_region {
    size_t size, offset; /* bytes */
    int first, last;     /* moments, both inclusive */
    int again;           /* not 0: alive so many moments earlier too, in its stage's forward window */
    bool whole;          /* of a staged plan: holds all samples of the batch */
    int room; /* the stage in whose rooms it lies, one for each thread, which are `apart` bytes apart; NM_NONE: none */
    size_t apart;
} nm_region;

/* Sets the regions' offsets and the size of the slab. lower_bound: most bytes alive at one moment.
 */
nm_status nm_memory_place(nm_context *ctx, nm_region *regions, int count, size_t *slab, size_t *lower_bound);

/* The explicit split: the gradients that the users of one output leave, to be summed into the
 * first. */
typedef struct nm_sum {
    int parts;
    real **part; /* [parts], in the order in which they are written */
} nm_sum;

/* A pointer into a whole region, which each run of a few samples moves on to the first of them. */
typedef struct nm_slide {
    void *where; /* of a real * */
    real *base;
    size_t sample; /* elements */
} nm_slide;

typedef struct nm_step {
    nm_pass pass;
    const real **x; /* [inputs]: pass.x */
    real **dx;      /* [inputs]: pass.dx */
    real **w, **dw; /* [params] */
    void *choice;   /* the type's plan struct */
    real *value;    /* the output; NULL for the network's inputs */
    real *gradient; /* of the loss by the output; NULL where not needed */
    nm_sum sum;
    nm_tail tail;                             /* what it does besides: the layers after it whose head it is */
    bool leaves_normalisation;                /* the last output is not written: its only reader normalises */
    nm_lazy_normalisation lazy_normalisation; /* how its own input is read, where that is left to it */
    int head;                                 /* the node that does this one's work; itself where nobody does */
    bool runs_backward;
    int stage;
    bool again; /* staged: its forward is run again before its stage goes backward */
    double forward_seconds, backward_seconds;
} nm_step;

/* Who runs layers: the whole team together, or one thread of it for itself. */
typedef struct nm_lane {
    nm_step *step; /* [nodes] */
    char *tables;  /* pointers of the steps */
    int slides;
    nm_slide *slide; /* [slides] */
} nm_lane;

typedef struct nm_stage {
    int slice;  /* samples at once */
    bool apart; /* each thread takes slices of its own through the whole stage */
} nm_stage;

struct nm_plan {
    nm_network *net;
    nm_request request;
    bool backward;   /* whether a backward pass is planned */
    nm_step *step;   /* [nodes]: of lane 0 */
    int lanes;       /* 1, or 1 + threads where a stage is run apart */
    nm_lane *lane;   /* [lanes]: the team's, then each thread's */
    int stages;      /* 1 where the plan is not staged */
    nm_stage *stage; /* [stages, room for one per node] */
    bool staged;
    int *objective_stage; /* [objectives, at least 1] */
    real **objective_dx;  /* [objectives, at least 1]: where each loss leaves its gradient; NULL where not needed */
    char *slab, *scratch, *thread_scratch;
    size_t apart_scratch; /* of each thread's scratch, what a lane of its own has as scratch for all threads */
    real *gradients;
    double *sample_loss;
    float *correct, *counted;
    nm_plan_memory memory;
};

#endif
