/* norma: what norma's own commands need beyond norma.h: many settings of a model at once, and the
 * table of those there are; of a trained network, what it was trained for, its network and its
 * data, a report of its evaluation class by class, images from files.
 *
 *     nm_predictor *predictor = NULL;
 *     nm_report *report = NULL;
 *     if (nm_predictor_open(ctx, "runs/first/best.h5", &predictor) == NM_OK &&
 *         nm_predictor_evaluate(ctx, predictor, NULL, 0, 0, &report) == NM_OK)
 *         for (int c = 0; c < nm_report_classes(report); c++) {
 *             nm_class_score score;
 *             nm_report_class(report, c, &score);
 *             printf("%d: %llu of %llu right\n", c, (unsigned long long)score.right,
 *                    (unsigned long long)score.samples);
 *         }
 *     nm_report_free(report);
 *     nm_predictor_free(predictor);
 *
 * Errors, ownership and threads are as in norma.h. These functions may change before 1.0. */
#ifndef NORMA_TOOLS_H
#define NORMA_TOOLS_H

#include "data.h"
#include "norma.h"
#include "option.h"
#include "real.h" /* nm_real */

#ifdef __cplusplus
extern "C" {
#endif

/* ---- settings of a model ---- */

/* A value given from outside, as on a command line. Set it to NM_SETTING_INIT, then the fields. */
typedef struct nm_setting {
    size_t size;
    const char *key, *value; /* as nm_model_set takes them */
    const char *origin;      /* what messages name in place of the file: "--lr"; NULL: the key or the file */
    bool verbatim;           /* the value is text, even where it begins as YAML does: with [, { or a quote */
} nm_setting;
#define NM_SETTING_INIT                                                                                                \
    {                                                                                                                  \
        sizeof(nm_setting), NULL, NULL, NULL, false                                                                    \
    }

/* Changes `count` values in their order. Of two keys that say the same (train.epochs and
 * train.steps; train.lr and an lr among the optimizer's options) the one in the model gives way to
 * the one given here. NM_INVALID, with a message for each that is wrong: nothing was changed. */
NM_API nm_status nm_model_set_all(nm_context *ctx, nm_model *model, const nm_setting *settings, int count);

/* Measures which algorithm is fastest for each layer of which several are known, in training steps
 * of the model's batch and with the context's threads, and sets it as that layer's option. What was
 * measured is remembered in $XDG_CACHE_HOME/norma/tuned (~/.cache/norma/tuned) for each CPU, number
 * of threads, batch and shape. *measured, *known: layers whose choice was measured, remembered.
 * Different algorithms round differently: the bits of a run depend on the choice, which its
 * model.yaml keeps. */
NM_API nm_status nm_model_tune(nm_context *ctx, nm_model *model, int *measured, int *known);

/* Key `index` of a model's `train:` section, from 0: its name, type, preset and help; NULL behind
 * the last. Valid as long as the program; `offset` is the library's own. */
NM_API const nm_option *nm_train_option(int index);

/* ---- what a predictor is ---- */

/* The checkpoint as nm_predictor_open named it; belongs to the predictor. */
NM_API const char *nm_predictor_file(const nm_predictor *predictor);
/* Updates that it was trained for, and the epoch of the last, from 1; 0: the checkpoint has none.
 */
NM_API uint64_t nm_predictor_step(const nm_predictor *predictor);
NM_API uint64_t nm_predictor_epoch(const nm_predictor *predictor);
/* The name of output `index` as a class; belongs to the predictor. NULL: it has none. */
NM_API const char *nm_predictor_class_name(const nm_predictor *predictor, int index);
/* NM_OK where the outputs are a score for each class of an image; NM_INVALID, with the reason,
 * where they are something else (a class for each pixel, an image). */
NM_API nm_status nm_predictor_check_classifier(nm_context *ctx, const nm_predictor *predictor);

/* ---- looking inside ---- */

/* The network with its parameters, for training.h and inference.h; belongs to the predictor. A
 * trainer of it is to be freed before the predictor. */
NM_API nm_network *nm_predictor_network(nm_predictor *predictor);

/* Opens a data set as nm_predictor_evaluate does: `data` NULL for the one that it was trained on,
 * classes matched by name, image files brought to its input, pixels to values as in its training
 * (nm_data_batch), whatever the data's own mean and deviation are. NM_INVALID where the network
 * cannot learn from it: it has no loss, or images or labels do not fit. */
NM_API nm_status nm_predictor_data(nm_context *ctx, nm_predictor *predictor, const char *data, nm_data **out);

/* n images as the network sees them: `values`, [n][height][width][channels] as `pixels`, get the
 * normalised ones. nm_predict_f32 and trainers take such values. */
NM_API nm_status nm_predictor_normalise(nm_context *ctx, nm_predictor *predictor, int n, const uint8_t *pixels,
                                        nm_real *values);

/* ---- evaluation ---- */

/* What an evaluation gave. */
typedef struct nm_report nm_report;

/* Evaluates on the test split of a data set, as nm_predictor_score does: `data` NULL for the one
 * that it was trained on. limit > 0: a random subset of so many samples, always the same. `batch`
 * samples at once, which changes no result; 0: as train.eval_batch says. */
NM_API nm_status nm_predictor_evaluate(nm_context *ctx, nm_predictor *predictor, const char *data, int limit, int batch,
                                       nm_report **out);
NM_API void nm_report_free(nm_report *report);

NM_API int nm_report_samples(const nm_report *report);
NM_API double nm_report_loss(const nm_report *report);
/* The share of samples, or of pixels, that were predicted right; NaN where none counts. */
NM_API double nm_report_accuracy(const nm_report *report);
/* 0: it predicts no classes. */
NM_API int nm_report_classes(const nm_report *report);
/* Belongs to the report; NULL: it has no name. */
NM_API const char *nm_report_class_name(const nm_report *report, int index);

/* Samples, or pixels, of one class. */
typedef struct nm_class_score {
    uint64_t samples;   /* that are of it */
    uint64_t right;     /* of these, predicted as it */
    uint64_t predicted; /* predicted as it, right or wrong */
} nm_class_score;
/* `index` from 0 to nm_report_classes - 1. */
NM_API void nm_report_class(const nm_report *report, int index, nm_class_score *out);

/* [classes][classes]: row the true class, column the predicted one; belongs to the report. NULL
 * without classes, or with more than nm_report_most_confused(). */
NM_API const int *nm_report_confusion(const nm_report *report);
NM_API int nm_report_most_confused(void);

/* ---- images from files ---- */

/* The formats, for messages: "PNG, JPEG, WebP, TIFF or GIF"; IDX files of many images are read too.
 */
NM_API const char *nm_image_formats(void);

/* The image of a file, brought to the predictor's input as the images that it was trained on were:
 * `pixels` gets [height][width][channels]. */
NM_API nm_status nm_predictor_read_image(nm_context *ctx, nm_predictor *predictor, const char *path, uint8_t *pixels);

/* The images of a file: one, or many of an IDX file. */
typedef struct nm_images nm_images;

/* Opens a file whose images the predictor, which must outlive it, is to take. */
NM_API nm_status nm_images_open(nm_context *ctx, nm_predictor *predictor, const char *path, nm_images **out);
NM_API void nm_images_free(nm_images *images);
NM_API int nm_images_count(const nm_images *images);
/* What to call image `index`: the path, of an IDX file "PATH[index]". Until the next call; belongs
 * to `images`. */
NM_API const char *nm_images_name(nm_images *images, int index);
/* Image `index` of the file, from 0, brought to the predictor's input as the images that it was
 * trained on were: `pixels` gets [height][width][channels]. */
NM_API nm_status nm_images_read(nm_context *ctx, nm_images *images, int index, uint8_t *pixels);
/* Logs what was done to all images that were read for this predictor (resized, made grey …), a line
 * a kind. */
NM_API void nm_predictor_log_images(const nm_predictor *predictor);

/* ---- files ---- */

/* Makes `size` bytes the content of a file, as checkpoints are written: whatever fails, and
 * whenever the process dies, it has its old content (or is still missing) or the whole new one. */
NM_API nm_status nm_write_file(nm_context *ctx, const char *path, const void *bytes, size_t size);

#ifdef __cplusplus
}
#endif

#endif
