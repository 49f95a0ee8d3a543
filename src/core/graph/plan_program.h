/* A plan as a program: a list of operations in the order in which they are run, and the regions of
 * memory that each reads and writes. src/core/plan writes it; others only read it. */
#ifndef NM_PLAN_PROGRAM_H
#define NM_PLAN_PROGRAM_H

#include <stdbool.h>
#include <stddef.h>

enum { NM_NONE = -1 };

/* What an operation belongs to, as a bit: parts of the program can be run alone. */
typedef enum nm_phase {
    NM_PHASE_FORWARD = 1,
    NM_PHASE_LOSS = 2, /* in train mode prepares backward */
    NM_PHASE_BACKWARD = 4,
    NM_PHASE_ALL = 7, /* a training step but for the optimizer's part */
} nm_phase;

typedef enum nm_op_kind {
    NM_OP_ZERO,       /* the gradients of the parameters */
    NM_OP_LOOP,       /* over slices of the batch: what follows, up to its NM_OP_LOOP_END */
    NM_OP_LOOP_END,   /* the last slice is done */
    NM_OP_STATISTICS, /* of a layer that has to know all samples before the first goes forward */
    NM_OP_FORWARD,    /* with NM_PHASE_BACKWARD: again, for what backward reads */
    NM_OP_LOSS,
    NM_OP_SUM, /* of the gradients that several readers of one output have left, into the first */
    NM_OP_BACKWARD,
    NM_OP_RESULTS, /* what is to stay readable after the run is read here */
} nm_op_kind;

typedef struct nm_region nm_region;

typedef struct nm_segment {
    int slice;          /* samples at once */
    bool by_thread;     /* each thread takes slices of its own through the whole segment, in its own arena */
    nm_region *arenas;  /* of all threads, one after the other */
    size_t arena_bytes; /* of each */
} nm_segment;

struct nm_region {
    size_t size, offset; /* bytes, of NM_ALIGNMENT; offset: in the slab, of the first thread's where it is in arenas */
    int first, last;     /* alive in these operations, both inclusive; first NM_NONE: not needed, or shared */
    size_t sample_size;  /* bytes of a sample, where it holds so many as its readers take at once */
    bool whole;          /* of a program with segments or shards: holds all samples of the batch */
    size_t shard_size;   /* bytes for each shard, one after the other; 0: not kept by shard */
    const nm_segment *segment; /* in whose arenas it lies, one for each thread; NULL: in none */
    bool wanted;               /* while that is found: it is read behind */
    nm_region *shares;         /* the region whose place it takes; NULL: it has its own */
    nm_region *next_part;      /* of a gradient that several readers of an output leave in parts */
};

/* The region that has the memory. */
static inline nm_region *nm_region_owner(nm_region *region)
{
    while (region && region->shares)
        region = region->shares;
    return region;
}

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
    size_t scratch, thread_scratch; /* bytes of a layer's, while it is run: for all threads together, for each */
    int accesses;
    nm_access *access; /* [accesses] */
} nm_op;

typedef struct nm_plan_program {
    int batch, ops, regions;
    int shards, shard_samples; /* parts that operations are run for, one after the other; 0: for the batch at once */
    const nm_op *op;           /* [ops] */
    nm_region *region;         /* [regions] */
    const nm_segment *segment; /* [segments] */
} nm_plan_program;

#endif
