/* The inside of a plan. Private to src/core.
 *
 * A plan is a program: a list of operations in the order in which they are run, with the regions of
 * memory that each reads and writes. Nothing else knows the order; `norma summary --plan` prints
 * it. Planning goes through these files, each of which reads what the ones before have found:
 *
 *     segments.c    which gradients are needed; where training is cut
 *     plan_fuse.c   which layers do the work of those behind them
 *     slices.c      where evaluation is cut
 *     plan.c        what layers reserve
 *     program.c     the list of operations
 *     liveness.c    what each region holds, and from when to when it is alive
 *     placing.c     where it lies: regions whose lives do not meet get the same memory
 *
 * and runner.c runs the list (operations.c has what each kind does). A step of training is, where
 * the whole batch goes at once,
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

typedef struct nm_region nm_region;

typedef struct nm_segment {
    int slice;          /* samples at once */
    bool by_thread;     /* each thread takes slices of its own through the whole segment, in its own arena */
    nm_region *arenas;  /* of all threads, one after the other */
    size_t arena_bytes; /* of each */
} nm_segment;

struct nm_region {
    size_t size, offset; /* bytes, of NM_ALIGNMENT; offset: in the slab, of the first thread's where it is in arenas */
    int intervals;
    nm_interval live[NM_MAX_INTERVALS]; /* [intervals], in order of time, apart from each other */
    size_t sample_size;                 /* bytes of a sample, where it holds so many as its readers take at once */
    bool whole;                         /* of a program with segments: holds all samples of the batch */
    const nm_segment *segment;          /* in whose arenas it lies, one for each thread; NULL: in none */
    bool wanted;                        /* while that is found: it is read before it is written anew */
    nm_region *shares;                  /* the region whose place it takes; NULL: it has its own */
    double weight;                      /* while it is placed: the heaviest come first */
    nm_region *next_part;               /* of a gradient that several readers of an output leave in parts */
};

static inline size_t nm_aligned(size_t bytes)
{
    return (bytes + NM_ALIGNMENT - 1) / NM_ALIGNMENT * NM_ALIGNMENT;
}

/* The region that has the memory. */
static inline nm_region *nm_region_owner(nm_region *region)
{
    while (region && region->shares)
        region = region->shares;
    return region;
}

/* Sets the offsets of those of the regions that lie in the arenas of `segment`, or in none, and the
 * size of all. lower_bound: most bytes alive at one operation. */
nm_status nm_memory_place(nm_context *ctx, nm_region *regions, int count, const nm_segment *segment, size_t *size,
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
typedef enum nm_use { NM_AS_X, NM_AS_Y, NM_AS_DY, NM_AS_DX, NM_AS_SAVED, NM_AS_TARGET, NM_AS_PART, NM_AS_ARENA } nm_use;

typedef struct nm_access {
    nm_region *region;
    nm_use use;
    bool read, write; /* one that is written and not read begins anew: nothing of it is needed before */
} nm_access;

typedef struct nm_op {
    nm_op_kind kind;
    int index;                 /* the node; of NM_OP_LOSS the objective, of NM_OP_LOOP and its end the segment */
    unsigned phase;            /* of a loop: those of its operations */
    const nm_segment *segment; /* whose samples it takes; NULL: the whole batch */
    int loop; /* of the loop that it is in, the operation NM_OP_LOOP; NM_NONE: it takes the whole batch */
    int end;  /* of NM_OP_LOOP: its NM_OP_LOOP_END */
    int accesses;
    nm_access *access; /* [accesses] */
} nm_op;

/* Which region the operation uses so; NULL: none. */
nm_region *nm_op_region(const nm_op *op, nm_use use);

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
    bool leaves_normalisation; /* the last output is not written: its only reader normalises it */
    int head, last;            /* the node that does this one's work, itself where nobody does; the last one whose
                                work this one does */
    int segment;
    nm_edge *edge;                       /* [inputs] */
    bool keep;                           /* its output stays readable */
    bool reached;                        /* a loss lies at or below */
    bool backward;                       /* the gradient of its output is computed */
    bool want_dx;                        /* so is one by an input */
    bool takes_whole_batch;              /* it has to know all samples before a slice of them goes forward */
    nm_region *value, *saved, *gradient; /* its output, what it saves, the gradient by its output (the first part,
                                          into which the others are summed) */
    size_t saved_size, scratch, thread_scratch; /* bytes; scratch: during one operation */
} nm_plan_node;

struct nm_plan {
    nm_network *net;
    nm_request request;
    nm_rules rules;
    bool backward;      /* whether a backward pass is planned */
    bool split;         /* there are segments, or one in slices */
    nm_plan_node *node; /* [nodes] */
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
    double *seconds;     /* [workers][ops], with `timing` */
    char *slab, *scratch, *thread_scratch;
    real *gradients;
    double *sample_loss;
    float *correct, *counted;
    nm_plan_memory memory;
};

/* ---- running ------------------------------------------------------------------------ */

/* A part of the program being run. */
typedef struct nm_run {
    nm_plan *plan;
    const nm_batch *batch;
    unsigned phases;   /* of nm_phase: operations of others are left out */
    const real *dy;    /* given in place of the losses; NULL: the losses are run */
    bool dy_is_placed; /* a loss at the output has been replaced */
    nm_result result;
    const nm_op *loop; /* the one that is run, */
    int slice;         /* and how many samples it takes at once */
} nm_run;

/* Who runs an operation, for which samples. */
typedef struct nm_turn {
    nm_run *run;
    int worker;   /* 0: the team; else thread number worker - 1, alone */
    int first, n; /* samples */
} nm_turn;

void nm_run_op(const nm_turn *t, const nm_op *op);

/* ---- planning ----------------------------------------------------------------------- */

/* Where the losses stand; without a loss, the output (for nm_plan_backward_from). */
static inline int nm_objective_count(const nm_network *net)
{
    return net->objectives ? net->objectives : 1;
}
static inline nm_objective nm_objective_at(const nm_network *net, int i)
{
    return net->objectives ? net->objective[i] : (nm_objective){.from = net->output, .target = -1};
}

/* Finds whose output's gradient is computed: something to train at or above, a loss at or below. */
void nm_find_needed(nm_plan *plan);
/* Cuts training; one segment where the plan is not split. */
void nm_find_segments(nm_plan *plan);
/* Which layers do the work of those behind them, and which leave the normalisation of their outputs
 * to the reader. */
void nm_find_fusion(nm_plan *plan);
/* Cuts evaluation by how many samples go through at once. */
nm_status nm_find_slices(nm_plan *plan) NM_MUST_USE;
/* Writes the operations. What layers save must be known. */
nm_status nm_write_program(nm_plan *plan) NM_MUST_USE;
/* The sizes of the regions, and when each is alive; drops what is computed again for nobody, and
 * lets layers work in place. */
void nm_find_liveness(nm_plan *plan);
/* The regions' offsets, and the size of the slab. */
nm_status nm_place_regions(nm_plan *plan) NM_MUST_USE;

#endif
