/* Differences between two checkpoints, or between two runs: norma diff prints them, norma verify
 * looks for one. */
#ifndef DIFFERENCE_H
#define DIFFERENCE_H

#include "command.h"
#include "contents.h"

/* ---- arrays -------------------------------------------------------------------------------- */

enum { VALUE_TEXT = 96 };

/* An array, a text or an attribute that is not the same in both. */
typedef struct array_difference {
    char *path;                        /* "/model/c1/weight" */
    char *remark;                      /* why it was not compared number by number ("only in A"); NULL: it was */
    nm_h5_shape shape;                 /* where it was */
    size_t different, first;           /* how many numbers, and the index of the first */
    char a[VALUE_TEXT], b[VALUE_TEXT]; /* the first that differ */
    double largest, relative;          /* |a - b|, and that by the larger of |a| and |b| */
    uint64_t ulps;                     /* most numbers of its type that lie between; 0 for whole numbers */
    size_t not_finite;                 /* pairs with NaN or infinity, which the three above leave out */
} array_difference;

/* Compares the numbers of two arrays of one type and shape. */
nm_status compare_numbers(const nm_contents *a, const nm_stored *in_a, const nm_contents *b, const nm_stored *in_b,
                          array_difference *out) NM_MUST_USE;
/* "[0][3][1]": where element `index` stands. Empty for a single number. */
void element_text(const nm_h5_shape *shape, size_t index, char *text, size_t size);

/* ---- settings ------------------------------------------------------------------------------ */

typedef struct setting_difference {
    char *path, *a, *b; /* "train.lr"; NULL: not there */
} setting_difference;

typedef struct setting_differences {
    int count, capacity;
    setting_difference *setting;
} setting_differences;

/* Two model files; `name_a` is for messages. Lists are compared by the names of their items where
 * these have names. */
nm_status compare_settings(nm_context *ctx, const char *name_a, const char *a, const char *name_b, const char *b,
                           setting_differences *out) NM_MUST_USE;
void free_settings(setting_differences *settings);

/* ---- checkpoints --------------------------------------------------------------------------- */

typedef struct checkpoint_difference {
    int64_t step_a, step_b; /* -1: not stored */
    int compared;           /* arrays, texts and attributes */
    int count;              /* of those that differ: parameters in the network's order, slots, the rest */
    array_difference *array;
    setting_differences settings;
} checkpoint_difference;

nm_status compare_checkpoints(nm_context *ctx, const char *a, const char *b, checkpoint_difference *out) NM_MUST_USE;
void free_checkpoint_difference(checkpoint_difference *difference);
/* "step 12, layer c1, weight (float32 of 3x3x1x8), element [0][2][0][1]: 0.25 and 0.5" of the first
 * that differs; nm_free. */
char *first_difference(nm_context *ctx, const checkpoint_difference *difference);
/* The path as users write it: without the first folder of parameters. */
const char *shown_path(const array_difference *difference);

/* ---- runs ---------------------------------------------------------------------------------- */

typedef struct run_difference {
    setting_differences settings;
    int rows_a, rows_b, row;           /* row: the first of metrics.csv that differs, from 0; -1: none does */
    const char *column;                /* in which; NULL: the row is in one run only */
    uint64_t row_step;                 /* of the row */
    char a[VALUE_TEXT], b[VALUE_TEXT]; /* what stands there */
    int watch_line;                    /* the first of watch.csv that differs, from 1; 0: none does */
    int files;                         /* checkpoints compared */
    char *file;                        /* the first that differs, "step-00000012.h5"; NULL: none does */
    const char *missing;               /* "A" or "B": `file` is not there */
    checkpoint_difference at;          /* in it */
} run_difference;

nm_status compare_runs(nm_context *ctx, const char *a, const char *b, run_difference *out) NM_MUST_USE;
void free_run_difference(run_difference *difference);
/* Whether numbers differ: settings may. */
bool runs_differ(const run_difference *difference);

#endif
