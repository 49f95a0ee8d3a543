/* The passes of batch normalisation, for every layer whose work has one in it: the layer type
 * batchnorm, and a convolution with one in its tail. A pass is that of the normalisation: x are its
 * inputs, w and dw its parameters; what the tail (fusion.h) has behind it, a sum, a rectifier or a
 * max pool of 2x2, is done too, and y and dy are then the last layer's. */
#ifndef NM_BATCHNORM_PASSES_H
#define NM_BATCHNORM_PASSES_H

#include "fusion.h"
#include "stored.h"

enum { NM_BATCHNORM_SAVED = 4 }; /* numbers that are saved for each channel */

/* Whether these passes do all that the tail has behind a normalisation: a pool must tile its input,
 * and goes with no sum. */
static inline bool nm_batchnorm_can_fuse(const nm_tail *tail)
{
    return !tail->pools ||
           (!tail->adds && nm_tail_pools_2x2(tail) && tail->pool_in.h % 2 == 0 && tail->pool_in.w % 2 == 0);
}

/* The three passes that fit the tail: y from x; the sums that backward needs, [2][C] in scratch: of
 * dy, and of dy * (x - mean); dx from those. */
typedef void nm_batchnorm_pass(const nm_pass *p, const nm_batch_normalisation *self);
typedef const double *nm_batchnorm_summing(const nm_pass *p, const nm_batch_normalisation *self);
nm_batchnorm_pass *NM_ISA(nm_batchnorm_forward_pass)(const nm_tail *tail);
nm_batchnorm_summing *NM_ISA(nm_batchnorm_sums_pass)(const nm_tail *tail);
nm_batchnorm_pass *NM_ISA(nm_batchnorm_gradient_pass)(const nm_tail *tail);
/* All that they need of memory, in train mode. */
void NM_ISA(nm_batchnorm_reserve_all)(const nm_tail *tail, int n, nm_shape s, size_t *saved, size_t *scratch,
                                      size_t *thread_scratch);

/* How fast this step moves the running statistics. */
static inline double nm_batchnorm_rate(const nm_pass *p, const nm_batch_normalisation *self)
{
    return p->statistics_rate > 0 ? p->statistics_rate : self->rate;
}

/* The passes over one batch of samples. Statistics leaves mean, deviation and factor in `saved` and
 * moves the running ones by `rate`; the others read them there. Backward has two parts:
 * find_gradients takes the sums, adds the gradients of scale and shift and leaves what it knows of
 * the batch in scratch; gradient, which may be called for a few samples at a time, gives dx from
 * that. */
void NM_ISA(nm_batchnorm_statistics)(const nm_pass *p, const nm_batch_normalisation *self, double rate);
/* The same from moments that somebody else has taken: `count` chunks of rows[k] pixels each, and
 * per channel their mean and sum of squared deviations, of [count][2][C]. */
void NM_ISA(nm_batchnorm_merge_chunks)(const nm_pass *p, const nm_batch_normalisation *self, int count,
                                       const double *of, const double *rows, double rate);
void NM_ISA(nm_batchnorm_find_gradients)(const nm_pass *p, const nm_batch_normalisation *self);
/* The same from sums that somebody else has taken, over so many rows (pixels) of the whole batch.
 */
void NM_ISA(nm_batchnorm_set_gradients)(const nm_pass *p, const nm_batch_normalisation *self, const double *sum,
                                        double rows);
/* For shards: per channel mean and sum of squared deviations of a pass's samples, [2][C]; what
 * statistics does, from those of all shards; what find_gradients does, from the sums of all. */
void NM_ISA(nm_batchnorm_find_moments)(const nm_pass *p, double *sums);
void NM_ISA(nm_batchnorm_join_moments)(const nm_pass *p, const nm_batch_normalisation *self, const nm_shard_sums *all,
                                       double rate);
void NM_ISA(nm_batchnorm_join_gradients)(const nm_pass *p, const nm_batch_normalisation *self,
                                         const nm_shard_sums *all);
/* For shards whose samples are ghost batches: statistics of one, without moving the running ones;
 * adds its mean and its unbiased variance to sums, [2][C]. The running ones move by the average of
 * those of all ghosts. */
void NM_ISA(nm_batchnorm_ghost_moments)(const nm_pass *p, const nm_batch_normalisation *self, double *sums);
void NM_ISA(nm_batchnorm_join_ghosts)(const nm_pass *p, const nm_batch_normalisation *self, const nm_shard_sums *all,
                                      int ghosts, double rate);
/* How another layer reads y from x, once there are statistics; the tail has at most a
 * rectifier behind the normalisation. */
void NM_ISA(nm_batchnorm_lazy_normalisation)(const nm_pass *p, nm_lazy_normalisation *out);
/* `pixels` of `channels` each, from x to y; as they are, where by->mean is NULL. */
void NM_ISA(nm_batchnorm_read)(const nm_lazy_normalisation *by, int channels, nm_stored x, int pixels, real *y);
void NM_ISA(nm_batchnorm_normalise)(const nm_pass *p, const nm_batch_normalisation *self);
const double *NM_ISA(nm_batchnorm_sums)(const nm_pass *p, const nm_batch_normalisation *self);
void NM_ISA(nm_batchnorm_gradient)(const nm_pass *p, const nm_batch_normalisation *self);
void NM_ISA(nm_batchnorm_reserve)(int n, nm_shape s, size_t *saved, size_t *scratch, size_t *thread_scratch);

/* The same with the pool behind: y and dy are the pool's. Reserved on top of the others. */
void NM_ISA(nm_batchnorm_pool_forward)(const nm_pass *p, const nm_batch_normalisation *self);
const double *NM_ISA(nm_batchnorm_pool_sums)(const nm_pass *p, const nm_batch_normalisation *self);
void NM_ISA(nm_batchnorm_pool_gradient)(const nm_pass *p, const nm_batch_normalisation *self);
/* The same with the sum behind, and perhaps a relu behind that: y and dy are the last layer's. */
void NM_ISA(nm_batchnorm_add_forward)(const nm_pass *p, const nm_batch_normalisation *self);
const double *NM_ISA(nm_batchnorm_add_sums)(const nm_pass *p, const nm_batch_normalisation *self);
void NM_ISA(nm_batchnorm_add_gradient)(const nm_pass *p, const nm_batch_normalisation *self);
void NM_ISA(nm_batchnorm_add_reserve)(int n, nm_shape s, size_t *thread_scratch);
void NM_ISA(nm_batchnorm_pool_reserve)(int n, nm_shape s, size_t *scratch, size_t *thread_scratch);

#endif
