/* What a layer type has besides, whose passes can be done by several algorithms: what they take,
 * why one was chosen, and how the choice can be made by measuring (`norma train --tune`). */
#ifndef NM_ALGORITHM_CHOICE_H
#define NM_ALGORITHM_CHOICE_H

#include "layer.h"

/* What bringing a weight into a core's caches takes, as a number of multiply-adds at the matrix
 * product's full speed.
 */
#define NM_WEIGHT_TIME 6.0

typedef struct nm_algorithm_choice {
    const char *option;       /* a string option that holds the choice: "forward/weights/data" */
    const char *const *names; /* of the algorithms, NULL-terminated */
    /* What a choice by measuring is for, which layers alike share; false: the model file has
     * chosen. */
    bool (*key)(const void *self, char *text, size_t size);
    /* A plan's choice as the option's value. */
    void (*chosen)(const void *plan, char *text, size_t size);
    /* Why planning did not choose otherwise, a line for each pass. */
    void (*explain)(const void *self, const void *plan, char *text, size_t size);
    /* What a call of forward with n samples takes on a thread beside n times the work of one, as a
     * number of multiply-adds at the matrix product's full speed: for evaluation's choice of n. */
    double (*overhead)(const void *self, const nm_rules *rules, int n);
} nm_algorithm_choice;

#endif
