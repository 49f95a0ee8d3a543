/* What others need to know of a batch norm: the convolution that folds it in, the trainer that re-estimates it. */
#ifndef NM_BATCHNORM_H
#define NM_BATCHNORM_H

#include "layer.h"

enum { NM_STATISTICS_RUNNING, NM_STATISTICS_POPULATION };

typedef struct nm_batchnorm {
    double epsilon, rate;
    bool affine;
    int statistics;
    int ghost; /* samples of which statistics are taken in train mode; 0: the whole batch */
    int scale, shift, running_mean, running_var; /* numbers of its parameters; the first two with affine only */
} nm_batchnorm;

/* The passes over one batch of samples. Statistics leaves mean, deviation and factor in `saved` and moves the running
 * ones by `rate`; the others read them there, with a relu behind where asked. */
void NM_ISA(nm_batchnorm_statistics)(const nm_pass *p, const nm_batchnorm *self, double rate);
void NM_ISA(nm_batchnorm_normalise)(const nm_pass *p, const nm_batchnorm *self, bool relu);
void NM_ISA(nm_batchnorm_backward)(const nm_pass *p, const nm_batchnorm *self, bool relu);
void NM_ISA(nm_batchnorm_book)(int n, nm_shape s, size_t *saved, size_t *scratch, size_t *thread_scratch);

/* The same with a max pool of 2x2 behind (and the relu, where asked, before it): y and dy are the pool's. Heights and widths
 * are even. Booked on top of the others. */
void NM_ISA(nm_batchnorm_pool_forward)(const nm_pass *p, const nm_batchnorm *self, bool relu);
void NM_ISA(nm_batchnorm_pool_backward)(const nm_pass *p, const nm_batchnorm *self, bool relu);
void NM_ISA(nm_batchnorm_pool_book)(int n, nm_shape s, size_t *scratch, size_t *thread_scratch);

#endif
