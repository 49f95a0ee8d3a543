/* Convolution algorithms. Each is a file in this folder, ending in one const nm_conv_algorithm;
 * conv_algorithms.c holds them in the order in which they are asked, the reference last: there is
 * always an answer, and always something to compare with. An algorithm does up to three kinds of
 * work:
 *
 *     forward   y = x * w + bias: x [n][in], y [n][out], w HWIO (I: channels of a group)
 *     weights   dw += gradient by w, db += gradient by the bias, from x and dy
 *     data      dx = gradient by x, from dy and w, where it has a function of its own
 *
 * the gradient by x of a convolution of stride 1 is a convolution by the rotated kernel, so there
 * every algorithm's forward serves (the geometry is turned round by nm_conv_turn).
 *
 * The choice follows from the geometry, the instruction set and OpenBLAS's kernel (conv_costs.h),
 * and from whether it is for evaluation. Where the call says `by_sample`, the
 * bits of a sample's output follow from that sample alone: blocks of rows or tiles have a fixed
 * size, a part-filled block is padded, and a row's place in it is one that has the same bits for
 * every sample (gemm.h), so that neither the batch nor the neighbours show. */
#ifndef NM_CONV_H
#define NM_CONV_H

#include "conv_costs.h"
#include "fusion.h"
#include "scratch.h"
#include "stored.h"
#include "vector.h"

#include <string.h>

typedef struct nm_conv_geometry {
    nm_shape in, out;
    int kernel[2], stride[2], dilation[2], groups;
    int top, left; /* zeros above and to the left; what lies below and to the right follows from out */
    bool lean;     /* scratch is to be small, where what is kept takes half of the memory */
} nm_conv_geometry;

typedef enum nm_conv_kind { NM_CONV_FORWARD, NM_CONV_WEIGHTS, NM_CONV_DATA, NM_CONV_KINDS } nm_conv_kind;

/* What forward can leave of its outputs for a batch norm behind, while they are in cache: for each
 * chunk of them the number of pixels, and per channel their mean and the sum of squared deviations
 * from it. */
typedef struct nm_conv_moments {
    double *pixels; /* [chunks] */
    double *of;     /* [chunks][2][C] */
} nm_conv_moments;

/* Takes them of chunk number `chunk` from its outputs: `pixels` that lie together from y on, and
 * are in cache. scratch: so many bytes. */
void NM_ISA(nm_conv_take_moments)(const nm_conv_geometry *g, const nm_conv_moments *to, int chunk, const real *y,
                                  int pixels, void *scratch);
size_t NM_ISA(nm_conv_moments_scratch)(const nm_conv_geometry *g);

/* Tasks of one round, from the first samples to the last. */
typedef struct nm_conv_round {
    int tasks;
    nm_task *fn;
    void *arg;
    int larger;   /* tasks at the beginning that are larger than the others, */
    double share; /* and their share of the samples */
} nm_conv_round;

typedef struct nm_conv_call {
    const nm_conv_geometry *g;
    int n, threads;
    int most;             /* samples that were planned for: n <= most */
    bool by_sample;       /* forward: a sample's bits must not depend on the batch (in evaluation) */
    nm_stored x;          /* in bfloat16 only where the algorithm `reads_lazy_normalisation` */
    const real *w, *bias; /* bias NULL: none */
    const nm_lazy_normalisation *lazy_normalisation; /* forward, weights: how x is to be read, only where the algorithm
                                                        `reads_lazy_normalisation`; NULL: as it is */
    const real *scale; /* forward: a factor on each filter's sum, with a bias; NULL: none */
    const real
        *other; /* forward: added to the outputs, laid out as they are; NULL: none; only where the algorithm `adds` */
    bool relu;  /* forward: negative outputs become 0, after the sum */
    bool pool;  /* forward: y has the largest of each 2x2 outputs; only where the algorithm `pools` */
    const nm_conv_moments *moments; /* forward: to be left; NULL: not wanted. Only by an algorithm that has `chunks` */
    bool stream;                    /* forward: y is larger than the caches (vector.h) */
    real *y;                        /* forward: written; data: dx, written */
    nm_bf16 *y_bf16; /* forward: written instead of y, only where the algorithm `narrows`; NULL: y is. Moments are of
                        what was rounded */
    const real *dy;  /* weights, data */
    real *dw, *db;   /* weights: added to; either may be NULL */
    const struct nm_conv_pass *beside; /* weights: another pass that is computed with it, in other shared scratch */
    const nm_conv_round *round;        /* forward, data: what that pass puts beside this one's tasks; NULL: nothing */
    void *shared;                      /* scratch as reserved */
    char *thread_base;
    size_t thread_size;
} nm_conv_call;

typedef struct nm_conv_pass {
    void (*run)(const nm_conv_call *call);
    nm_conv_call call;
} nm_conv_pass;

/* nm_parallel for a pass's largest round: every pass calls it once. Threads meet once where another
 * pass is beside it, and what waits for its last tasks is shorter: tasks of both are taken in turn,
 * those of the same samples by the same thread. */
void NM_ISA(nm_conv_run_round)(const nm_conv_call *call, const nm_conv_round *round);
/* Of tasks of one size. */
void NM_ISA(nm_conv_run_tasks)(const nm_conv_call *call, int tasks, nm_task *fn, void *arg);

typedef struct nm_conv_algorithm {
    const char *name;
    /* NULL: it can do this kind of work; otherwise why not. */
    const char *(*declines)(const nm_conv_geometry *g, nm_conv_kind kind);
    /* Estimated time of one sample on a machine of such costs, in multiply-adds of a large matrix
     * product; by_sample: as in nm_conv_call. */
    double (*cost)(const nm_conv_geometry *g, nm_conv_kind kind, bool by_sample, const nm_conv_costs *costs);
    /* Bytes of scratch for at most n samples: the sizes of the layouts (scratch.h) that the work
     * uses. */
    void (*reserve)(const nm_conv_geometry *g, nm_conv_kind kind, int n, size_t *shared, size_t *thread);
    void (*forward)(const nm_conv_call *call);
    void (*weights)(const nm_conv_call *call);
    void (*data)(const nm_conv_call *call);                    /* NULL: through forward, by the rotated kernel */
    int (*chunks)(const nm_conv_geometry *g, int n, int most); /* of the moments; 0, or NULL: it leaves none */
    double setup; /* multiply-adds' worth of time that forward takes for each weight on each thread before the first
                     sample; 0: what it takes to bring it in */
    int block;    /* outputs of a filter that forward takes at once in evaluation, filling up what is missing; 0: any
                     number */
    bool exact;   /* its error is that of direct summation */
    bool (*reads_lazy_normalisation)(
        const nm_conv_geometry *g); /* whether forward and weights can read such an input; NULL: no */
    bool adds;                      /* forward can add another input while outputs are in registers */
    bool pools;                     /* forward can take the maximum of each 2x2 outputs while they are in registers */
    bool narrows;                   /* forward can write bfloat16 (not where it pools) */
} nm_conv_algorithm;

/* In order of preference at equal cost, the reference last; NULL-terminated. */
const nm_conv_algorithm *const *NM_ISA(nm_conv_algorithms)(void);
extern const nm_conv_algorithm NM_ISA(nm_conv_reference);

/* What the option `algorithm` takes: their names, and "auto". NULL-terminated. */
extern const char *const NM_ISA(nm_conv_names)[];
/* Those among which `norma train --tune` measures: all but the reference. NULL-terminated. */
extern const char *const NM_ISA(nm_conv_measured)[];

/* Which algorithms may be chosen. `wanted`: "auto", a name for every kind of work that it can do,
 * or names for forward, weights and data between slashes ("winograd_4x4/im2col/auto"); where one
 * cannot do it, the cheapest is taken. */
typedef struct nm_conv_wish {
    const char *wanted;
    bool exact;     /* only those of exact sums */
    bool by_sample; /* in evaluation: nm_conv_call */
} nm_conv_wish;

/* The cheapest algorithm that can do `kind` on `g`, or the one wanted for the work `as` (which is
 * DATA where forward of a turned geometry gives the gradient by x). Never NULL. */
const nm_conv_algorithm *NM_ISA(nm_conv_choose)(const nm_conv_geometry *g, nm_conv_kind kind, nm_conv_kind as,
                                                const nm_conv_wish *wish);
/* The word of `wanted` for a kind of work, copied to `word`. */
void NM_ISA(nm_conv_wanted)(const char *wanted, nm_conv_kind kind, char *word, size_t size);
/* Why the others were not chosen, appended to `text`. */
void NM_ISA(nm_conv_explain)(const nm_conv_geometry *g, nm_conv_kind kind, const nm_conv_algorithm *chosen,
                             const nm_conv_wish *wish, char *text, size_t size);

/* Refuses groups that do not divide the channels of the input and the filters. */
nm_status NM_ISA(nm_conv_check_groups)(nm_infer *e, int groups, int filters) NM_MUST_USE;

/* Where an algorithm's layouts (scratch.h) begin: in what all threads share, in a thread's own. */
static inline nm_scratch nm_conv_shared_scratch(const nm_conv_call *call)
{
    return (nm_scratch){.base = call->shared};
}
static inline nm_scratch nm_conv_thread_scratch(const nm_conv_call *call, int thread)
{
    return (nm_scratch){.base = call->thread_base + (size_t)thread * call->thread_size};
}
static inline int nm_conv_group_in(const nm_conv_geometry *g)
{
    return g->in.c / g->groups;
}
static inline int nm_conv_group_out(const nm_conv_geometry *g)
{
    return g->out.c / g->groups;
}
static inline size_t nm_conv_weight_count(const nm_conv_geometry *g)
{
    return (size_t)g->kernel[0] * (size_t)g->kernel[1] * (size_t)nm_conv_group_in(g) * (size_t)g->out.c;
}
static inline double nm_conv_direct_cost(const nm_conv_geometry *g)
{
    return (double)g->out.h * g->out.w * g->kernel[0] * g->kernel[1] * nm_conv_group_in(g) * g->out.c;
}
static inline bool nm_conv_is_plain(const nm_conv_geometry *g)
{
    return g->groups == 1 && g->dilation[0] == 1 && g->dilation[1] == 1 && g->stride[0] == 1 && g->stride[1] == 1;
}

/* Column sums of dy rows [rows][channels] added to `sum`. */
void NM_ISA(nm_conv_column_sums)(const real *dy, int rows, int channels, real *sum);

/* ---- the end of forward ----------------------------------------------------------------- */

/* Applies the call's scale, bias and (unless something is added first) relu to some outputs of the
 * same `lanes` (at most NM_VECTOR) channels, from `channel` on. */
static inline void nm_conv_finish_vectors(const nm_conv_call *call, int channel, int lanes, nm_vector *y,
                                          const int count)
{
    nm_vector scale = {0}, bias = {0};
    if (call->scale)
        nm_vector_load(&scale, call->scale + channel, lanes);
    else
        scale += 1;
    if (call->bias)
        nm_vector_load(&bias, call->bias + channel, lanes);
    if (call->relu && !call->other)
        for (int i = 0; i < count; i++) {
            y[i] = y[i] * scale + bias;
            nm_vector_positive(&y[i]);
        }
    else
        for (int i = 0; i < count; i++)
            y[i] = y[i] * scale + bias;
}
/* Adds the other input's values, from `other` on, then the relu. */
static inline void nm_conv_add_other(const nm_conv_call *call, const real *other, int lanes, nm_vector *y)
{
    nm_vector more;
    nm_vector_load(&more, other, lanes);
    *y += more;
    if (call->relu)
        nm_vector_positive(y);
}
static inline void nm_conv_finish_some(const nm_conv_call *call, int channel, int lanes, const real *other, real *y)
{
    nm_vector value;
    nm_vector_load(&value, y, lanes);
    nm_conv_finish_vectors(call, channel, lanes, &value, 1);
    if (other)
        nm_conv_add_other(call, other, lanes, &value);
    nm_vector_store(y, &value, lanes);
}
/* All that for a row of `lanes` channels; other: the row of the other input, or NULL. */
static inline void nm_conv_finish(const nm_conv_call *call, int channel, int lanes, const real *other, real *y)
{
    int v = 0;
    for (; v + NM_VECTOR <= lanes; v += NM_VECTOR)
        nm_conv_finish_some(call, channel + v, NM_VECTOR, other ? other + v : NULL, y + v);
    if (v < lanes)
        nm_conv_finish_some(call, channel + v, lanes - v, other ? other + v : NULL, y + v);
}
/* What y holds. */
static inline nm_shape nm_conv_y_shape(const nm_conv_call *call)
{
    nm_shape s = call->g->out;
    return call->pool ? (nm_shape){s.h / 2, s.w / 2, s.c} : s;
}

/* ---- an input whose normalisation is left to the convolution (nm_lazy_normalisation) ------- */

/* The call's input as a sample's first value, good for what output rows `first` to `last` - 1 read:
 * where it lies, or normalised to `buffer`, which has as many numbers as nm_conv_input_size says
 * for so many output rows. */
const real *NM_ISA(nm_conv_input)(const nm_conv_call *call, int sample, int first, int last, real *buffer);
static inline size_t nm_conv_input_size(const nm_conv_geometry *g, int rows)
{
    int read = (rows - 1) * g->stride[0] + (g->kernel[0] - 1) * g->dilation[0] + 1;
    return (size_t)(read < g->in.h ? read : g->in.h) * (size_t)(g->in.w * g->in.c);
}
/* For `reads_lazy_normalisation`. */
static inline bool nm_conv_any(const nm_conv_geometry *g)
{
    (void)g;
    return true;
}

/* Copies whole vectors past the caches, to where they are aligned. */
void NM_ISA(nm_conv_stream)(const real *from, size_t count, real *to);
/* Rounds numbers to those that a bfloat16 can hold, and copies them as such. */
void NM_ISA(nm_conv_narrow)(real *numbers, size_t count, nm_bf16 *to);
/* Whether x is not to be read as it lies. */
static inline bool nm_conv_reads_through(const nm_conv_call *call)
{
    return call->lazy_normalisation || call->x.halves;
}
/* `pixels` of the call's input from number `at` on, as they are to be read. */
void NM_ISA(nm_conv_read)(const nm_conv_call *call, size_t at, int pixels, real *to);

/* ---- turning round -------------------------------------------------------------------- */

/* The geometry whose forward gives the gradient by x of `g`; false where there is none (stride,
 * padding beyond the kernel's reach). */
bool NM_ISA(nm_conv_turn)(const nm_conv_geometry *g, nm_conv_geometry *turned);
/* The kernel for it: [kh][kw][I][O] rotated by half a turn and transposed to [kh][kw][O of the
 * group][I of all]. */
void NM_ISA(nm_conv_turn_weights)(const nm_conv_geometry *g, int threads, const real *w, real *turned);

/* ---- weight standardisation ------------------------------------------------------------ */

/* Each filter's weights with mean 0 and variance 1 (Qiao et al. 2019): (w - mean) / sqrt(var +
 * 1e-5), both HWIO. */
void NM_ISA(nm_conv_standardise)(const nm_conv_geometry *g, const real *w, real *standard);
/* Adds to dw what the gradient by the standardised weights makes of it. */
void NM_ISA(nm_conv_standardise_gradient)(const nm_conv_geometry *g, const real *w, const real *standard,
                                          const real *gradient, real *dw);

#endif
