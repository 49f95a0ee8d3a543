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
 *     nm_outcome outcome;
 *     if (nm_model_load(ctx, "mnist-cnn", &model) != NM_OK ||
 *         nm_model_set(ctx, model, "train.epochs", "3") != NM_OK ||
 *         nm_model_train(ctx, model, &(nm_training){.run = "runs/first"}, &outcome) != NM_OK ||
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
 * ("c1.filters", "64"), ("train.without", "batchnorm"). */
NM_API nm_status nm_model_set(nm_context *ctx, nm_model *model, const char *key, const char *value);

/* ---- training ---- */

/* One row of the run's metrics.csv. A value that was not measured is NaN. */
typedef struct nm_metrics {
    uint64_t step;                     /* updates done */
    int epoch;                         /* of that step, from 1 */
    double lr;                         /* learning rate of that step */
    double train_loss, train_accuracy; /* means over the samples trained on since the row before */
    double test_loss, test_accuracy;   /* over the whole test split, in evaluation mode */
    double seconds;                    /* since the run began; the only value here that two equal runs do not share */
} nm_metrics;

/* How to train; what to train is in the model. All may be zero. */
typedef struct nm_training {
    /* The run directory, made where needed; it gets model.yaml, metrics.csv, last.h5, best.h5.
     * NULL: nothing is kept. */
    const char *run;
    /* Go on from run/last.h5 where there is one. Otherwise a folder that holds a run is refused. */
    bool resume;
    /* Called after each evaluation. */
    void (*on_row)(void *arg, const nm_metrics *row);
    void *arg;
    /* When it becomes non-zero, training finishes its batch, saves and returns NM_OK. It is read
     * atomically while training runs. nm_request_stop may set it at any time, from a signal handler
     * or another thread; whatever else writes it must store atomically. NULL: never. */
    const volatile int *stop;
} nm_training;

typedef struct nm_outcome {
    uint64_t step; /* updates done in all; where it diverged, the step whose loss was not finite, as in last.step */
    bool stopped;  /* by `stop`, before the end */
    bool diverged;
    nm_metrics last;      /* the last row; step 0: none was made */
    double best_accuracy; /* on the test split; NaN: never measured */
    double seconds;
} nm_outcome;

/* Sets *stop to 1, atomically. May be called by any thread and by signal handlers. */
NM_API void nm_request_stop(volatile int *stop);

/* Trains a fresh network (or goes on) as the model's `train:` section says. NM_DIVERGED: the loss
 * became NaN or infinite; last.h5 is the last checkpoint before that, and *outcome is filled. The
 * result has the same bits for any number of threads, and the same bits whether or not training was
 * interrupted and resumed on the way. */
NM_API nm_status nm_model_train(nm_context *ctx, const nm_model *model, const nm_training *how, nm_outcome *outcome);

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

typedef struct nm_score {
    int samples, classes;
    double loss, accuracy;
    /* [classes][classes]: row the true class, column the predicted one; NULL for more than 4096
     * classes */
    int *confusion;
} nm_score;

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
