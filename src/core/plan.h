/* The inside of a plan. Private to src/core.
 *
 * Time runs through one forward and one backward pass: node i works at time i, the losses at `nodes`, and the
 * backward pass of node i at nm_time_backward(i); just before it, at nm_time_sum(i), the gradients that several
 * users of its output have left are summed. Each piece of memory is a region with a first and a last moment; regions
 * whose moments do not meet may lie at the same place of the slab. */
#ifndef NM_PLAN_H
#define NM_PLAN_H

#include "network.h"

typedef struct nm_region {
    size_t size, offset; /* bytes */
    int first, last;     /* moments, both inclusive */
} nm_region;

/* Sets the regions' offsets and the size of the slab. lower_bound: most bytes alive at one moment. */
nm_status nm_memory_place(nm_context *ctx, nm_region *regions, int count, size_t *slab, size_t *lower_bound);

/* The explicit split: the gradients that the users of one output leave, to be summed into the first. */
typedef struct nm_sum {
    int parts;
    real **part;         /* [parts], in the order in which they are written */
} nm_sum;

typedef struct nm_step {
    nm_pass pass;
    const real **x;      /* [inputs]: pass.x */
    real **dx;           /* [inputs]: pass.dx */
    real **w, **dw;      /* [params] */
    void *choice;        /* the type's plan struct */
    real *value;         /* the output; NULL for the network's inputs */
    real *gradient;      /* of the loss by the output; NULL where not needed */
    nm_sum sum;
    int fused;           /* layers after it that it does the work of */
    nm_fused *with;      /* [fused] */
    int head;            /* the node that does this one's work; itself where nobody does */
    bool runs_backward;
    double forward_seconds, backward_seconds;
} nm_step;

struct nm_plan {
    nm_network *net;
    nm_request request;
    bool backward;       /* whether a backward pass is planned */
    nm_step *step;       /* [nodes] */
    real **objective_dx; /* [objectives, at least 1]: where each loss leaves its gradient; NULL where not needed */
    char *slab, *scratch, *thread_scratch, *tables;
    real *gradients;
    double *sample_loss;
    float *correct;
    nm_plan_memory memory;
};

static inline int nm_time_backward(const nm_network *net, int node)
{
    return net->nodes + 2 * (net->nodes - node);
}
static inline int nm_time_sum(const nm_network *net, int node)
{
    return nm_time_backward(net, node) - 1;
}
static inline int nm_time_end(const nm_network *net)
{
    return 3 * net->nodes + 1;
}

#endif
