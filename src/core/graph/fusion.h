/* How layers are joined: several of them done in the passes of the first, the head. Private to the
 * library; a type that has nothing of this here (nm_layer_type.fusion is NULL) runs alone.
 *
 * Planning (plan_fuse.c, where the table of all chains stands) follows the only reader of a head's
 * output from layer to layer, describes what it finds as a tail and asks the head's `can_fuse`
 * whether it does all of that. The head then finds the same tail in nm_reservation and nm_pass: it
 * writes the last layer's output and starts backward from that one's gradient. So a head knows
 * what is to be computed behind it, and never which types of layers ask for it. */
#ifndef NM_FUSION_H
#define NM_FUSION_H

#include "layer.h"

/* The places of a tail, in their order; each is filled once or left out. */
typedef enum nm_tail_place {
    NM_TAIL_NONE,          /* a layer that is in no tail: it may still be a head */
    NM_TAIL_NORMALISATION, /* by channel, by the statistics of a batch */
    NM_TAIL_SUM,           /* of two inputs */
    NM_TAIL_RECTIFIER,     /* max(x, 0) */
    NM_TAIL_MAXPOOL,
} nm_tail_place;

/* y = scale * (x - mean) / sqrt(var + epsilon) + shift for each channel; norm/batchnorm.c. The last
 * four are numbers of the layer's parameters. */
typedef struct nm_batch_normalisation {
    double epsilon;
    double rate;      /* of the running statistics */
    bool affine;      /* there are a scale and a shift */
    int ghost;        /* samples that a training batch's statistics are taken over; 0: all of them */
    int scale, shift; /* with affine only */
    int running_mean, running_var;
} nm_batch_normalisation;

/* What is done behind a head's own work, in the order of the places. Planning owns it; pointers
 * hold while a pass runs. */
typedef struct nm_tail {
    int layers; /* how many are in it; 0: the head works alone */
    nm_tail_place last;
    bool normalises, adds, rectifies, pools;
    nm_batch_normalisation normalisation; /* where it normalises: how, */
    real *const *w, *const *dw;           /* and that layer's parameters and their gradients, as in nm_pass */
    const real *other;                    /* where it adds: the input that does not come from the head, */
    real *other_dx;                       /* and its gradient, for backward to overwrite; NULL where nobody needs it */
    nm_window window;                     /* where it pools: of the pool, */
    nm_shape pool_in, pool_out;           /* and its shapes */
} nm_tail;

/* The plan that a head is asked about. */
typedef struct nm_tail_request {
    const nm_rules *rules;
    bool backward; /* whether backward can follow */
    bool want_dx;  /* whether that will be asked for any dx of the head */
} nm_tail_request;

/* A bfloat16 (the upper half of a float), in which training may keep what backward reads
 * (nm_rules.bf16): planning says which of a pass's arrays are in it (nm_pass.bf16), which then
 * point to nm_bf16. All that is computed is in `real`; layers/shared/stored.h reads and writes. */
typedef uint16_t nm_bf16;
enum {
    NM_BF16_X = 1,     /* x[0], of a layer with one input */
    NM_BF16_Y = 2,     /* y, the last output of the head's tail */
    NM_BF16_OTHER = 4, /* the tail's `other` */
};

/* An input whose normalisation its layer has left to its only reader, which saves a pass over it:
 * for each channel (x - mean) * factor + shift, then perhaps a relu. */
typedef struct nm_lazy_normalisation {
    const real *x;
    bool bf16;                         /* x points to nm_bf16 */
    const real *mean, *factor, *shift; /* [C] */
    bool relu;
} nm_lazy_normalisation;

/* A type's part in all this. Absent functions: never. */
typedef struct nm_fusion {
    nm_tail_place place;         /* its place in another layer's tail */
    size_t normalisation_offset; /* of that place: where the private struct has its nm_batch_normalisation */
    /* As a head: whether the layer can do all of `tail`. Planning lets a tail grow a layer at a
     * time; the head has agreed to the shorter one before. */
    bool (*can_fuse)(const void *self, const nm_tail *tail, const nm_tail_request *request);
    /* As a head that normalises, in training: whether it could leave that (and a relu behind it) to
     * the only reader of the last output. Forward then finds nm_pass.y NULL. */
    bool (*leaves_normalisation)(const void *self, const nm_tail *tail, const nm_tail_request *request);
    /* Where the outputs lie then, and their normalisation: pointers into the pass's `saved`. */
    void (*lazy_normalisation)(const nm_pass *p, const void *self, nm_lazy_normalisation *out);
    /* As a reader: whether all passes can read such an input. */
    bool (*reads_lazy_normalisation)(const void *self, const nm_rules *rules);
    /* In training, as a head with that tail: which of the arrays of its passes can be in bfloat16.
     */
    unsigned (*reads_and_writes_bf16)(const void *self, const nm_tail *tail, const nm_tail_request *request);
} nm_fusion;

/* Whether the tail's pool has windows of 2x2, side by side, without padding: the only one that
 * heads do along the way. */
static inline bool nm_tail_pools_2x2(const nm_tail *t)
{
    const nm_window *w = &t->window;
    return t->pools && w->kernel[0] == 2 && w->kernel[1] == 2 && w->stride[0] == 2 && w->stride[1] == 2 &&
           (int)w->pad[0] == 0 && (int)w->pad[1] == 0 && t->pool_out.h == t->pool_in.h / 2 &&
           t->pool_out.w == t->pool_in.w / 2;
}

#endif
