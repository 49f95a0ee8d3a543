/* The inside of a plan. Private to src/core.
 *
 * A plan is a program: a list of operations in the order in which they are run, with the regions of
 * memory that each reads and writes. program.c writes the list, liveness.c finds in it when each
 * region is alive, placing.c gives regions whose lives do not meet the same memory, runner.c runs
 * the list. Nothing else knows the order; `norma summary --plan` prints it.
 *
 * A step of training is, where the whole batch goes at once,
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
 * Evaluation is cut into segments too (slices.c), each with its own number of samples. In such a
 * loop every thread takes slices of its own, in an arena of its own. */
#ifndef NM_PLAN_H
#define NM_PLAN_H

#include "fusion.h"
#include "network.h"

enum { NM_ALIGNMENT = 64, NM_NONE = -1 };

/* ---- memory ------------------------------------------------------------------------- */

typedef struct nm_interval {
    int first, last; /* operations, both inclusive */
} nm_interval;

enum { NM_MAX_INTERVALS = 2 }; /* the second one: where it is computed again */

typedef struct nm_region {
    size_t size, offset; /* bytes, of NM_ALIGNMENT; offset: in the slab */
    int intervals;
    nm_interval live[NM_MAX_INTERVALS]; /* [intervals], in order of time, apart from each other */
    bool whole;                         /* of a program with segments: holds all samples of the batch */
    int segment;                        /* in whose arenas it lies, one for each thread; NM_NONE: in none */
    size_t arena_bytes;                 /* from one thread's arena to the next one's */
} nm_region;

static inline size_t nm_aligned(size_t bytes)
{
    return (bytes + NM_ALIGNMENT - 1) / NM_ALIGNMENT * NM_ALIGNMENT;
}

/* Sets the regions' offsets and the size of the slab. lower_bound: most bytes alive at one
 * operation. */
nm_status nm_memory_place(nm_context *ctx, nm_region *regions, int count, size_t *slab,
                          size_t *lower_bound) NM_MUST_USE;

/* ---- the program -------------------------------------------------------------------- */

typedef enum nm_op_kind {
    NM_OP_ZERO,       /* the gradients of the parameters */
    NM_OP_LOOP,       /* over slices of the batch: what follows, up to its NM_OP_LOOP_END */
    NM_OP_LOOP_END,   /* the last slice is done */
    NM_OP_STATISTICS, /* of a layer that has to know all samples before the first goes forward */
    NM_OP_FORWARD,
    NM_OP_LOSS,
    NM_OP_SUM, /* of the gradients that several readers of one output have left, into the first */
    NM_OP_BACKWARD,
    NM_OP_RESULTS, /* what is to stay readable after the run is read here */
} nm_op_kind;

/* What an operation belongs to, as a bit: parts of the program can be run alone. */
typedef enum nm_phase { NM_PHASE_FORWARD = 1, NM_PHASE_LOSS = 2, NM_PHASE_BACKWARD = 4 } nm_phase;

/* What a region is to an operation that reads or writes it. */
typedef enum nm_use { NM_AS_X, NM_AS_Y, NM_AS_DY, NM_AS_DX, NM_AS_SAVED, NM_AS_TARGET, NM_AS_PART } nm_use;

typedef struct nm_access {
    int region;
    nm_use use;
    bool read, write; /* one that is written and not read begins anew: nothing of it is needed before */
} nm_access;

typedef struct nm_op {
    nm_op_kind kind;
    int index;      /* the node; of NM_OP_LOSS the objective, of NM_OP_LOOP and its end the segment */
    unsigned phase; /* of a loop: those of its operations */
    int loop;       /* of the loop that it is in, the operation NM_OP_LOOP; NM_NONE: it takes the whole batch */
    int end;        /* of NM_OP_LOOP: its NM_OP_LOOP_END */
    int accesses;
    nm_access *access; /* [accesses] */
    int deaths;
    const int *dead; /* [deaths]: regions that nobody reads after it */
} nm_op;

typedef struct nm_program {
    int ops;
    nm_op *op;         /* [ops] */
    nm_access *access; /* of all operations, one after the other */
    int regions;
    nm_region *region; /* [regions] */
    int *dead;         /* of all operations */
} nm_program;

/* Which region the operation uses so; NM_NONE: none. */
int nm_op_region(const nm_op *op, nm_use use);

/* ---- the plan ----------------------------------------------------------------------- */

typedef struct nm_plan_node {
    void *choice;              /* the type's plan struct */
    nm_tail tail;              /* what it does besides its own work, without pointers */
    bool leaves_normalisation; /* the last output is not written: its only reader normalises it */
    int head, last;            /* the node that does this one's work, itself where nobody does; the last one whose
                                work this one does */
    int segment;
    bool backward;                  /* the gradient of its output is computed */
    int value, saved, gradient;     /* regions of its output, of what it saves, of the gradient by its output */
    const int *edge;                /* [inputs]: regions of the gradients by its inputs */
    size_t scratch, thread_scratch; /* bytes, during one operation */
} nm_plan_node;

typedef struct nm_segment {
    int slice;      /* samples at once */
    bool by_thread; /* each thread takes slices of its own through the whole segment */
} nm_segment;

struct nm_plan {
    nm_network *net;
    nm_request request;
    bool backward;      /* whether a backward pass is planned */
    nm_plan_node *node; /* [nodes] */
    nm_program program;
    int workers;         /* the team, and each thread where a segment goes by thread */
    int most_inputs;     /* of a node */
    real **pointers;     /* [workers][4][most_inputs]: for the calls of layers */
    real **w, **dw;      /* [params]: values; gradients, NULL where there is none */
    int *edge;           /* of all nodes */
    double *seconds;     /* [workers][ops]; NULL without `timing` */
    int segments;        /* 1 where the program is not cut */
    nm_segment *segment; /* [segments, capacity for one per node] */
    bool split;          /* there are segments, or one in slices */
    char *slab, *scratch, *thread_scratch;
    size_t worker_scratch; /* of each thread's scratch, what it has as scratch for all threads where it is alone */
    real *gradients;
    double *sample_loss;
    float *correct, *counted;
    nm_plan_memory memory;
};

/* Where a region lies, for the team. */
static inline real *nm_plan_region(const nm_plan *plan, int region)
{
    return region == NM_NONE || !plan->slab ? NULL : (real *)(void *)(plan->slab + plan->program.region[region].offset);
}

#endif
