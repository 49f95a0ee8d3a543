/* What others need to know of a batch norm: the convolution that folds it in, the trainer that
 * re-estimates it. */
#ifndef NM_BATCHNORM_H
#define NM_BATCHNORM_H

#include "layer.h"

enum { NM_STATISTICS_RUNNING, NM_STATISTICS_POPULATION };
enum { NM_BATCHNORM_SAVED = 4 }; /* numbers that are saved for each channel */

typedef struct nm_batchnorm {
    double epsilon, rate;
    bool affine;
    int statistics;
    int ghost; /* samples of which statistics are taken in train mode; 0: the whole batch */
    int scale, shift, running_mean, running_var; /* numbers of its parameters; the first two with affine only */
} nm_batchnorm;

/* The layers behind a batch norm whose work is done in its passes, in this order. */
typedef struct nm_batchnorm_after {
    bool add; /* the sum with another input, the first of nm_pass.with */
    bool relu;
    bool pool; /* max pool of 2x2 over even heights and widths, which tile the image; not with add */
} nm_batchnorm_after;

/* The passes that do what comes behind too. */
typedef void nm_batchnorm_pass(const nm_pass *p, const nm_batchnorm *self, const nm_batchnorm_after *after);
nm_batchnorm_pass *NM_ISA(nm_batchnorm_forward_pass)(const nm_batchnorm_after *after);
nm_batchnorm_pass *NM_ISA(nm_batchnorm_sums_pass)(const nm_batchnorm_after *after);
nm_batchnorm_pass *NM_ISA(nm_batchnorm_gradient_pass)(const nm_batchnorm_after *after);
/* All that they book, in train mode. */
void NM_ISA(nm_batchnorm_book_all)(const nm_batchnorm_after *after, int n, nm_shape s, size_t *saved, size_t *scratch,
                                   size_t *thread_scratch);

/* A layer type's `fuse`, for what comes behind. */
bool NM_ISA(nm_batchnorm_take)(const nm_batchnorm *self, nm_batchnorm_after *after, const nm_offer *offer,
                               unsigned *memory);

/* The passes over one batch of samples. Statistics leaves mean, deviation and factor in `saved` and
 * moves the running ones by `rate`; the others read them there. Backward has two parts: sums adds
 * the gradients of scale and shift and leaves what it knows of the batch in scratch; gradient,
 * which may be called for a few samples at a time, gives dx from that. */
void NM_ISA(nm_batchnorm_statistics)(const nm_pass *p, const nm_batchnorm *self, double rate);
/* The same from moments that somebody else has taken: `count` pieces of rows[k] pixels each, and
 * per channel their mean and sum of squared deviations, of [count][2][C]. */
void NM_ISA(nm_batchnorm_merge_pieces)(const nm_pass *p, const nm_batchnorm *self, int count, const double *of,
                                       const double *rows, double rate);
/* How another layer reads y from x, once there are statistics; `after` has at most a relu. */
void NM_ISA(nm_batchnorm_lazy_normalisation)(const nm_pass *p, const nm_batchnorm_after *after,
                                             nm_lazy_normalisation *out);
/* `pixels` of `channels` each, from x to y. */
void NM_ISA(nm_batchnorm_read)(const nm_lazy_normalisation *by, int channels, const real *x, int pixels, real *y);
void NM_ISA(nm_batchnorm_normalise)(const nm_pass *p, const nm_batchnorm *self, const nm_batchnorm_after *after);
void NM_ISA(nm_batchnorm_sums)(const nm_pass *p, const nm_batchnorm *self, const nm_batchnorm_after *after);
void NM_ISA(nm_batchnorm_gradient)(const nm_pass *p, const nm_batchnorm *self, const nm_batchnorm_after *after);
void NM_ISA(nm_batchnorm_book)(int n, nm_shape s, size_t *saved, size_t *scratch, size_t *thread_scratch);

/* The same with the pool behind: y and dy are the pool's. Booked on top of the others. */
void NM_ISA(nm_batchnorm_pool_forward)(const nm_pass *p, const nm_batchnorm *self, const nm_batchnorm_after *after);
void NM_ISA(nm_batchnorm_pool_sums)(const nm_pass *p, const nm_batchnorm *self, const nm_batchnorm_after *after);
void NM_ISA(nm_batchnorm_pool_gradient)(const nm_pass *p, const nm_batchnorm *self, const nm_batchnorm_after *after);
/* The same with the sum behind, and perhaps a relu behind that: y and dy are the last layer's. */
void NM_ISA(nm_batchnorm_add_forward)(const nm_pass *p, const nm_batchnorm *self, const nm_batchnorm_after *after);
void NM_ISA(nm_batchnorm_add_sums)(const nm_pass *p, const nm_batchnorm *self, const nm_batchnorm_after *after);
void NM_ISA(nm_batchnorm_add_gradient)(const nm_pass *p, const nm_batchnorm *self, const nm_batchnorm_after *after);
void NM_ISA(nm_batchnorm_add_book)(int n, nm_shape s, size_t *thread_scratch);
void NM_ISA(nm_batchnorm_pool_book)(int n, nm_shape s, size_t *scratch, size_t *thread_scratch);

#endif
