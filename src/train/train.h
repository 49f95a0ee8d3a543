/* Training. Settings come from the option table nm_train_options, which is the `train:` section of
 * the model file and, with dashes for underscores, the flags of `norma train`. */
#ifndef NM_TRAIN_H
#define NM_TRAIN_H

#include <norma/norma.h>

#include "augment.h"
#include "checkpoint.h"
#include "dataset.h"
#include "divergence.h"
#include "network.h"

/* How what backward reads is kept. */
enum { NM_STORAGE_FLOAT32, NM_STORAGE_BF16 };

typedef struct nm_train_settings {
    char *data;        /* "fashion-mnist", "cifar10:PATH" */
    int epochs, steps; /* steps > 0 wins where both are given; stops after that many in all */
    int batch, eval_batch;
    int micro_batch; /* samples at once; 0: the whole batch */
    int shards;      /* parts of a batch whose sums are joined in a fixed order */
    bool recompute;
    int storage;         /* of NM_STORAGE_… */
    bool exact, no_fuse; /* only algorithms of exact sums; every layer does its own work alone */
    nm_choice optimizer, schedule;
    double lr, momentum; /* >= 0: instead of the optimizer's own; NaN: not given */
    double l2;
    bool l2_all;           /* also on biases, scales and shifts */
    double clip_norm;      /* 0: none */
    int warmup;            /* steps */
    nm_strings augment;    /* "flip", "pad-crop=4", … */
    nm_image_rules images; /* how image files come to the network's input */
    bool binary;           /* pixels to 0/1 */
    int seed;
    int limit; /* a random subset of so many samples; 0: all */
    bool shuffle;
    char *save_every; /* "200s", "1e" */
    int keep;
    char *init_from;
    nm_strings freeze, without, watch;
    int watch_every;        /* steps between rows of watch.csv */
    int eval_every;         /* steps between evaluations and metrics rows; 0: each epoch */
    int population_batches; /* for batchnorm `statistics: population` */
} nm_train_settings;

extern const nm_option nm_train_options[];

/* What was given last wins where two keys say the same: of epochs and steps, and of lr or momentum
 * here and among the optimizer's options, the one that is not `given` is dropped where the other
 * is. For paths as nm_document_set takes them, after they were set: on one command line, or by one
 * call. */
void nm_settings_settle(nm_yaml *document, const char *const *given, int count);

/* Whether *stop, which a signal handler or another thread may set at any time, asks to stop: an
 * atomic read. `stop` may be NULL. */
static inline bool nm_stop_wanted(const volatile int *stop)
{
    return stop && __atomic_load_n(stop, __ATOMIC_ACQUIRE) != 0;
}

/* The data set of the run before, for runs that follow and read the same. {0} at first. */
typedef struct nm_data_cache {
    char *key;
    nm_dataset *data;
    char digest[65]; /* of nm_dataset_digest; empty: not needed yet */
} nm_data_cache;
void nm_data_cache_free(nm_data_cache *cache);

typedef struct nm_train_request {
    nm_yaml *document;    /* the model file with every change applied; not owned */
    const char *run;      /* the run directory; NULL: none (nothing is written) */
    const char *run_stem; /* without `run`: the first of STEM-1, STEM-2, … that is free is made; may be NULL */
    bool resume;
    const char *const *allow_change; /* settings that may change on resuming, NULL-terminated (resume_rules.h); NULL:
                                        those that are free to change */
    nm_data_cache *cache; /* where the data is looked for and stays; NULL: it is opened, and closed with the run */
    struct nm_processes *processes; /* that train together, all with the same request; only process 0 writes files and
                                       reports progress. NULL: this one alone */
    void (*progress)(void *arg, const nm_progress *progress);
    void *arg;
    const volatile int *stop; /* non-zero: save and return NM_OK early (nm_stop_wanted); may be NULL */
} nm_train_request;

typedef struct nm_train_result {
    uint64_t step; /* updates done; where it diverged, the step that met NaN or infinity */
    bool diverged, stopped;
    char cause[256]; /* where it diverged: what was NaN or infinite, as "the gradient of c1/weight" */
    char *run;       /* the run directory; NULL: none */
    double seconds;
    double waited;                    /* as in nm_progress */
    double step_bytes, step_messages; /* sent to other processes in a step */
    int rows;
    nm_history_row *history;
    double *row_seconds;   /* [rows] */
    char model_digest[65]; /* SHA-256 of the initial parameters, hexadecimal: for paired comparisons */
} nm_train_result;

nm_status nm_train(nm_context *ctx, const nm_train_request *request, nm_train_result *result) NM_MUST_USE;
void nm_train_result_free(nm_train_result *result);

/* Finds everything that nm_train would refuse of request->document before its first step, and
 * writes nothing. `data` false: the data set need not be there, and what depends on it is left.
 * *effect (may be NULL; with `data` only) gets a text that is equal for two documents that train
 * the same network in the same way; nm_free. */
nm_status nm_train_check(nm_context *ctx, const nm_train_request *request, bool data, char **effect) NM_MUST_USE;

/* The row as callers get it. */
nm_metrics nm_row_metrics(const nm_history_row *row, double seconds);

/* The row with the highest accuracy on the test split, of those with the lowest loss the first;
 * where no row has an accuracy, by loss alone. -1: the test split was never evaluated. */
int nm_best_row(const nm_history_row *rows, int count);

/* The network that a checkpoint holds, with its parameters and the settings that it was trained
 * with. */
nm_status nm_checkpoint_network(nm_context *ctx, const nm_checkpoint *checkpoint, nm_network **net) NM_MUST_USE;

/* Opens the data set that a trained network is judged by: `given`, or where that is NULL what it
 * was trained on. Labels become the numbers that the names in `classes` (one a line, from the
 * checkpoint; NULL: as they are) have there; data of other classes is refused (NM_INVALID). */
nm_status nm_trained_data_open(nm_context *ctx, const char *given, const nm_train_settings *settings,
                               const nm_network *net, const char *classes, nm_dataset **out) NM_MUST_USE;

/* The section `train:` of a model file: nm_network_open(ctx, document, &nm_train_section, &net). */
extern const nm_settings_type nm_train_section;

/* "200s", "200": steps; "1e": epochs. NM_INVALID, without a message, where it is neither. */
nm_status nm_read_save_every(const char *text, uint64_t *count, bool *epochs) NM_MUST_USE;

/* The settings of a network that was opened so; it owns them. */
static inline const nm_train_settings *nm_settings_of(const nm_network *net)
{
    return net->settings;
}

/* Marks the parameters that the settings freeze. NM_INVALID: a pattern fits none. */
nm_status nm_network_freeze(nm_context *ctx, nm_network *net) NM_MUST_USE;
/* Takes the values that the settings' init_from names, over those of nm_network_initialise; *taken:
 * how many parameters (0: init_from is not set). */
nm_status nm_network_take_values(nm_context *ctx, nm_network *net, int *taken) NM_MUST_USE;

/* The form in which the network takes images, by the rules of the settings. A network with several
 * inputs takes them as they are. */
static inline nm_data_form nm_settings_form(const nm_train_settings *settings, const nm_network *net)
{
    nm_shape in = net->inputs == 1 ? net->node[0].out : (nm_shape){0};
    return (nm_data_form){in.h, in.w, in.c, settings->images};
}

/* The file of a model: `name` itself where it is a path (has a slash, ends in .yaml or is a file),
 * otherwise NAME.yaml in $NORMA_MODELS, beside the program (../share/norma/models, ../../models),
 * where norma is installed. nm_free. */
nm_status nm_model_path(nm_context *ctx, const char *name, char **path) NM_MUST_USE;

/* The names of the models that nm_model_path finds, sorted: [*count] pointers and their texts in
 * one block; nm_free. */
nm_status nm_model_names(nm_context *ctx, char ***names, int *count) NM_MUST_USE;

/* Of samples, or of pixels where each has a label. */
typedef struct nm_class_count {
    uint64_t samples, right, predicted;
} nm_class_count;

enum { NM_MOST_CONFUSED = 4096 }; /* classes of the largest confusion matrix that is made: 64 MB */

typedef struct nm_evaluation {
    int samples, classes; /* classes 0: no loss judges the prediction by labels, so that there is no accuracy (NaN) */
    double loss, accuracy;
    int not_finite;           /* samples for which the prediction holds NaN or infinity */
    char culprit[NM_CULPRIT]; /* of the first of these, or of those whose loss does: see nm_find_culprit */
    nm_class_count *of_class; /* [classes]; NULL: not asked for */
    int *confusion;           /* [classes][classes], row: true class; NULL: not asked for, or too large */
} nm_evaluation;
void nm_evaluation_free(nm_evaluation *evaluation);

/* NM_DIVERGED, with its name, where a parameter or a running statistic holds NaN or infinity. */
nm_status nm_check_finite(nm_context *ctx, const nm_network *net) NM_MUST_USE;

/* Loss, accuracy, counts by class and confusion matrix on `samples`, in eval mode, without
 * augmentation. NM_DIVERGED: the network holds or yields NaN or infinity, and *out is empty. */
nm_status nm_evaluate(nm_context *ctx, nm_network *net, const nm_samples *samples, int limit, int batch,
                      const nm_normalisation *normalisation, bool binary, nm_evaluation *out) NM_MUST_USE;

#endif
