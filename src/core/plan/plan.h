/* The inside of a plan. Private to src/core.
 *
 * A plan is a program: a list of operations in the order in which they are run, with the regions of
 * memory that each reads and writes. Nothing else knows the order; `norma summary --plan` prints
 * it. Planning goes through these files, each of which reads what the ones before have found:
 *
 *     plan.c        which gradients are needed
 *     segments.c    where training is cut; then, fusion known, where evaluation is
 *     plan_fuse.c   which layers do the work of those behind them
 *     storage.c     which outputs are kept in bfloat16
 *     plan.c        what layers reserve
 *     program.c     the list of operations
 *     liveness.c    what each region holds, and from when to when it is alive
 *     placing.c     where it lies: regions whose lives do not meet get the same memory
 *     shards.c      what shards take, and how operations are run for them
 *     fitting.c     whether it fits into the memory that is left
 *
 * and running.c runs the list. A step of training is, where the whole batch goes at once,
 *
 *     zero of the gradients; [statistics] forward … ; loss … ; [sum] backward …
 *
 * Split (nm_request.micro, .recompute), the network is cut into segments before every layer that
 * has to know the whole batch (batch norm in train mode). A node's segment is the number of such
 * layers above it, itself included. Segment after segment goes forward, then segment after segment
 * backward, each in a loop over slices of a few samples; what backward reads of its values is
 * computed again first. The last segment goes forward and backward in one loop. What crosses from
 * one segment into another is `whole`: it holds all samples of the batch. A layer that has to know
 * the whole batch goes backward for all of it at once, behind the loop.
 *
 * Evaluation is cut into segments too (segments.c), each with its own number of samples. In such a
 * loop every thread takes slices of its own, in an arena of its own. */
#ifndef NM_PLAN_H
#define NM_PLAN_H

#include "fusion.h"
#include "network.h"
#include "sum_tree.h"

enum { NM_ALIGNMENT = 64 };

static inline size_t nm_aligned(size_t bytes)
{
    return (bytes + NM_ALIGNMENT - 1) / NM_ALIGNMENT * NM_ALIGNMENT;
}

/* ---- the plan ----------------------------------------------------------------------- */

/* An input of a node: the output of another. */
typedef struct nm_edge {
    int from, user;
    int reader;          /* the node in whose operations it is read; NM_NONE: it never leaves them */
    nm_region *gradient; /* by it; NULL: nobody needs it */
} nm_edge;

typedef struct nm_plan_node {
    void *choice;              /* the type's plan struct */
    unsigned memory;           /* flags, as in nm_infer, of what it does in this plan */
    nm_tail tail;              /* what it does besides its own work, without pointers */
    unsigned bf16;             /* as in nm_pass */
    bool leaves_normalisation; /* the last output is not written: its only reader normalises it */
    int head, last;            /* the node that does this one's work, itself where nobody does; the last one whose
                                work this one does */
    int last_reader;           /* the head that reads its output last, or 0 */
    int segment;
    nm_edge *edge;                  /* [inputs] */
    bool keep;                      /* its output stays readable */
    bool reached;                   /* a loss lies at or below */
    bool backward;                  /* the gradient of its output is computed */
    bool want_dx;                   /* so is one by an input */
    bool takes_whole_batch;         /* it has to know all samples before a slice of them goes forward */
    bool groups_in_shards;          /* of a batch in shards it knows each shard's before that goes forward */
    nm_region *value[2], *saved[2]; /* its output, and what it saves: in forward, and in backward, where it may be
                                     computed again; see nm_in_backward */
    nm_region *gradient;            /* by its output: the first part, into which the others are summed */
    size_t saved_size, scratch, thread_scratch; /* bytes; scratch: during one operation */
} nm_plan_node;

/* A batch in shards. Operations are run for one of this process's shards after the other, all else
 * is as without. A layer that has to know the whole batch joins the sums of all (nm_batch_sums). */
typedef struct nm_sharding {
    int shards;         /* 0: none */
    int samples;        /* in each */
    int batch;          /* of all shards; nm_request.batch is of this process's own */
    int first, end;     /* its own shards */
    nm_sum_tree *tree;  /* of the gradients */
    double *sums;       /* [shards][most]: of nm_batch_sums, or RESULTS */
    nm_result *results; /* [shards] */
    bool failed;        /* to exchange with other processes: the plan does nothing any more */
} nm_sharding;

struct nm_plan {
    nm_network *net;
    nm_request request;
    nm_rules rules;
    bool backward; /* whether a backward pass is planned */
    bool split;    /* there are segments, or one in slices */
    nm_sharding sharding;
    int objectives;
    const nm_objective *objective; /* [objectives]: where the losses stand */
    nm_objective no_loss; /* the one of a network without: at the output, for a gradient that the caller gives */
    nm_plan_node *node;   /* [nodes] */
    int edges;
    nm_edge *edge; /* [edges], of all nodes in their order */
    int ops;
    nm_op *op;              /* [ops] */
    nm_access *access;      /* of all operations, one after the other */
    const nm_segment *open; /* while the program is written: whose operations are added */
    int regions;
    nm_region *region;   /* [regions] */
    int segments;        /* 1 where the program is not cut */
    nm_segment *segment; /* [segments, capacity for one per node] */
    int workers;         /* the team, and each thread where a segment goes by thread */
    int most_inputs;     /* of a node */
    real **pointers;     /* [workers][4][most_inputs]: for the calls of layers */
    real **w, **dw;      /* [params]: values; gradients, NULL where there is none */
    double *seconds;     /* [workers][ops], with `timing`: threads side by side share it */
    char *slab, *scratch, *thread_scratch;
    real *gradients;
    double *sample_loss;
    float *correct, *counted;
    nm_plan_memory memory;
};

/* Which of a node's values an operation deals with. */
static inline int nm_in_backward(const nm_op *op)
{
    return op->phase != NM_PHASE_FORWARD;
}

/* ---- planning ----------------------------------------------------------------------- */

/* Cuts training; one segment where the plan is not split. */
void nm_find_segments(nm_plan *plan);
/* Which layers do the work of those behind them, and which leave the normalisation of their outputs
 * to the reader. */
void nm_find_fusion(nm_plan *plan);
/* Which outputs are kept in bfloat16, where the rules let them. */
void nm_find_storage(nm_plan *plan);
/* Cuts evaluation by how many samples go through at once. */
nm_status nm_find_slices(nm_plan *plan) NM_MUST_USE;
/* Writes the operations. What layers save must be known. */
nm_status nm_write_program(nm_plan *plan) NM_MUST_USE;
/* The sizes of the regions, and when each is alive; drops what is computed again for nobody, and
 * lets layers work in place. */
void nm_find_liveness(nm_plan *plan);
/* The regions' offsets, and the size of the slab. */
nm_status nm_place_regions(nm_plan *plan) NM_MUST_USE;
/* How the batch is cut into shards: of the request; and what joining them takes. */
nm_status nm_find_sharding(nm_plan *plan) NM_MUST_USE;
/* Nothing where there are none. */
nm_status nm_allocate_sharding(nm_plan *plan) NM_MUST_USE;
void nm_free_sharding(nm_plan *plan);
/* NM_FAILED, with the way out, where there is not the memory. */
nm_status nm_check_memory(const nm_plan *plan) NM_MUST_USE;

#endif
