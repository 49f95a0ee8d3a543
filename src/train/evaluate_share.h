/* What a process finds of a split where several evaluate it, each some samples of every batch
 * (those that nm_share_first gives it), and how that becomes what all of them have found. Losses
 * are added up in the samples' order, so that their sum has the bits that one process alone gets.
 */
#ifndef NM_EVALUATE_SHARE_H
#define NM_EVALUATE_SHARE_H

#include "divergence.h"
#include "processes.h"

typedef struct nm_evaluation_share {
    uint64_t counted, right; /* of samples or of pixels */
    int not_finite;          /* samples */
    int culprit_at;          /* the first sample that is not finite; -1: none */
    char culprit[NM_CULPRIT];
} nm_evaluation_share;

/* Where in an array of the split's `count` samples those of this process lie: one process's behind
 * the other's. */
size_t nm_evaluation_share_first(const nm_processes *processes, int count, int batch);

/* loss: [count], this process's from nm_evaluation_share_first on; filled with all. *sums becomes
 * that of all processes, *sum the sum of the losses. processes NULL: this one has evaluated all. */
nm_status nm_evaluation_share_join(nm_processes *processes, int count, int batch, double *loss,
                                   nm_evaluation_share *sums, double *sum) NM_MUST_USE;

#endif
