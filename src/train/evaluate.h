/* Evaluation that may be repeated and interrupted; nm_evaluate in train.h is one of its runs. */
#ifndef NM_EVALUATE_H
#define NM_EVALUATE_H

#include "loader.h"
#include "train.h"

/* Whether the network can learn from or be judged by images of this shape with these classes: one
 * input of the shape, a loss, a prediction of at least as many classes. */
nm_status nm_check_fit(nm_context *ctx, const nm_network *net, const nm_samples *samples, int classes) NM_MUST_USE;

/* The targets of a batch. A loss that takes values instead of labels is given the labels one-hot;
 * `values` has room for a batch of the prediction's shape then, and is NULL otherwise. */
typedef struct nm_target_maker {
    real *values;
    int classes;
} nm_target_maker;
nm_status nm_target_maker_new(nm_context *ctx, const nm_network *net, int batch, nm_target_maker *out) NM_MUST_USE;
nm_targets nm_target_maker_make(const nm_target_maker *maker, const nm_loaded *loaded);
void nm_target_maker_free(nm_target_maker *maker);

/* Whether none of them is NaN or infinite. */
bool nm_all_finite(const real *values, size_t count);

typedef struct nm_evaluator nm_evaluator;
/* What is pointed at must outlive it; the network's parameters may change between runs. */
nm_status nm_evaluator_new(nm_context *ctx, nm_network *net, const nm_samples *samples, int limit, int batch,
                           const nm_normalisation *normalisation, bool binary, nm_evaluator **out) NM_MUST_USE;
/* Fills loss and accuracy, not what nm_evaluate counts by class; there is nothing to free.
 * *stopped: `stop` (may be NULL) became non-zero, and *out is not filled. */
nm_status nm_evaluator_run(nm_evaluator *evaluator, const volatile int *stop, nm_evaluation *out,
                           bool *stopped) NM_MUST_USE;
void nm_evaluator_free(nm_evaluator *evaluator);

#endif
