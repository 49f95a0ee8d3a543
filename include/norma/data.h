/* norma: data sets, by name or from your memory, and batches of them. training.h includes it.
 *
 *     nm_arrays train = NM_ARRAYS_INIT;
 *     nm_data *data;
 *     train.count = 1000;
 *     train.height = train.width = 32;
 *     train.channels = 3;
 *     train.images = pixels;                      // uint8_t [1000][32][32][3]
 *     train.targets = labels;                     // int32_t [1000]
 *     if (nm_data_from_arrays(ctx, &train, NULL, 10, names, &data) == NM_OK) {
 *         nm_data_shuffle(data, seed, epoch, order);
 *         nm_data_batch(ctx, data, NM_TRAIN_SPLIT, 32, order, x, labels, NULL);
 *     }
 *     nm_data_free(data);
 *
 * Several threads may read one data set at once, each with a context of its own. */
#ifndef NORMA_DATA_H
#define NORMA_DATA_H

#include "context.h"
#include "real.h" /* nm_real */

#ifdef __cplusplus
extern "C" {
#endif

/* Images with labels or values, in a training and a test split. */
typedef struct nm_data nm_data;
/* Layers and parameters: training.h. */
typedef struct nm_network nm_network;

typedef enum nm_element {
    NM_UINT8,
    NM_INT32,
    NM_INT64,
    NM_FLOAT32,
} nm_element;

enum { NM_TRAIN_SPLIT, NM_TEST_SPLIT };

/* Labels that no loss and no accuracy counts. */
enum { NM_IGNORED_LABEL = -100 };

/* A split that lies in the caller's memory. Set it to NM_ARRAYS_INIT, then the fields. */
typedef struct nm_arrays {
    size_t size;
    int count; /* samples, >= 1 */
    int height, width, channels;
    /* NM_UINT8: pixels 0 to 255, to be normalised; NM_FLOAT32: values as the network sees them. */
    const void *images;
    nm_element images_type;
    /* Elements from one sample, row, column and channel to the next; they may be negative. All 0:
     * packed, [count][height][width][channels]. */
    ptrdiff_t strides[4];
    /* Labels from 0 (NM_UINT8, NM_INT32, NM_INT64), or values (NM_FLOAT32). Packed, [count]
     * [targets_each]; targets_each is 1 for a class per image, height * width for a class per
     * pixel, and the number of the prediction's values for values. NULL: there are none. */
    const void *targets;
    nm_element targets_type;
    int targets_each;
    /* Images and values are not copied: they must stay as they are until nm_data_free. Labels
     * always are. */
    bool borrow;
} nm_arrays;
#define NM_ARRAYS_INIT                                                                                                 \
    {                                                                                                                  \
        sizeof(nm_arrays), 0, 0, 0, 0, NULL, NM_UINT8, {0, 0, 0, 0}, NULL, NM_INT32, 1, false                          \
    }

/* A data set of arrays; `test` may be NULL. `classes` labels are allowed, named `names` [classes],
 * which are copied; NULL: by their numbers. 0 classes: as many as the labels of both splits need.
 * Mean and deviation of each channel are those of the training split. A label outside of 0 ..
 * classes-1 (but for NM_IGNORED_LABEL) is NM_INVALID. */
NM_API nm_status nm_data_from_arrays(nm_context *ctx, const nm_arrays *train, const nm_arrays *test, int classes,
                                     const char *const *names, nm_data **out);
/* A data set by name, as `train.data` takes it: "digits", "mnist:PATH". */
NM_API nm_status nm_data_open(nm_context *ctx, const char *name, nm_data **out);
/* The same for a network: image files are brought to its input's size as its `train:` section says;
 * `name` NULL: what train.data names. */
NM_API nm_status nm_data_open_for(nm_context *ctx, const nm_network *net, const char *name, nm_data **out);
NM_API void nm_data_free(nm_data *data);

NM_API int nm_data_count(const nm_data *data, int split); /* 0: there is no such split */
NM_API void nm_data_shape(const nm_data *data, int *height, int *width, int *channels);
NM_API int nm_data_classes(const nm_data *data);
/* The folder or the file it came from, or "generated", or "arrays"; belongs to the data set. */
NM_API const char *nm_data_source(const nm_data *data);
/* How many labels each sample of a split has: 1, height * width for a class per pixel, or 0. */
NM_API int nm_data_labels(const nm_data *data, int split);
/* Belongs to the data set; "" outside of 0 .. classes-1. */
NM_API const char *nm_data_class_name(const nm_data *data, int index);

/* How pixels become values: (pixel / 255 - mean) / deviation, each [channels]; float images are
 * taken as they are. */
NM_API nm_status nm_data_normalisation(nm_context *ctx, const nm_data *data, double *mean, double *deviation);
NM_API nm_status nm_data_set_normalisation(nm_context *ctx, nm_data *data, const double *mean, const double *deviation);

/* The order of the training samples in epoch `epoch` (from 0) as nm_model_train takes them with
 * that seed: `order` gets [nm_data_count(data, NM_TRAIN_SPLIT)] indices. */
NM_API void nm_data_shuffle(const nm_data *data, uint64_t seed, uint32_t epoch, int *order);

/* The n samples indices[0 .. n-1] of a split: x gets [n][height][width][channels] values; labels
 * [n][targets_each] of data with labels, values [n][targets_each] of data with values; either may
 * be NULL, and must be where the data has none. */
NM_API nm_status nm_data_batch(nm_context *ctx, const nm_data *data, int split, int n, const int *indices, nm_real *x,
                               int32_t *labels, nm_real *values);

#ifdef __cplusplus
}
#endif

#endif
