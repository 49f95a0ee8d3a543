/* Evaluation that may be repeated and interrupted; nm_evaluate in train.h is one of its runs. */
#ifndef NM_EVALUATE_H
#define NM_EVALUATE_H

#include "finite.h"
#include "loader.h"
#include "processes.h"
#include "targets.h"
#include "train.h"

typedef struct nm_evaluator nm_evaluator;
/* loading: samples, limit, batch, normalisation and binary; not shuffled. What is pointed at must
 * outlive it; the network's parameters may change between runs. `beside` (until this returns): what
 * the caller needs of memory, and the flag of the batch. processes: each evaluates its share of
 * every batch, and all get the same result, with the bits that one process alone gets; NULL: this
 * one is alone. */
nm_status nm_evaluator_new(nm_context *ctx, nm_network *net, const nm_loader_settings *loading, nm_beside beside,
                           nm_processes *processes, nm_evaluator **out) NM_MUST_USE;
/* Memory that it takes while it runs. */
size_t nm_evaluator_bytes(const nm_evaluator *evaluator);
/* Fills loss and accuracy, not what nm_evaluate counts by class; there is nothing to free. With
 * others, all must call it. *stopped: `stop` (may be NULL) became non-zero, and *out is not filled.
 */
nm_status nm_evaluator_run(nm_evaluator *evaluator, const volatile int *stop, nm_evaluation *out,
                           bool *stopped) NM_MUST_USE;
void nm_evaluator_free(nm_evaluator *evaluator);
/* Whether what is predicted for n samples, at most those of a batch that are evaluated here, is
 * finite; `culprit`: see nm_find_culprit. */
bool nm_evaluator_predicts(nm_evaluator *evaluator, const real *x, int n, char culprit[NM_CULPRIT]);

/* The losses of a plan. sample_loss: [batch.n], each sample's. Added up in the samples' order,
 * their sum has the same bits however the samples are cut into batches. */
nm_result nm_find_losses(nm_plan *plan, nm_batch batch, double *sample_loss);

#endif
