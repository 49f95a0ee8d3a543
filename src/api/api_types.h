/* What the files of the public interface share. Private to src/api. */
#ifndef NM_API_TYPES_H
#define NM_API_TYPES_H

#include <norma/training.h>

#include "dataset.h"
#include "model.h"

/* One split. */
typedef struct nm_data_split {
    int count; /* 0: there is none */
    const void *images;
    nm_element type;      /* NM_UINT8 or NM_FLOAT32 */
    ptrdiff_t strides[4]; /* elements, of sample, row, column, channel */
    bool packed;
    const int32_t *labels; /* [count][targets_each]; or NULL */
    const float *values;   /* [count][targets_each]; or NULL */
    int targets_each;
    void *own_images, *own_labels, *own_values; /* nm_free */
} nm_data_split;

struct nm_data {
    nm_dataset *named; /* NULL: from arrays */
    const char *name;  /* for checkpoints */
    nm_shape shape;
    int classes;
    char **class_names;             /* [classes], own; NULL: those of `named` */
    nm_normalisation normalisation; /* of no channels where images are float */
    bool binary;                    /* pixels become 0 or 1, whatever the normalisation */
    real *table;                    /* of pixels; NULL where images are float */
    nm_data_split split[2];         /* NM_TRAIN_SPLIT, NM_TEST_SPLIT */
};

size_t nm_element_size(nm_element type); /* bytes */
/* One sample of a split, packed: [h][w][c] of its type. */
void nm_data_gather(const nm_data *data, const nm_data_split *split, int index, void *to);
/* All samples packed into one block, which becomes the split's. */
nm_status nm_data_pack(nm_context *ctx, const nm_data *data, nm_data_split *split) NM_MUST_USE;
/* Mean and deviation of the training split's pixels, and the table of values by them. */
nm_status nm_data_measure(nm_context *ctx, nm_data *data) NM_MUST_USE;

/* The data set that `set` is, which it owns (also on failure). Its values are by `normalisation`
 * and `binary`; NULL: by mean and deviation of the training split. */
nm_status nm_data_from_set(nm_context *ctx, nm_dataset *set, const nm_normalisation *normalisation, bool binary,
                           nm_data **out) NM_MUST_USE;

/* Reads a caller's struct that begins with its size into `to` (of `size` bytes): what the caller's
 * version of it has, zeros behind that. `init` names its initialiser, for the message where it was
 * not used. */
nm_status nm_sized_read(nm_context *ctx, const char *init, const void *from, void *to, size_t size) NM_MUST_USE;
/* Checks and writes the other way round: never more than the caller's struct holds. */
nm_status nm_sized_write(nm_context *ctx, const char *init, void *to, const void *from, size_t size) NM_MUST_USE;

#endif
