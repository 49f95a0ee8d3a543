/* One step of any optimizer, and the learning rate of any schedule. */
#ifndef NM_UPDATE_H
#define NM_UPDATE_H

#include "optimizer.h"

/* One update of all spans, shared between threads. clip_norm > 0 first scales the gradient so that
 * its norm over all spans (without L2) is at most that, as PyTorch's clip_grad_norm_. Returns the
 * norm before clipping where clip_norm > 0, otherwise 0. The bits do not depend on `threads`.
 * *outcome: where a gradient holds NaN or infinity nothing is updated; NULL: nothing is looked at.
 */
typedef enum nm_update_outcome { NM_UPDATED, NM_BAD_GRADIENT, NM_BAD_UPDATE } nm_update_outcome;
double nm_optimize(const nm_optimizer_type *type, const void *self, nm_span *spans, int count, double lr, uint64_t step,
                   double clip_norm, int threads, nm_update_outcome *outcome);

/* The rate of `step` (from 0): base rate x the schedule's factor; during the first `warmup` steps
 * it grows to that in a straight line, from 1 / warmup of it. */
double nm_schedule_rate(const nm_schedule_type *type, const void *self, double base, uint64_t step, uint64_t steps,
                        uint64_t steps_per_epoch, uint64_t warmup);

#endif
