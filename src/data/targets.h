/* A data set's labels as what the losses of a network take. */
#ifndef NM_TARGETS_H
#define NM_TARGETS_H

#include "loader.h"
#include "network.h"

/* Whether the network can learn from or be judged by images of this shape with these classes: one
 * input of the shape, a loss, a prediction of at least as many classes. */
nm_status nm_check_fit(nm_context *ctx, const nm_network *net, const nm_samples *samples, int classes) NM_MUST_USE;

/* The targets of a batch. A loss that takes values instead of labels is given the labels one-hot;
 * `values` holds a batch of the prediction's shape then, and is NULL otherwise. */
typedef struct nm_target_maker {
    real *values;
    int classes;
} nm_target_maker;
nm_status nm_target_maker_new(nm_context *ctx, const nm_network *net, int batch, nm_target_maker *out) NM_MUST_USE;
nm_targets nm_target_maker_make(const nm_target_maker *maker, const nm_loaded *loaded);
void nm_target_maker_free(nm_target_maker *maker);

#endif
