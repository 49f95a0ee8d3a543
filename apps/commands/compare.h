/* A comparison: its variants and their folder. */
#ifndef COMPARE_H
#define COMPARE_H

#include "vary.h"

typedef struct compare_args {
    model_args model;
    int varied;
    const char *vary[MOST_VARIED];
    const char *run;
    bool resume, json;
    allowed_changes allowed;
} compare_args;

typedef struct arm {
    char *label, *run;
    nm_yaml *document;
    char *effect; /* equal for variants that are the same: nm_train_check */
    nm_train_result result;
    double final, best; /* test accuracy; NaN: never measured */
} arm;

typedef struct comparison {
    nm_context *ctx;
    const compare_args *args;
    int keys;
    varied key[MOST_VARIED];
    int arms;
    arm arm[MOST_VARIANTS];
    nm_data_cache data;
    char *folder;
    int made; /* levels of the folder that were not there */
} comparison;

/* Makes the variants, checks each completely, and that no two are the same; then chooses the folder
 * and the run directories. Nothing is trained or replaced if anything is wrong. */
nm_status comparison_set_up(comparison *c) NM_MUST_USE;

/* Whether FOLDER/FILE is there. */
bool comparison_has(const comparison *c, const char *folder, const char *file);

#endif
