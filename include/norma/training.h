/* norma: your own data and your own loop of training.
 *
 * Read norma.h first: there a call trains a whole model. Here you have its parts: data sets from
 * your memory, a network, and a trainer that runs one step, or forward, loss, backward and update
 * one by one. This program learns which half of an image is bright:
 *
 *     #include <norma/training.h>
 *     #include <stdio.h>
 *
 *     static const char text[] = "input: {height: 8, width: 8, channels: 1}\n"
 *                                "layers: [{dense: {units: 16}}, relu, {dense: {units: 2}}]\n"
 *                                "loss: softmax_ce\n"
 *                                "train: {batch: 32, optimizer: {sgd: {lr: 0.1}}}\n";
 *
 *     int main(void)
 *     {
 *         static float x[256 * 64];
 *         static int32_t labels[256];
 *         for (int i = 0; i < 256 * 64; i++) {
 *             labels[i / 64] = i / 64 * 7 % 5 % 2;
 *             x[i] = (float)(i % 8 / 4 == labels[i / 64]) + (float)(i * 7919 % 101) / 101;
 *         }
 *         nm_context *ctx = nm_context_new();
 *         nm_model *model = NULL;
 *         nm_network *net = NULL;
 *         nm_trainer *trainer = NULL;
 *         nm_step_result result = NM_STEP_RESULT_INIT;
 *         nm_status status = nm_model_parse(ctx, text, &model);
 *         if (status == NM_OK)
 *             status = nm_network_new(ctx, model, &net);
 *         if (status == NM_OK)
 *             status = nm_trainer_new(ctx, net, NULL, &trainer);
 *         for (int step = 0; step < 80 && status == NM_OK; step++) {
 *             nm_minibatch batch = NM_MINIBATCH_INIT;
 *             batch.n = 32;
 *             batch.x = x + step % 8 * 32 * 64;
 *             batch.labels = labels + step % 8 * 32;
 *             status = nm_trainer_step(trainer, &batch, &result);
 *         }
 *         printf("loss %.3f, %g of %g right\n", result.loss, result.correct, result.counted);
 *         for (int i = 0; i < nm_error_count(ctx); i++)
 *             fprintf(stderr, "%s\n", nm_error_message(ctx, i));
 *         nm_trainer_free(trainer);
 *         nm_network_free(net);
 *         nm_model_free(model);
 *         nm_context_free(ctx);
 *         return (int)status;
 *     }
 *
 * Images are [n][height][width][channels] throughout, values are nm_real: float, or double for a
 * program that defines NM_DOUBLE and links norma's build in double precision, which is for gradient
 * checks. A function refuses wrong sizes and a wrong order of calls with NM_INVALID and a message,
 * and changes nothing then. The bits of every result depend on the calls and their data alone,
 * never on the number of threads. Free a trainer before its network and its data. */
#ifndef NORMA_TRAINING_H
#define NORMA_TRAINING_H

#include "data.h"
#include "norma.h"
#include "real.h" /* nm_real */

#ifdef __cplusplus
extern "C" {
#endif

/* ---- networks ---- */

/* The network of a model: the settings of its `train:` section that concern a network (without,
 * freeze, exact, no_fuse) are applied, the initial values are drawn from train.seed, and taken from
 * train.init_from where that is given. The model may change or go afterwards. */
NM_API nm_status nm_network_new(nm_context *ctx, const nm_model *model, nm_network **out);
/* The same, but fresh: all values are drawn and all parameters are trained, whatever
 * train.init_from and train.freeze say. */
NM_API nm_status nm_network_new_fresh(nm_context *ctx, const nm_model *model, nm_network **out);
/* The network of a checkpoint with its parameters. */
NM_API nm_status nm_network_load(nm_context *ctx, const char *checkpoint, nm_network **out);
NM_API void nm_network_free(nm_network *net);

/* The model's `name:`, or its file's; belongs to the network. */
NM_API const char *nm_network_name(const nm_network *net);
/* train.seed of the model, for what else you draw: nm_data_shuffle, nm_rng_stream. */
NM_API uint64_t nm_network_seed(const nm_network *net);

/* Layers are numbered from 0 in an order in which each follows those it reads; the first
 * nm_network_inputs of them are the inputs. */
NM_API int nm_network_layers(const nm_network *net);
NM_API int nm_network_inputs(const nm_network *net);
NM_API int nm_network_output(const nm_network *net); /* the layer that gives the prediction */
/* The layer of this name; -1: there is none. */
NM_API int nm_network_layer_index(const nm_network *net, const char *name);

/* A layer; texts and arrays belong to the network. */
typedef struct nm_layer_info {
    size_t size;
    const char *name;
    const char *type;            /* "conv"; "input" for an input */
    int height, width, channels; /* of what it gives for one sample */
    int inputs;                  /* layers it reads */
    const int *from;             /* [inputs]: their numbers */
    int parameters;              /* that it has */
    int first_parameter;         /* the number of the first; where it shares another layer's, that layer's */
    bool window;                 /* may read other pixels than the one it gives: convolutions, pools, dense */
} nm_layer_info;
#define NM_LAYER_INFO_INIT                                                                                             \
    {                                                                                                                  \
        sizeof(nm_layer_info), NULL, NULL, 0, 0, 0, 0, NULL, 0, 0, false                                               \
    }
NM_API nm_status nm_network_layer(nm_context *ctx, const nm_network *net, int layer, nm_layer_info *out);

/* A parameter, or a running statistic of batch norm. Texts and values belong to the network; values
 * may be written between two calls. Every forward of a trainer moves the running statistics, but
 * for one with options.evaluation: where it must not, copy the values of what is not trained before
 * it, and write them back. */
typedef struct nm_parameter {
    size_t size;
    const char *name;   /* "c1/weight" */
    const char *layout; /* a letter for each dimension: "HWIO" */
    int layer;
    int rank;
    int dims[4]; /* [rank] */
    size_t count;
    bool trained; /* false: frozen, or a running statistic */
    nm_real *values;
    bool weight; /* not a bias, a scale, a shift or a running statistic */
} nm_parameter;
#define NM_PARAMETER_INIT                                                                                              \
    {                                                                                                                  \
        sizeof(nm_parameter), NULL, NULL, 0, 0, {0, 0, 0, 0}, 0, false, NULL, false                                    \
    }

NM_API int nm_network_parameters(const nm_network *net);
NM_API nm_status nm_network_parameter(nm_context *ctx, const nm_network *net, int index, nm_parameter *out);
/* The number of the parameter of this name; -1: there is none. */
NM_API int nm_network_parameter_index(const nm_network *net, const char *name);

/* The receptive field of a layer: what of the network's input one unit of its output reads, by the
 * layers' geometry. [0] is along the height, [1] along the width; all in input pixels. */
typedef struct nm_receptive_field {
    double extent[2]; /* from the first pixel that is read to the last, both included */
    double jump[2];   /* from the field of one unit to that of the next */
    double start[2];  /* the centre of the first unit's field, counted from the centre of pixel 0 */
    bool whole;       /* every unit reads the whole input: the numbers above mean nothing */
    bool gaps;        /* pixels within the field are never read, as dilation can leave them */
} nm_receptive_field;
/* Of all layers: `out` gets [nm_network_layers]. Where paths of several fields lead to a layer, it
 * is the largest. */
NM_API nm_status nm_network_receptive_fields(nm_context *ctx, const nm_network *net, nm_receptive_field *out);

/* ---- trainers ---- */

/* What a step learns from. Set it to NM_MINIBATCH_INIT, then the fields. */
typedef struct nm_minibatch {
    size_t size;
    int n;                        /* samples, 1 to the trainer's batch */
    const nm_real *x;             /* [n][height][width][channels] */
    const nm_real *const *inputs; /* instead of x, for networks of several inputs: one pointer for each */
    const int32_t *labels;        /* [n], or [n][height][width] of the prediction; NULL: none */
    const nm_real *values;        /* [n][values of the prediction]; NULL: none */
} nm_minibatch;
#define NM_MINIBATCH_INIT                                                                                              \
    {                                                                                                                  \
        sizeof(nm_minibatch), 0, NULL, NULL, NULL, NULL                                                                \
    }

/* The memory for the steps of one network, its optimizer and its schedule: those of the `train:`
 * section of the network's model. Several trainers may work on one network, but not at once. */
typedef struct nm_trainer nm_trainer;

/* Set it to NM_TRAINER_OPTIONS_INIT, then the fields. 0 and NULL: the presets. */
typedef struct nm_trainer_options {
    size_t size;
    /* What it is trained on; must outlive the trainer. It tells the length of an epoch, and is what
     * nm_trainer_fit runs through; normalisation and class names go into checkpoints. */
    const nm_data *data;
    int batch;                /* most samples of a step; preset: train.batch, or all samples where they are fewer */
    uint64_t steps_per_epoch; /* for the schedule; preset: of `data`, or 1 */
    uint64_t steps;           /* for the schedule; preset: train.steps, or train.epochs of such epochs */
    bool input_gradients;     /* backward computes the gradients by the network's inputs too */
    bool keep_all;            /* every layer's output and the gradient by it can be read: more memory */
    /* [keeps]: layers whose output can be read, besides the prediction; read by nm_trainer_new
     * only. With these or keep_all steps are not cut into slices. */
    const int *keep;
    int keeps;
    /* No optimizer and no memory for one: gradients are computed, the parameters are yours to
     * change. nm_trainer_update counts an update that you have made, nm_trainer_fit is refused. */
    bool no_optimizer;
    bool evaluation; /* layers work as in evaluation (running statistics, no dropout); backward works too */
    int output;      /* the layer that is taken for the prediction, and no losses: backward_from starts there; preset:
                        nm_network_output */
    uint64_t seed;   /* of what layers draw and of the order of the samples; preset: train.seed */
} nm_trainer_options;
#define NM_TRAINER_OPTIONS_INIT                                                                                        \
    {                                                                                                                  \
        sizeof(nm_trainer_options), NULL, 0, 0, 0, false, false, NULL, 0, false, false, 0, 0                           \
    }

/* `options` NULL: the presets. A network without a loss can be trained by nm_trainer_backward_from
 * alone. */
NM_API nm_status nm_trainer_new(nm_context *ctx, nm_network *net, const nm_trainer_options *options, nm_trainer **out);
NM_API void nm_trainer_free(nm_trainer *trainer);

/* What a step gave. Set it to NM_STEP_RESULT_INIT. */
typedef struct nm_step_result {
    size_t size;
    uint64_t step;   /* updates done before this batch */
    double loss;     /* mean over the batch */
    double loss_sum; /* loss * n, summed in the order of the samples */
    double correct;  /* labels predicted right, where the loss classifies; otherwise 0 */
    double counted;  /* of so many */
} nm_step_result;
#define NM_STEP_RESULT_INIT                                                                                            \
    {                                                                                                                  \
        sizeof(nm_step_result), 0, 0, 0, 0, 0                                                                          \
    }

/* Forward, loss, backward and update (without an optimizer: no update); result may be NULL.
 * NM_DIVERGED: the loss, a running statistic or a gradient is NaN or infinite, which the message
 * names; *result is filled and no parameter was changed (running statistics were). Also where a
 * parameter became so by the update. */
NM_API nm_status nm_trainer_step(nm_trainer *trainer, const nm_minibatch *batch, nm_step_result *result);

/* The same one by one: forward, then loss, then backward; or forward, then backward_from. The
 * arrays of the batch must stay as they are until backward has returned. These are refused where
 * train.micro_batch or train.recompute cut the step into slices. Layers that draw (dropout) draw by
 * the seed and the number of updates done: two forwards between updates draw the same. NM_DIVERGED
 * from nm_trainer_loss as from a step; backward can follow all the same. */
NM_API nm_status nm_trainer_forward(nm_trainer *trainer, const nm_minibatch *batch);
NM_API nm_status nm_trainer_loss(nm_trainer *trainer, nm_step_result *result);
NM_API nm_status nm_trainer_backward(nm_trainer *trainer);
/* Backward from a given gradient by the prediction, [n][values of the prediction], in place of the
 * losses; objective.h has theirs apart. */
NM_API nm_status nm_trainer_backward_from(nm_trainer *trainer, const nm_real *gradient);
/* Changes the parameters by the gradients of the last backward, at the learning rate of this step.
 */
NM_API nm_status nm_trainer_update(nm_trainer *trainer);

/* Backward overwrites the gradients, unless this was called since: what they are is then kept, and
 * the next backward adds to it. An update ends that; so does nm_trainer_zero_gradients, which makes
 * the gradients 0. The mean over two half batches is theirs with each loss halved: scale the
 * gradients, or the learning rate. */
NM_API nm_status nm_trainer_accumulate(nm_trainer *trainer);
NM_API void nm_trainer_zero_gradients(nm_trainer *trainer);

/* The gradient by parameter `index`, [count] as its values: that of the last backward, which may be
 * read and written until the next. L2 is not in it: the update adds that. NULL: no such parameter,
 * or a running statistic. */
NM_API nm_real *nm_trainer_gradient(nm_trainer *trainer, int index);
/* The gradient by what a layer gave, of the last backward, [n][height][width][channels], until the
 * next forward; that by an input too. NULL without options.keep_all, and where the losses (with
 * options.output: that layer) do not depend on it. */
NM_API const nm_real *nm_trainer_layer_gradient(const nm_trainer *trainer, int layer);
/* The gradient by input `input` of the network, [n][height][width][channels], until the next
 * forward. NULL without options.input_gradients. */
NM_API const nm_real *nm_trainer_input_gradient(const nm_trainer *trainer, int input);
/* What a layer gave in the last forward or step, [n][height][width][channels], until the next: of
 * the prediction always, of others with options.keep or keep_all (an input: the batch's own array).
 * Otherwise, and where steps run in slices, NULL. */
NM_API const nm_real *nm_trainer_layer_output(const nm_trainer *trainer, int layer);

/* Updates done. */
NM_API uint64_t nm_trainer_steps(const nm_trainer *trainer);
/* The learning rate of the next update; NaN without an optimizer. */
NM_API double nm_trainer_lr(const nm_trainer *trainer);
/* From now on this rate, >= 0, whatever the schedule says; a negative number or NaN: the schedule's
 * again. Without an optimizer nothing happens. */
NM_API void nm_trainer_set_lr(nm_trainer *trainer, double lr);

/* What the network predicts in evaluation mode, with its parameters of now, for any n >= 1: outputs
 * gets [n][values of the prediction], scores or probabilities as the last layer gives them. Ends
 * what forward has begun. NM_DIVERGED: some are NaN or infinite; outputs is filled. */
NM_API nm_status nm_trainer_predict(nm_trainer *trainer, int n, const nm_real *x, nm_real *outputs);

/* Loss and accuracy on a split, in evaluation mode. Set the result to NM_EVALUATION_RESULT_INIT.
 * NM_DIVERGED: the loss is NaN or infinite; the result is filled. */
typedef struct nm_evaluation_result {
    size_t size;
    int samples;
    double loss, accuracy; /* accuracy: NaN where no label counts */
} nm_evaluation_result;
#define NM_EVALUATION_RESULT_INIT                                                                                      \
    {                                                                                                                  \
        sizeof(nm_evaluation_result), 0, 0, 0                                                                          \
    }
NM_API nm_status nm_trainer_evaluate(nm_trainer *trainer, const nm_data *data, int split, nm_evaluation_result *out);

/* Called by nm_trainer_fit. They may use the trainer, but not free it; true: stop here. */
typedef bool nm_after_step(void *arg, nm_trainer *trainer, const nm_step_result *result);
typedef bool nm_after_epoch(void *arg, nm_trainer *trainer, uint64_t epochs_done);
/* Trains until so many epochs of options.data are done in all, in the order of nm_data_shuffle with
 * train.seed, or with train.shuffle off as they are. A single sample left at the end of an epoch is
 * passed over, as in nm_model_train: the parameters get the same bits, where train.augment and
 * train.limit are not used (they are refused). Callbacks may be NULL. Goes on where it, or the
 * trainer that was saved, stopped. */
NM_API nm_status nm_trainer_fit(nm_trainer *trainer, uint64_t epochs, nm_after_step *after_step,
                                nm_after_epoch *after_epoch, void *arg);

/* Writes a checkpoint, whole or not at all: parameters, the optimizer's memory, the number of
 * updates, the model. The predictor of norma.h and the program read it. NM_DIVERGED, naming the
 * tensor, where one holds NaN or infinity: nothing is written then, and a file that was there
 * stays. */
NM_API nm_status nm_trainer_save(nm_trainer *trainer, const char *path);
/* Goes on from a checkpoint of the same layers and optimizer: the next steps get the bits that they
 * would have got there, at the same learning rate (nm_trainer_set_lr is not saved). */
NM_API nm_status nm_trainer_resume(nm_trainer *trainer, const char *path);

#ifdef __cplusplus
}
#endif

#endif
