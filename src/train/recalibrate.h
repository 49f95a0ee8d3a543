/* Batch norm's running statistics against those of the training set, for a network that is trained.
 */
#ifndef NM_RECALIBRATE_H
#define NM_RECALIBRATE_H

#include "dataset.h"
#include "network.h"

typedef struct nm_recalibration {
    const nm_samples *samples;      /* the training split */
    nm_normalisation normalisation; /* read only */
    bool binary;
    int batch, limit; /* limit: only N samples, as the loader takes them; 0: all */
    uint64_t seed;    /* of the order of the samples, and of dropout */
} nm_recalibration;

/* Sets every running mean and variance to the average of the batches' means and (unbiased)
 * variances over one pass through the samples, each batch with the weight of its samples, in train
 * mode without augmentation (Ioffe, Szegedy 2015, algorithm 2, over the whole set). NM_INVALID: the
 * network does not fit the data. */
nm_status nm_recalibrate(nm_context *ctx, nm_network *net, const nm_recalibration *how) NM_MUST_USE;

/* Mean loss over the first `batches` batches with each batch's own statistics, and with the running
 * ones; nothing is changed. Dropout is on in train mode, as in training. */
nm_status nm_mode_gap(nm_context *ctx, nm_network *net, const nm_recalibration *how, int classes, int batches,
                      double *train_loss, double *eval_loss) NM_MUST_USE;

#endif
