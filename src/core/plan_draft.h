/* A plan being drawn up. Private to src/core: plan.c fuses, books and points, plan_regions.c says which memory lives
 * when. */
#ifndef NM_PLAN_DRAFT_H
#define NM_PLAN_DRAFT_H

#include "plan.h"

enum { NM_ALIGNMENT = 64, NM_NONE = -1 };

/* Region numbers, NM_NONE where there is no region. */
typedef struct nm_draft {
    nm_context *ctx;
    nm_network *net;
    nm_plan *plan;
    int regions, room;
    nm_region *region;
    bool *keep;          /* [nodes]: output stays readable */
    bool *needed;        /* [nodes]: the gradient of the output is computed */
    int *value, *saved;  /* [nodes] */
    int *gradient;       /* [nodes] */
    int *edge;           /* [edges]: gradient by input k of node i is at first_edge[i] + k */
    int *first_edge;     /* [nodes] */
    int *objective;      /* [objectives, at least 1] */
    size_t *saved_size;  /* [nodes] */
    int *head, *tail;    /* [nodes]: who does its work; the last node whose work it does */
    unsigned *memory;    /* [nodes]: flags of this plan */
    int **part;          /* [nodes]: the regions of step.sum.part; NULL where there are none */
} nm_draft;

static inline size_t nm_aligned(size_t bytes)
{
    return (bytes + NM_ALIGNMENT - 1) / NM_ALIGNMENT * NM_ALIGNMENT;
}

/* Where the losses stand; without a loss, the output (for nm_plan_backward_from). */
static inline int nm_objective_count(const nm_network *net)
{
    return net->objectives ? net->objectives : 1;
}
/* Whether a loss reads the output of `node`, as prediction or as target. */
static inline bool nm_objective_reads(const nm_network *net, int node)
{
    for (int i = 0; i < net->objectives; i++)
        if (net->objective[i].from == node || net->objective[i].target == node)
            return true;
    return !net->objectives && net->output == node;
}
static inline int nm_objective_node(const nm_network *net, int i)
{
    return net->objectives ? net->objective[i].from : net->output;
}

/* Finds whose output's gradient is computed: something to train at or above, a loss at or below. */
void nm_draft_needed(nm_draft *draft);
/* The regions of outputs and of what layers save, then those of gradients. Heads and bookings must stand. */
nm_status nm_draft_regions(nm_draft *draft) NM_MUST_USE;

#endif
