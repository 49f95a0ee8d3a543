/* A plan being drawn up. Private to src/core: plan_fuse.c fuses, plan_slices.c cuts evaluation into
 * stages, plan.c books, plan_point.c points, plan_regions.c says which memory lives when,
 * plan_place.c where. */
#ifndef NM_PLAN_DRAFT_H
#define NM_PLAN_DRAFT_H

#include "plan.h"

enum { NM_ALIGNMENT = 64, NM_NONE = -1 };

/* Region numbers, NM_NONE where there is no region. */
typedef struct nm_draft {
    nm_context *ctx;
    nm_network *net;
    nm_plan *plan;
    nm_rules rules;
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
    int *stage;          /* [nodes] */
    size_t apart_thread; /* bytes of scratch for each thread, in stages that are run apart */
    bool *again;         /* [nodes]: see nm_step */
    unsigned *memory;    /* [nodes]: flags of this plan */
    int **part;          /* [nodes]: the regions of step.sum.part; NULL where there are none */
} nm_draft;

static inline size_t nm_aligned(size_t bytes)
{
    return (bytes + NM_ALIGNMENT - 1) / NM_ALIGNMENT * NM_ALIGNMENT;
}

/* Whether the layer has to know the whole batch before any of its samples goes forward. */
static inline bool nm_gathers(const nm_draft *d, int node)
{
    return d->plan->staged && d->plan->request.mode == NM_TRAIN && d->net->node[node].type &&
           d->net->node[node].type->batch_statistics;
}

/* The node in whose passes input k of `user` is read; NM_NONE where it never leaves them. */
static inline int nm_reader(const nm_draft *d, int user, int k)
{
    int head = d->head[user];
    return head != user && d->head[d->net->node[user].from[k]] == head ? NM_NONE : head;
}

/* ---- moments: see plan.h -------------------------------------------------------------- */

static inline int nm_window_size(const nm_network *net)
{
    return 3 * net->nodes + 2;
}
/* The first moment of the windows in which a stage goes forward and backward; one and the same for
 * the last stage. */
static inline int nm_time_forward_window(const nm_draft *d, int stage)
{
    return stage * nm_window_size(d->net);
}
static inline int nm_time_backward_window(const nm_draft *d, int stage)
{
    return (2 * (d->plan->stages - 1) - stage) * nm_window_size(d->net);
}
static inline int nm_time_forward(const nm_draft *d, int node)
{
    return nm_time_backward_window(d, d->stage[node]) + node;
}
static inline int nm_time_loss(const nm_draft *d, int objective)
{
    return nm_time_backward_window(d, d->plan->objective_stage[objective]) + d->net->nodes;
}
static inline int nm_time_backward(const nm_draft *d, int node)
{
    return nm_time_backward_window(d, d->stage[node]) + d->net->nodes + 2 * (d->net->nodes - node);
}
static inline int nm_time_sum(const nm_draft *d, int node)
{
    return nm_time_backward(d, node) - 1;
}
static inline int nm_time_end(const nm_draft *d)
{
    return (2 * d->plan->stages - 1) * nm_window_size(d->net);
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
/* Which stage each node and each loss belongs to; one stage where the plan is not staged. */
void nm_draft_stages(nm_draft *draft);
/* Which layers do the work of those behind them, and which leave the normalisation of their outputs
 * to the reader; what each needs must be known. */
void nm_draft_fuse(nm_draft *draft);
/* In evaluation: the stages, by how many samples go through at once. What each layer does must be
 * known. */
nm_status nm_draft_slices(nm_draft *draft) NM_MUST_USE;
/* The regions of outputs and of what layers save, then those of gradients. Heads and bookings must
 * stand. */
nm_status nm_draft_regions(nm_draft *draft) NM_MUST_USE;
/* The regions' offsets, and the size of the slab. */
nm_status nm_draft_place(nm_draft *draft) NM_MUST_USE;
/* Every pointer of every lane. Memory must be there. */
nm_status nm_draft_point(nm_draft *draft) NM_MUST_USE;

#endif
