/* A network: the model file parsed, linked, inferred; its parameters. A plan: the memory and the
 * choices to run it at one batch size in one mode. A network may have several plans at once (one to
 * train, one to evaluate); they share the parameters.
 *
 *     parse (parse.c) -> link (link.c) -> infer (infer.c) -> plan (plan.c) -> run (running.c) */
#ifndef NM_NETWORK_H
#define NM_NETWORK_H

#include "document.h"
#include "layer.h"
#include "lookup.h"
#include "loss.h"
#include "option_read.h"
#include "plan_program.h"
#include "registry.h"

typedef struct nm_param {
    char *name;        /* "c1/weight": unique; seeds its initial values, names it in checkpoints */
    const char *field; /* the part after the last slash: "weight" */
    int node;
    nm_param_kind kind;
    char layout[NM_MAX_RANK + 1]; /* "HWIO" */
    int dims[NM_MAX_RANK];
    int rank;
    nm_init init;
    size_t count;
    size_t offset; /* into network->weights, or network->states for NM_STATE */
    bool frozen;   /* no gradient, no update */
} nm_param;

typedef struct nm_node {
    const nm_layer_type *type; /* NULL: an input of the network */
    char *name;        /* unique; an unnamed layer is "<last named layer>.<type>", or "<type>", with .2, .3 … */
    char *who;         /* "model.yaml:7:5: conv 'c1'" for messages */
    const char *label; /* the end of `who`: "conv 'c1'" */
    const nm_yaml *at;
    void *self;
    int inputs;
    int *from;    /* [inputs]: nodes */
    nm_shape *in; /* [inputs] */
    nm_shape out;
    unsigned memory;
    int share;                /* the node whose parameters it uses too (`share: NAME`), or -1 */
    int pair;                 /* the node that it undoes (type->undoes), or -1 */
    bool activated;           /* the next node is the activation that was written with this one */
    nm_activation activation; /* what its output is: its type's, or that of the input whose probabilities it keeps */
    bool rectified;           /* a rectifier reads its output, directly or through normalisations */
    int first_param, params;
    int users; /* how many inputs of other nodes and losses read its output */
} nm_node;

typedef struct nm_objective {
    const nm_loss_type *type;
    char *who;
    void *self;
    const nm_yaml *at;
    int from;   /* node whose output it judges */
    int target; /* node whose output the prediction should become, of its shape; -1: the batch's targets */
    double weight;
} nm_objective;

/* What of its settings a network itself follows. */
typedef struct nm_network_rules {
    nm_strings without;        /* layer types that are left out */
    bool exact, no_fuse, bf16; /* see nm_request */
} nm_network_rules;

/* The section of a model file that says how its network is trained and run. The core knows only
 * what it needs of it. */
typedef struct nm_settings_type {
    const char *section; /* "train" */
    const nm_option *options;
    size_t size; /* of the struct that the options fill */
    /* What the table of options cannot express. */
    nm_status (*check)(nm_context *ctx, const nm_yaml *section, const void *settings);
    void (*rule)(const void *settings, nm_network_rules *rules);
} nm_settings_type;

typedef struct nm_network {
    nm_context *ctx;
    nm_yaml *document; /* the whole model file, as edited */
    char *name;
    int nodes;
    nm_node *node;   /* in an order in which every node follows its inputs */
    nm_lookup names; /* of the nodes, while it is linked */
    int inputs;      /* the first `inputs` nodes are the network's inputs */
    int objectives;
    nm_objective *objective;
    int output;          /* the node that gives the prediction: the first objective's, or the last node */
    int judge;           /* the objective whose prediction that is, directly or through layers without parameters, and
                            that has the batch's targets: it says what is right. -1: none */
    nm_activation apply; /* what makes the output probabilities: its objective's activation. Linear: nothing is to be
                            done; the output is what node[output].activation says */
    int params, param_capacity;
    nm_param *param;
    size_t weight_count, state_count;
    real *weights, *states;                /* the parameter slab and the state slab */
    const nm_settings_type *settings_type; /* NULL: none were read */
    void *settings;                        /* as the model file has them: a struct of that type */
    bool exact, no_fuse, bf16;             /* what every plan of it asks for: see nm_request */
} nm_network;

/* The objective whose right classes are counted while it is trained: that of the prediction, where
 * one judges it. */
static inline int nm_counted_objective(const nm_network *net)
{
    return net->judge >= 0 ? net->judge : 0;
}

/* The network that a document describes, with its settings applied: layer types that they leave out
 * ("batchnorm") are not in it (each such layer's users take its input, and the layer before gets a
 * bias), and its plans follow them. The network owns the document then (also on failure) and the
 * settings. Records every error found in both. It has no values yet: nm_network_initialise, or
 * load a checkpoint. */
nm_status nm_network_open(nm_context *ctx, nm_yaml *document, const nm_settings_type *type,
                          nm_network **out) NM_MUST_USE;
NM_API void nm_network_free(nm_network *net);

/* Changes of the document before it is built. `path` is "LAYER.OPTION" (also of a layer that has no
 * name of its own: "c1.batchnorm.epsilon") or starts with a key of the file ("train.lr",
 * "defaults.conv.kernel", "input.height"). nm_yaml_change says when a value is a word and when it
 * is YAML. */
nm_status nm_document_set(nm_context *ctx, nm_yaml *document, const char *path, const char *value) NM_MUST_USE;
nm_status nm_document_change(nm_context *ctx, nm_yaml *document, const nm_change *change) NM_MUST_USE;

/* Draws all initial values: each parameter's from (seed, its name) alone. States get their
 * constants. */
void nm_network_initialise(nm_network *net, uint64_t seed);

/* Where a parameter's values are. */
static inline real *nm_param_values(const nm_network *net, const nm_param *param)
{
    return (param->kind == NM_STATE ? net->states : net->weights) + param->offset;
}
int nm_network_find(const nm_network *net, const char *name);       /* node, or -1 */
int nm_network_find_param(const nm_network *net, const char *name); /* parameter, or -1 */

/* ---- plan and run ------------------------------------------------------------------- */

typedef struct nm_plan nm_plan;

/* What its caller needs of memory beside a plan, in bytes. */
typedef struct nm_beside {
    size_t untouched;  /* it has them, but has not written to them yet */
    size_t fixed;      /* it will have them */
    size_t per_sample; /* and these for each sample of the batch */
    const char *flag;  /* by which a user sets the samples at once, up to the number: "--micro-batch "; NULL: by none */
} nm_beside;

typedef struct nm_request {
    nm_mode mode;
    int batch;       /* most samples at once, >= 1 */
    int threads;     /* >= 1 */
    bool keep_all;   /* every activation and activation gradient stays readable after the run */
    const int *keep; /* nodes whose output stays readable until the next forward */
    int keeps;
    bool no_fuse;       /* every layer does its own work alone */
    bool exact;         /* only algorithms whose error is that of direct summation */
    bool bf16;          /* in train mode: what backward reads is kept in bfloat16; not with exact */
    const char *prefer; /* names of algorithms for layers that leave the choice to planning (nm_rules); NULL: none */
    bool timing;        /* measure each node's passes: nm_plan_seconds */
    bool gradients;     /* backward can be run in eval mode too (in train mode it always can) */
    bool dry;           /* only to be described: no memory for activations, it cannot be run */
    int micro;          /* samples at once; 0, or batch and more: all. The result is that of the whole batch up to
                           rounding. For all phases at once; ignored with keep_all and where nothing is trained */
    int shards;         /* in train mode: the batch is computed in so many parts of as many samples each (batch is a
                           multiple), and what is summed over samples is summed over these in a fixed tree; 0, 1: in
                           one part. Not with micro, recompute, keep_all */
    struct nm_processes *processes; /* that share the shards, at most as many; NULL: this one has all */
    bool recompute;                 /* outputs between batch norms are computed again in backward instead of kept */
    bool input_gradients;           /* the gradient by the inputs is wanted too (keep_all implies it) */
    bool poison; /* memory that nobody reads any more is filled with NaN, to find who does; always in builds
                    for debugging */
    void (*on_op)(void *arg, int op); /* is told each operation of the program before it is run; NULL: nobody */
    void *on_op_arg;
    const nm_beside
        *beside; /* all is compared with the memory that is left (memory_left.h), and refused with the number
                    of samples at once that fits: of `micro` in train mode, else of `batch`; NULL: there is nothing */
} nm_request;

/* Evaluation of the network's output; it and *beside must outlive nm_plan_new. */
static inline nm_request nm_evaluation_request(const nm_network *net, int batch, int threads, const nm_beside *beside)
{
    return (nm_request){
        .mode = NM_EVAL, .batch = batch, .threads = threads, .keep = &net->output, .keeps = 1, .beside = beside};
}

nm_status nm_plan_new(nm_network *net, const nm_request *request, nm_plan **out) NM_MUST_USE;
void nm_plan_free(nm_plan *plan);

/* With shards shared by several processes n is the whole batch's, all else of this one's samples:
 * nm_plan_own_samples. */
typedef struct nm_batch {
    int n;
    const real *const *x; /* one per input of the network: [n][h][w][c] */
    nm_targets targets;   /* of the objectives */
    uint64_t seed;        /* for layers that draw */
    uint32_t step;
    double statistics_rate; /* see nm_pass; 0: each layer's own */
    const real *dy;         /* [n][h][w][c]: the gradient by the output, in place of the losses, for the phases loss and
                               backward; NULL: the losses give it */
    double *sample_loss; /* [n]: each sample's loss, the weighted sum over the objectives, is added; NULL: not asked */
} nm_batch;

typedef struct nm_result {
    double loss;     /* mean over the batch, weighted sum over the objectives */
    double loss_sum; /* loss * n, summed in sample order */
    double correct;  /* labels that are predicted right, where the counted objective classifies */
    double counted;  /* of so many: a label a sample, or a pixel; those that the loss ignores do not count */
    bool failed;     /* other processes could not be reached: there is a message, and nothing else of this holds */
} nm_result;

/* Runs parts of a plan (nm_phase), in their order; the result is that of the losses. Run one by one
 * (forward, then perhaps the loss, then perhaps backward) they are given the same batch, which must
 * stay readable until the last has returned. With `micro` or `recompute` only forward can be run
 * alone. Backward overwrites the gradient slab. */
nm_result nm_plan_run(nm_plan *plan, const nm_batch *batch, unsigned phases);

const real *nm_plan_output(const nm_plan *plan, int node); /* [n][h][w][c], while it is alive */
/* With keep_all, and of the network's inputs with input_gradients; NULL where none is computed. */
const real *nm_plan_output_gradient(const nm_plan *plan, int node);
real *nm_plan_gradients(const nm_plan *plan); /* the gradient slab, as network->weights */

/* Of a batch of n samples those that this process computes: *first to *first + the result. All of
 * them where it is alone. */
int nm_plan_own_samples(const nm_plan *plan, int n, int *first);

typedef struct nm_plan_memory {
    size_t activations;    /* bytes of the activation slab (activations and their gradients) */
    size_t lower_bound;    /* most bytes alive at one operation: no plan can use less */
    size_t saved;          /* of it, what layers keep from forward to backward */
    size_t scratch;        /* shared by all threads */
    size_t thread_scratch; /* for each thread */
    size_t gradients;      /* the gradient slab */
    size_t sums;           /* with shards: partial sums of gradients, and what is being exchanged */
} nm_plan_memory;
nm_plan_memory nm_plan_memory_use(const nm_plan *plan);
size_t nm_plan_bytes(const nm_plan *plan); /* that running it takes, of all of them and all threads */

/* What a plan does, in the order in which it is run, and the memory for it. */
nm_plan_program nm_plan_program_of(const nm_plan *plan);

/* Seconds that a node's forward and backward have taken in all, with `timing`; otherwise 0. */
void nm_plan_seconds(const nm_plan *plan, int node, double *forward, double *backward);
/* The node that does a node's work: itself, or one before it. */
int nm_plan_head(const nm_plan *plan, int node);
void nm_plan_describe(const nm_plan *plan, int node, char *text, size_t size);
/* What a node's layer has chosen, for its nm_algorithm_choice; NULL: it has no choice. */
const void *nm_plan_choice(const nm_plan *plan, int node);

/* ---- what a network is like --------------------------------------------------------- */

typedef struct nm_receptive {
    double size[2], jump[2], start[2]; /* input pixels; start: centre of the first unit, from 0 */
    bool whole;                        /* sees the whole input */
    bool gaps;                         /* pixels within the field are never read, as dilation can leave them */
} nm_receptive;

/* A field that paths from the inputs to a node have, and how many have it (they multiply from join
 * to join). All that see the whole input are the same field. */
typedef struct nm_path_field {
    nm_receptive field; /* gaps: what none of these paths reads */
    double paths;
    struct nm_reads *reads; /* the pixels that they read; owned */
} nm_path_field;

typedef struct nm_paths {
    int count;
    nm_path_field *field; /* [count]: different ones, the largest first */
    nm_receptive largest; /* the first; gaps: what no path at all reads */
} nm_paths;

typedef struct nm_node_paths {
    nm_paths all; /* by any input */
    nm_paths *by; /* [inputs] of a join; NULL: the node has one input, or none */
} nm_node_paths;

/* The fields of every path, for each node; free *out with nm_paths_free. */
nm_status nm_network_paths(const nm_network *net, nm_node_paths **out) NM_MUST_USE;
void nm_paths_free(const nm_network *net, nm_node_paths *paths);

/* The field of each node by its largest path, with gaps that no other path fills; `out` holds
 * net->nodes. */
nm_status nm_network_receptive(const nm_network *net, nm_receptive *out) NM_MUST_USE;
double nm_node_cost(const nm_node *node);                /* multiply-adds of one sample's forward */
size_t nm_node_weights(const nm_network *net, int node); /* optimised parameters */

#endif
