/* A plan being made. Private to src/core. In this order: segments.c finds which gradients are
 * needed and cuts training, plan_fuse.c fuses, slices.c cuts evaluation, plan.c reserves what
 * layers ask for, program.c writes the operations, liveness.c finds when regions live, placing.c
 * where, pointers.c sets every pointer. */
#ifndef NM_BUILDER_H
#define NM_BUILDER_H

#include "plan.h"

/* Region numbers are NM_NONE where there is no region. */
typedef struct nm_builder {
    nm_context *ctx;
    nm_network *net;
    nm_plan *plan;
    nm_rules rules;
    bool *keep;             /* [nodes]: output stays readable */
    bool *needed;           /* [nodes]: the gradient of the output is computed */
    bool *recompute;        /* [nodes]: its forward is run again before its segment goes backward */
    bool *reached;          /* [nodes]: a loss lies at or below */
    int *value, *saved;     /* [nodes]: regions */
    int *gradient;          /* [nodes]: regions */
    int *edge;              /* [edges]: gradient by input k of node i is at first_edge[i] + k */
    int *first_edge;        /* [nodes] */
    int *objective_segment; /* [objectives, at least 1] */
    size_t *saved_size;     /* [nodes]: bytes */
    int *head, *tail;       /* [nodes]: who does its work; the last node whose work it does */
    int *segment;           /* [nodes] */
    unsigned *memory;       /* [nodes]: flags of this plan */
    int *written;           /* [edges + objectives]: regions of gradients that are written and not yet summed */
    int *written_for;       /* [edges + objectives]: by whose output; NM_NONE: it has been summed */
    int writes;
    int loop;              /* the operation NM_OP_LOOP that is open; NM_NONE */
    size_t thread_scratch; /* bytes for each thread, in segments that go by thread */
} nm_builder;

/* Whether the layer has to know the whole batch before any slice of it goes forward. */
static inline bool nm_takes_whole_batch(const nm_builder *b, int node)
{
    return b->plan->split && b->plan->request.mode == NM_TRAIN && b->net->node[node].type &&
           b->net->node[node].type->batch_statistics;
}

/* The node in whose operations input k of `user` is read; NM_NONE where it never leaves them. */
static inline int nm_reader(const nm_builder *b, int user, int k)
{
    int head = b->head[user];
    return head != user && b->head[b->net->node[user].from[k]] == head ? NM_NONE : head;
}

/* Where the losses stand; without a loss, the output (for nm_plan_backward_from). */
static inline int nm_objective_count(const nm_network *net)
{
    return net->objectives ? net->objectives : 1;
}
static inline int nm_objective_node(const nm_network *net, int i)
{
    return net->objectives ? net->objective[i].from : net->output;
}
/* The node that stands for the loss's targets; -1: the batch's targets. */
static inline int nm_objective_target(const nm_network *net, int i)
{
    return net->objectives ? net->objective[i].target : -1;
}

/* Finds whose output's gradient is computed: something to train at or above, a loss at or below. */
void nm_find_needed(nm_builder *b);
/* Which segment each node and each loss belongs to; one segment where the plan is not split. */
void nm_find_segments(nm_builder *b);
/* Whether the output of `node` crosses from its segment into another, or stays readable. */
bool nm_value_is_whole(const nm_builder *b, int node);
/* Whether the gradient by the output of `from` that `head` writes crosses from its segment into
 * another, or to a layer that takes the whole batch. */
bool nm_gradient_is_whole(const nm_builder *b, int from, int segment, bool by_whole_batch);
/* Which nodes of earlier segments than the last are run again; what they save must be known. */
void nm_find_recomputed(nm_builder *b);
/* Which layers do the work of those behind them, and which leave the normalisation of their outputs
 * to the reader. */
void nm_find_fusion(nm_builder *b);
/* In evaluation: the segments, by how many samples go through at once. Fusion must be known. */
nm_status nm_find_slices(nm_builder *b) NM_MUST_USE;
/* Writes the operations and the sizes of the regions. What layers save must be known. */
nm_status nm_write_program(nm_builder *b) NM_MUST_USE;
/* Lets layers work in place, then finds when each region is alive. */
nm_status nm_find_liveness(nm_builder *b) NM_MUST_USE;
/* The regions' offsets, and the size of the slab. */
nm_status nm_place_regions(nm_builder *b) NM_MUST_USE;

#endif
