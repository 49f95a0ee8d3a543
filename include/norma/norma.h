/* norma: training convolutional networks on CPUs.
 *
 * Read this file from top to bottom and you know the library.
 *
 * A model file says what a network is made of and how it is trained; training leaves checkpoints in
 * a run directory; a checkpoint predicts:
 *
 *     nm_context *ctx = nm_context_new();
 *     nm_model *model = NULL;
 *     nm_predictor *predictor = NULL;
 *     nm_training how = NM_TRAINING_INIT;
 *     how.run = "runs/first";
 *     if (nm_model_load(ctx, "mnist-cnn", &model) != NM_OK ||
 *         nm_model_set(ctx, model, "train.epochs", "3") != NM_OK ||
 *         nm_model_train(ctx, model, &how, NULL) != NM_OK ||
 *         nm_predictor_open(ctx, "runs/first/best.h5", &predictor) != NM_OK ||
 *         nm_predict_u8(ctx, predictor, 1, pixels, probabilities) != NM_OK)
 *         for (int i = 0; i < nm_error_count(ctx); i++)
 *             fprintf(stderr, "%s\n", nm_error_message(ctx, i));
 *     nm_predictor_free(predictor);
 *     nm_model_free(model);
 *     nm_context_free(ctx);
 *
 * A function that can fail returns nm_status; the reasons are then in the context. Objects are
 * freed by the function named beside them, and NULL may be freed; the context they were made with
 * must outlive them. An object must not be used by two threads at once; different contexts may be.
 * Nothing in the library prints or ends the process. */
#ifndef NORMA_H
#define NORMA_H

#include "context.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- models ---- */

/* A model file with the changes made to it: the layers, the loss and the `train:` section.
 * docs/model-files.md has the language; `norma layers` lists layer types and their options. */
typedef struct nm_model nm_model;

/* `name` is a path, or the name of a ready model: looked for in $NORMA_MODELS, beside the running
 * program and where norma is installed. Only the form of the file is checked here; what it says,
 * when it is trained. */
NM_API nm_status nm_model_load(nm_context *ctx, const char *name, nm_model **out);
/* The same from text in memory, which ends with a zero byte. */
NM_API nm_status nm_model_parse(nm_context *ctx, const char *text, nm_model **out);
NM_API void nm_model_free(nm_model *model);

/* Changes one value, written as in the file: ("train.lr", "0.05"), ("train.data", "mnist"),
 * ("c1.filters", "64"), ("train.without", "batchnorm"), ("train.optimizer", "adam: {lr: 0.01}").
 * NM_INVALID: there is no such key or layer, or the value is no YAML; nothing was changed. */
NM_API nm_status nm_model_set(nm_context *ctx, nm_model *model, const char *key, const char *value);

/* ---- training ---- */

/* One row of the run's metrics.csv. A value that was not measured is NaN. The library makes such
 * rows; `size` says how much of one there is, for later versions have more. */
typedef struct nm_metrics {
    size_t size;
    uint64_t step;                     /* updates done */
    int epoch;                         /* of that step, from 1 */
    double lr;                         /* learning rate of that step */
    double train_loss, train_accuracy; /* means over the samples trained on since the row before */
    double test_loss, test_accuracy;   /* over the whole test split, in evaluation mode */
    double seconds;                    /* since the run began; the only value here that two equal runs do not share */
} nm_metrics;

/* Where training stands; made by the library as rows are. */
typedef struct nm_progress {
    size_t size;
    uint64_t step, steps;  /* updates done, of so many */
    int epoch, epochs;     /* of that step, from 1, of so many */
    double loss, accuracy; /* means over the samples trained on since the row before; NaN: of none */
    double images_per_second, seconds_left;
    double waited;         /* share of the time within steps that went by waiting for data; NaN: no step yet */
    double seconds;        /* since the run began */
    const nm_metrics *row; /* the row that was just made; NULL: a step was done */
} nm_progress;

/* How to train; what to train is in the model. Set it to NM_TRAINING_INIT, then the fields. */
typedef struct nm_training {
    size_t size;
    /* The run directory, made where needed; it gets model.yaml, metrics.csv, last.h5, best.h5. */
    const char *run;
    /* Without `run`: the folder in which a run directory is made, the first of NAME-1, NAME-2, …
     * that is not there, NAME being the model's. NULL as well: nothing is kept. */
    const char *runs;
    /* Go on from run/last.h5 where there is one. Otherwise a folder that holds a run is refused. */
    bool resume;
    /* Called after each evaluation; called after each step and each evaluation. Both get `arg`;
     * NULL: not called. */
    void (*on_row)(void *arg, const nm_metrics *row);
    void (*on_progress)(void *arg, const nm_progress *progress);
    void *arg;
    /* When it becomes non-zero, training finishes its batch, saves and returns NM_OK. It is read
     * atomically while training runs. nm_request_stop may set it at any time, from a signal handler
     * or another thread; whatever else writes it must store atomically. NULL: never. */
    const volatile int *stop;
    /* With `resume`: settings that would make another experiment of the run and may change all the
     * same ("augment", "drop.rate"), NULL-terminated; noted in the checkpoint. NULL: none. */
    const char *const *allow_change;
} nm_training;
#define NM_TRAINING_INIT                                                                                               \
    {                                                                                                                  \
        sizeof(nm_training), NULL, NULL, false, NULL, NULL, NULL, NULL, NULL                                           \
    }

/* What training gave. Set it to NM_OUTCOME_INIT; what it points to is freed by nm_outcome_free. */
typedef struct nm_outcome {
    size_t size;
    uint64_t step; /* updates done in all; where it diverged, the step that met NaN or infinity, as in the last row */
    bool stopped;  /* by `stop`, before the end */
    bool diverged;
    double best_accuracy;         /* on the test split; NaN: never measured */
    double seconds;               /* since the run began */
    double waited;                /* as in nm_progress */
    int rows;                     /* of metrics.csv, those from before it was resumed too */
    const nm_metrics *const *row; /* [rows] */
    const char *run;              /* the run directory; NULL: none */
    const nm_metrics *last;       /* the last row; NULL: there is none */
    /* Of the highest accuracy on the test split, of those with the lowest loss the first; by loss
     * alone where no row has an accuracy. NULL: the test split was never evaluated. */
    const nm_metrics *best;
    const char *cause; /* where it diverged: what was NaN or infinite, as "the gradient of c1/weight"; else NULL */
    /* What this process has sent to the others in a step, on average; 0 where it was alone. */
    double step_bytes, step_messages;
} nm_outcome;
#define NM_OUTCOME_INIT                                                                                                \
    {                                                                                                                  \
        sizeof(nm_outcome), 0, false, false, 0, 0, 0, 0, NULL, NULL, NULL, NULL, NULL, 0, 0                            \
    }

/* Sets *stop to 1, atomically. May be called by any thread and by signal handlers. */
NM_API void nm_request_stop(volatile int *stop);

/* Joins the processes that mpirun or srun has started together with this one, before anything else
 * is done with norma: what nm_model_train does after that, it does in all of them, each with some
 * of train.shards, to the same bits as one process would. All make the same calls; process 0 alone
 * writes files and reports progress. Where nobody has started several, *count is 1, and nothing
 * changes. Processes of one machine share its cores: each, with the threads that it starts from
 * then on, is bound to its part, near to memory of its own, and the context's threads are as many
 * as it has cores there (nm_context_set_threads may say another number after this). What the
 * launcher has bound stays so; NORMA_BIND=off in the environment binds nothing.
 * NM_INVALID: several were started, but norma's plug-in for their MPI is not installed, or
 * NORMA_BIND has an unknown word. */
NM_API nm_status nm_processes_join(nm_context *ctx, int *rank, int *count);
/* Tells where each process runs: calls `line` in process 0, once for each, with "process 1 of 4 on
 * HOST: 8 threads on CPUs 8-15 (node 1)"; of a program that is alone, with "1 process on HOST: 16
 * threads on CPUs 0-15 (2 nodes)". The threads are the context's. All processes make the call; a
 * line of NULL asks for nothing. NM_FAILED: the others cannot be reached, or do something else. */
NM_API nm_status nm_processes_report(nm_context *ctx, nm_log_function *line, void *arg);
/* Before the end of the program: waits for the others. NM_FAILED: they cannot be reached, or could
 * not before. */
NM_API nm_status nm_processes_part(nm_context *ctx);

/* Trains a fresh network (or goes on) as the model's `train:` section says. NM_DIVERGED: the
 * loss, a gradient, a parameter, a running statistic or a slot of the optimizer became NaN or
 * infinite; last.h5 is the last checkpoint before that, and *outcome is filled. The
 * result has the same bits for any number of threads, and the same bits whether or not training was
 * interrupted and resumed on the way. `how` NULL: nothing is kept; `outcome` NULL: it is not
 * wanted. */
NM_API nm_status nm_model_train(nm_context *ctx, const nm_model *model, const nm_training *how, nm_outcome *outcome);
NM_API void nm_outcome_free(nm_outcome *outcome);

/* ---- prediction and evaluation ---- */

/* A trained network, ready to predict. */
typedef struct nm_predictor nm_predictor;

/* Reads a checkpoint, which must be whole: a cut or changed file is NM_INVALID; one whose
 * parameters hold NaN or infinity is NM_DIVERGED. */
NM_API nm_status nm_predictor_open(nm_context *ctx, const char *checkpoint, nm_predictor **out);
NM_API void nm_predictor_free(nm_predictor *predictor);

/* The images it takes, and how many numbers it gives for each (classes, for a classifier). */
NM_API void nm_predictor_input(const nm_predictor *predictor, int *height, int *width, int *channels);
NM_API int nm_predictor_outputs(const nm_predictor *predictor);
/* Whether they are probabilities: the network ends in softmax or sigmoid, or its loss applies that
 * itself (softmax_ce and focal: they sum to 1 over the classes; sigmoid_ce: each by itself) and
 * prediction does too. Otherwise they are scores: what the last layer gives. */
NM_API bool nm_predictor_probabilities(const nm_predictor *predictor);

/* Predicts `n` images, n >= 1: pixels are [n][height][width][channels], 0 to 255, and are
 * normalised as in training; outputs get [n][outputs], probabilities or scores. The outputs of an
 * image do not depend on the images beside it. NM_DIVERGED: for some images the network yields NaN
 * or infinity; their outputs are all NaN. */
NM_API nm_status nm_predict_u8(nm_context *ctx, nm_predictor *predictor, int n, const uint8_t *pixels, float *outputs);
/* The same from values as the network sees them: nothing is normalised. */
NM_API nm_status nm_predict_f32(nm_context *ctx, nm_predictor *predictor, int n, const float *values, float *outputs);

/* Set it to NM_SCORE_INIT. */
typedef struct nm_score {
    size_t size;
    int samples, classes;
    double loss, accuracy;
    /* [classes][classes]: row the true class, column the predicted one; NULL for more than 4096
     * classes */
    int *confusion;
} nm_score;
#define NM_SCORE_INIT                                                                                                  \
    {                                                                                                                  \
        sizeof(nm_score), 0, 0, 0, 0, NULL                                                                             \
    }

/* Loss and accuracy on the test split of a data set: "mnist", "cifar10:PATH", or NULL for the one
 * it was trained on. Classes are matched by name; samples of a class that it was not trained on are
 * NM_INVALID. NM_DIVERGED: the network yields NaN or infinity. classes is 0 and accuracy NaN where
 * it predicts no classes. */
NM_API nm_status nm_predictor_score(nm_context *ctx, nm_predictor *predictor, const char *data, nm_score *out);
NM_API void nm_score_free(nm_score *score);

#ifdef __cplusplus
}
#endif

#endif
