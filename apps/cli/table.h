/* The rows of metrics.csv and watch.csv, read back. */
#ifndef TABLE_H
#define TABLE_H

#include "error.h"

/* The columns of metrics.csv, in their order. */
enum {
    COL_EPOCH,
    COL_STEP,
    COL_LR,
    COL_TRAIN_LOSS,
    COL_TRAIN_ACCURACY,
    COL_TEST_LOSS,
    COL_TEST_ACCURACY,
    COL_SECONDS,
    COLUMNS
};
extern const char metrics_header[];

typedef struct table {
    int rows;
    double (*row)[COLUMNS]; /* NaN: not measured */
    char *text;             /* the lines without the header */
} table;

/* RUN/metrics.csv. A run that has no row yet has none here; a file of another form is refused. */
nm_status read_metrics(nm_context *ctx, const char *run, table *out) NM_MUST_USE;
void free_table(table *t);

/* One watched unit. */
typedef struct watched {
    char name[272]; /* "layer/unit" */
    int rows;
    double (*row)[4]; /* step, p15, p50, p85 */
} watched;

/* RUN/watch.csv, one entry a unit; none where there is no such file. */
nm_status read_watched(nm_context *ctx, const char *run, watched **units, int *count) NM_MUST_USE;
void free_watched(watched *units, int count);

#endif
