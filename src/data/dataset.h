/* Data sets, decoded once into memory as uint8 NHWC. A source (source/source_<format>.c) turns
 * files into a dataset; everything after it is blind to formats. */
#ifndef NM_DATASET_H
#define NM_DATASET_H

#include "error.h"
#include "normalisation.h"
#include "real.h"
#include "rng.h"
#include "shape.h"

#include <stdint.h>

/* One split. */
/* In files with a label for each pixel, 255 marks what belongs to no class (as in Pascal VOC and
 * Cityscapes); in memory it is what no loss and no accuracy counts. */
enum { NM_VOID_LABEL = 255, NM_NO_LABEL = -100 };

typedef struct nm_samples {
    int count;
    nm_shape shape;
    uint8_t *pixels;   /* [count][h][w][c] */
    int32_t *labels;   /* [count][places], 0..classes-1; NULL where the data has none */
    bool pixel_labels; /* a label for each pixel, not for each sample */
} nm_samples;

/* Labels of one sample. */
static inline size_t nm_label_places(const nm_samples *s)
{
    return s->pixel_labels ? (size_t)s->shape.h * (size_t)s->shape.w : 1;
}

typedef struct nm_dataset {
    char *name;  /* "mnist" */
    char *found; /* the folder or file it came from; "generated" */
    int classes;
    char **class_names; /* [classes] */
    nm_samples train, test;
} nm_dataset;

/* How image files are brought to a size and a number of channels; all 0 are the presets. */
enum { NM_RESIZE_AREA, NM_RESIZE_BILINEAR };
enum { NM_FIT_STRETCH, NM_FIT_CROP };
enum { NM_BACKGROUND_BLACK, NM_BACKGROUND_WHITE };
typedef struct nm_image_rules {
    int resize;     /* NM_RESIZE_… */
    int fit;        /* NM_FIT_…: to the whole size, or to the shorter side with the longer one cropped */
    int background; /* NM_BACKGROUND_…: behind transparent pixels */
    bool orient;    /* turned as EXIF says */
} nm_image_rules;

/* The form in which the images are wanted, for sources whose files can be brought to it. A height,
 * width or number of channels of 0: as the data has it. */
typedef struct nm_data_form {
    int height, width, channels;
    nm_image_rules images;
} nm_data_form;

/* A format. Its `open` fills the dataset from `path` (a folder or a file); it checks magic numbers,
 * sizes and labels, and names file, expected and found in its messages. `form` is never NULL. */
typedef struct nm_source_type {
    const char *name; /* "mnist", "cifar10", "hdf5", "images", "digits" */
    const char *help;
    bool needs_path;    /* only as NAME:PATH ("hdf5", "images") */
    bool generated;     /* needs no files ("digits") */
    bool part_in_path;  /* the end of a path may name a part of the data instead of a file ("emnist:FOLDER/letters") */
    const char *folder; /* where it is looked for; NULL: as it is called */
    const char *fetch;  /* the command that gets it: "datasets/fetch-mnist DIR" or "apt-get install …" */
    nm_status (*open)(nm_context *ctx, const char *path, const nm_data_form *form, nm_dataset *out);
} nm_source_type;

const nm_source_type *const *nm_source_types(void);

/* Opens "NAME" or "NAME:PATH". Looks in PATH, $NORMA_DATA/NAME, $XDG_DATA_HOME/norma/NAME
 * (~/.local/share where unset), /usr/share/datasets/NAME. Not found: NM_INVALID with where it
 * looked and which command fetches it. `form` NULL: as the data has it. */
nm_status nm_dataset_open(nm_context *ctx, const char *spec, const nm_data_form *form, nm_dataset **out) NM_MUST_USE;
void nm_dataset_free(nm_dataset *data);

/* SHA-256 that distinguishes data sets, as hexadecimal text: of shapes, pixels and labels of both
 * splits in their order, and of the names of the classes. The same for any number of threads; the
 * place it was found in does not count. */
void nm_dataset_digest(const nm_dataset *data, char hex[65]);

/* Mean and deviation of each channel of the training split; a channel that is constant has
 * deviation 1. Exact: integer sums. */
nm_status nm_dataset_normalisation(nm_context *ctx, const nm_samples *train, nm_normalisation *out) NM_MUST_USE;

#endif
