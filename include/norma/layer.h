/* norma: what a layer type is. extending.h says how your own is registered; norma's own are files
 * in src/layers that end in one const nm_layer_type.
 *
 * A type is a struct of data and functions. Each layer of that type in a network has a private
 * struct (`size` bytes), which options are read into and infer completes; it is `self` in all
 * functions. A layer with an option and a parameter, y = x * (1 + gain_c) + shift:
 *
 *     typedef struct gain { double shift; } gain;
 *
 *     static const nm_option options[] = {
 *         {.name = "shift", .type = NM_OPT_REAL, .offset = offsetof(gain, shift),
 *          .preset = "0", .help = "added to all"},
 *         {0},
 *     };
 *
 *     static nm_status gain_infer(nm_infer *e, void *self)    // output as input: e->out is preset
 *     {
 *         nm_init zero = {.kind = NM_INIT_CONSTANT, .value = 0};
 *         return nm_declare(e, "gain", NM_WEIGHT, "C", &e->in[0].c, zero);
 *     }
 *
 *     static void gain_forward(const nm_pass *p, const void *self)
 *     {
 *         size_t count = (size_t)p->n * nm_shape_size(p->ys), channels = (size_t)p->ys.c;
 *         nm_real shift = (nm_real)((const gain *)self)->shift;
 *         for (size_t i = 0; i < count; i++)
 *             p->y[i] = p->x[0][i] * (1 + p->w[0][i % channels]) + shift;
 *     }
 *
 *     static void gain_backward(const nm_pass *p, const void *self)
 *     {
 *         size_t count = (size_t)p->n * nm_shape_size(p->ys), channels = (size_t)p->ys.c;
 *         for (size_t i = 0; i < count; i++) {
 *             if (p->dw[0])
 *                 p->dw[0][i % channels] += p->dy[i] * p->x[0][i];    // dw is added to
 *             if (p->dx[0])
 *                 p->dx[0][i] = p->dy[i] * (1 + p->w[0][i % channels]);    // dx is overwritten
 *         }
 *     }
 *
 *     static const nm_layer_type gain_type = {
 *         .name = "gain",
 *         .help = "a factor for each channel",
 *         .size = sizeof(gain),
 *         .options = options,
 *         .least_inputs = 1,
 *         .most_inputs = 1,
 *         .memory = NM_BACK_X,    // without it x need not be there in backward
 *         .infer = gain_infer,
 *         .forward = gain_forward,
 *         .backward = gain_backward,
 *     };
 *
 * Life of a layer:  options are read -> infer (once) -> plan (once per batch size and mode)
 *                   -> forward, backward (many times).
 *
 * All that can fail fails in infer or plan; forward and backward return nothing. They run on one
 * thread; nm_parallel (parallel.h) shares their work. They may be called by several threads at
 * once, for different plans or samples: what they write is in nm_pass alone. A result must not
 * depend on the number of threads, nor a sample's outputs on the samples beside it. */
#ifndef NORMA_LAYER_H
#define NORMA_LAYER_H

#include "activation.h"
#include "fail.h"
#include "isa.h"
#include "option.h"
#include "parallel.h"
#include "real.h"
#include "rng.h"
#include "shape.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { NM_MAX_RANK = 4 };

typedef struct nm_layer_type nm_layer_type;

/* What a type is to the layer before it, whose initial weights depend on that. */
typedef enum nm_role {
    NM_ROLE_OTHER,
    NM_ROLE_RECTIFIER,     /* relu and its like: about half of what it reads is lost */
    NM_ROLE_NORMALISATION, /* hands on what it reads, with another mean and deviation */
} nm_role;

/* ---- parameters -------------------------------------------------------------------- */

typedef enum nm_param_kind {
    NM_WEIGHT, /* optimised, saved, decayed by L2 */
    NM_BIAS,   /* optimised, saved, not decayed unless asked: biases, scales and shifts */
    NM_STATE,  /* saved, not optimised: running mean and variance; a layer updates it in train-mode forward */
} nm_param_kind;

typedef enum nm_init_kind {
    NM_INIT_AUTO,      /* he_normal where a rectifier reads the layer, directly or through normalisations; else torch */
    NM_INIT_TORCH,     /* uniform on +-1 / sqrt(fan_in), biases too: PyTorch's preset for its layers */
    NM_INIT_HE_NORMAL, /* deviation sqrt(2 / fan_in); He et al. 2015 */
    NM_INIT_HE_UNIFORM,     /* uniform on +-sqrt(6 / fan_in) */
    NM_INIT_GLOROT_NORMAL,  /* deviation sqrt(2 / (fan_in + fan_out)); Glorot, Bengio 2010 */
    NM_INIT_GLOROT_UNIFORM, /* uniform on +-sqrt(6 / (fan_in + fan_out)) */
    NM_INIT_NORMAL,         /* deviation `value` */
    NM_INIT_CONSTANT,       /* `value` */
} nm_init_kind;

/* The names of the kinds, in order, and what help pages say of them, for option tables:
 * NULL-terminated. */
NM_API extern const char *const nm_init_names[];
#define NM_INIT_HELP                                                                                                   \
    "initial weights; auto: he_normal where a relu or its like reads the layer, directly or through a "                \
    "normalisation, else torch; torch: uniform within 1 / sqrt(fan-in), the bias too"

typedef struct nm_init {
    nm_init_kind kind;
    double value;
    double fan_in, fan_out;
} nm_init;

/* ---- infer ------------------------------------------------------------------------- */

/* Memory flags: what planning may do with a layer's activations. */
enum {
    NM_INPLACE = 1, /* y may be x[0]'s memory; then dx[0] may be dy's memory too */
    NM_BACK_X = 2,  /* backward reads x */
    NM_BACK_Y = 4,  /* backward reads y */
};

typedef struct nm_infer {
    nm_context *ctx;
    const char *who; /* "model.yaml:7:5: conv 'c1'": opens each message */
    int inputs;
    const nm_shape *in;         /* [inputs] */
    nm_shape out;               /* to be set; preset to in[0] */
    unsigned memory;            /* flags, preset to the type's; infer may change them by the options */
    struct nm_network *network; /* for nm_declare */
    int node;
    const void *pair; /* the private struct of the layer that this one undoes; NULL: none */
} nm_infer;

/* Declares the layer's next parameter; forward finds it at p->w[0], p->w[1], … in the order of
 * declaration. layout names the dimensions ("HWIO", "IO", "C"); dims has as many numbers. */
NM_API nm_status nm_declare(nm_infer *e, const char *name, nm_param_kind kind, const char *layout, const int *dims,
                            nm_init init) NM_MUST_USE;

/* The layer's bias, one number for each of `count` outputs: zeros; drawn as the weights are where
 * their init is torch.
 */
NM_API nm_status nm_declare_bias(nm_infer *e, int count, nm_init weights) NM_MUST_USE;

/* ---- plan -------------------------------------------------------------------------- */

typedef enum nm_mode { NM_EVAL, NM_TRAIN } nm_mode;

/* What a plan asks of its layers. */
typedef struct nm_rules {
    nm_mode mode;
    bool exact; /* only algorithms whose error is that of direct summation */
    bool bf16;  /* what is kept for backward may be in bfloat16, in training */
    const char *
        prefer; /* names of algorithms, as in conv's option, for layers that leave the choice to planning; NULL: none */
} nm_rules;

/* A layer reserves memory by setting the three sizes (bytes). */
typedef struct nm_reservation {
    nm_context *ctx;
    const char *who;
    nm_mode mode;
    const nm_rules *rules;
    int n; /* most samples in a batch */
    int inputs;
    const nm_shape *xs; /* [inputs] */
    nm_shape ys;
    bool backward; /* whether backward can follow (in train mode always; in eval mode where asked): reserve what it
                      reads */
    bool want_dx;  /* whether backward will be asked for any dx */
    int threads;   /* that will run it: for sizing scratch only; no result may depend on it */
    const struct nm_tail *tail; /* what the layer does besides its own work: the library's own fusion; never NULL */
    unsigned bf16;              /* which of a pass's arrays are in bfloat16 (fusion); always 0 for callers' types */
    size_t saved;               /* from forward to backward, one block */
    size_t scratch;             /* shared by all threads, during one call */
    size_t thread_scratch;      /* for each thread, during one call */
} nm_reservation;

/* ---- run --------------------------------------------------------------------------- */

/* All pointers are to [n][h][w][c] with the shapes beside them; 64-byte aligned. */
typedef struct nm_pass {
    nm_mode mode;
    bool backward; /* as in the reservation: keep in `saved` what backward reads */
    int n;         /* samples here, 1 <= n <= reserved n */
    int batch;     /* samples of the whole batch: more than n where it is run a few at a time. In shards, of a layer
                      whose groups lie within them (nm_batch_sums): n */
    int inputs;
    const nm_shape *xs;
    nm_shape ys;
    const nm_real *const *x; /* [inputs]; in backward only with NM_BACK_X */
    const struct nm_lazy_normalisation
        *lazy_normalisation; /* how x[0] is to be read: fusion; NULL: as it is, always so for callers' types */
    unsigned bf16;           /* as in the reservation */
    nm_real *y; /* forward writes it, NULL where its reader normalises, never so for callers' types; in backward only
                   with NM_BACK_Y */
    const nm_real *dy;   /* backward: gradient of the loss by y */
    nm_real *dy_scratch; /* dy's memory, where backward may overwrite it: a layer that does others' work needs memory
                       between; else NULL */
    nm_real *const *dx;  /* backward: to be overwritten; an entry is NULL where nobody needs it */
    nm_real *const *w;   /* parameters, in the order of declaration; only state may be written */
    nm_real *const *dw;  /* gradients: to be ADDED to; NULL for state and for frozen parameters */
    void *saved;
    void *scratch;
    char *thread_scratch_base;
    size_t thread_scratch_size;
    void *plan; /* the type's plan struct */
    int threads;
    double statistics_rate; /* > 0: batch norm updates its running statistics with this rate instead of its own */
    uint64_t seed;          /* for layers that draw: nm_rng_stream(p->seed, type, p->name), nm_rng_seek(step, sample) */
    uint32_t step;
    uint32_t first_sample;      /* number within the batch of the first sample here */
    const char *name;           /* the layer's */
    const struct nm_tail *tail; /* what the layer does besides its own work, as in the reservation */
} nm_pass;

static inline void *nm_thread_scratch(const nm_pass *p, int thread)
{
    return p->thread_scratch_base + (size_t)thread * p->thread_scratch_size;
}

/* ---- receptive field --------------------------------------------------------------- */

/* A sliding window, height and width each. Absent function: pointwise. */
typedef struct nm_window {
    int kernel[2], stride[2], dilation[2];
    double pad[2];   /* top and left */
    bool global;     /* sees the whole input (dense, gap) */
    bool transposed; /* a step of the output is 1 / stride of an input's (deconv, upsample) */
} nm_window;

/* ---- shards of a batch ---------------------------------------------------------------- */

enum { NM_MOST_SHARDS = 1024 };

/* What is known of each shard of a batch (train.shards), in their order. */
typedef struct nm_shard_sums {
    int shards;
    const int *samples; /* [shards]; 0: a last batch of an epoch does not reach there */
    const double *sums; /* [shards][per_channel][channels of x] */
} nm_shard_sums;

/* How a layer that has to know the whole batch does with shards, which may be in several processes:
 * it takes sums over each shard alone, and then goes on from those of all. A pass is that of one
 * shard; of the functions that join, of as many samples as this process has. */
typedef struct nm_batch_sums {
    int per_channel; /* numbers that a shard leaves for each channel of x */
    /* Samples of a group that has statistics of its own, as a ghost batch has; 0, or absent: the
     * whole batch is one. Groups begin with a shard, which must hold a whole number of them: then
     * find_statistics leaves in p->saved what forward and backward read, these are run for a shard
     * as they are for a batch, and of the functions below join_statistics alone is called. */
    int (*group)(const void *self);
    /* For forward, in place of batch_statistics. sums: [per_channel][channels], to be written. */
    void (*find_statistics)(const nm_pass *p, const void *self, double *sums);
    void (*join_statistics)(const nm_pass *p, const void *self, const nm_shard_sums *all);
    /* Backward in three parts: join_gradients adds to dw, and leaves in p->scratch what
     * input_gradient, which is called where somebody needs dx, reads there. */
    void (*find_gradients)(const nm_pass *p, const void *self, double *sums);
    void (*join_gradients)(const nm_pass *p, const void *self, const nm_shard_sums *all);
    void (*input_gradient)(const nm_pass *p, const void *self);
} nm_batch_sums;

/* ---- the type ---------------------------------------------------------------------- */

struct nm_layer_type {
    const char *name;              /* the word in model files */
    const char *help;              /* one sentence */
    size_t size;                   /* of the private struct: options and what infer derives */
    size_t plan_size;              /* of the private struct per plan (algorithm choices); 0: none */
    const nm_option *options;      /* {0}-terminated; offsets into the private struct; NULL: none */
    int least_inputs, most_inputs; /* most 0: any number */
    nm_role role;
    unsigned memory;          /* flags above */
    nm_activation activation; /* what its outputs are: probabilities by softmax or sigmoid, or nothing of the kind */
    bool keeps_probabilities; /* it makes probabilities of probabilities: the same, or averages of them */
    const char *undoes;       /* a layer type that this one undoes (unpool: maxpool): it names a layer of that type in a
                                 string option, reads that one's input as its last, and sees its struct in infer */
    size_t partner_offset;    /* of that option in the private struct */

    /* Checks the input shapes, sets e->out, declares parameters. Absent: output as input, no
     * parameters. */
    nm_status (*infer)(nm_infer *e, void *self);
    /* Chooses algorithms, reserves memory. Absent: nothing to reserve. */
    nm_status (*plan)(nm_reservation *b, const void *self, void *plan);
    /* What has to be known of the whole batch before any part of it goes forward (statistics): runs
     * once, ahead of forward; backward of such a type runs once too, for the whole batch. Absent:
     * nothing. */
    void (*batch_statistics)(const nm_pass *p, const void *self);
    /* With batch_statistics: for shards. NULL: a network with such a layer cannot be trained in
     * shards. */
    const nm_batch_sums *batch_sums;
    /* Of the samples first_sample to first_sample + n of the batch. */
    void (*forward)(const nm_pass *p, const void *self);
    void (*backward)(const nm_pass *p, const void *self);
    void (*window)(const void *self, nm_window *window);
    /* Multiply-adds of one sample's forward. Absent: 0. */
    double (*cost)(const void *self, const nm_shape *xs, nm_shape ys);
    /* What planning chose, a phrase for `norma summary --verbose`. Absent: nothing to report. */
    void (*describe)(const void *self, const void *plan, char *text, size_t size);
    /* Frees what infer made in the private struct; the options are freed by their table. */
    void (*release)(void *self);
    /* The library's own: how it is joined with its neighbours, and how one of its algorithms is
     * chosen. NULL in callers' types. */
    const struct nm_fusion *fusion;
    const struct nm_algorithm_choice *algorithms;
};

#ifdef __cplusplus
}
#endif

#endif
