/* What others need to know of a batch norm: the convolution that folds it in, the trainer that re-estimates it. */
#ifndef NM_BATCHNORM_H
#define NM_BATCHNORM_H

#include <stdbool.h>

enum { NM_STATISTICS_RUNNING, NM_STATISTICS_POPULATION };

typedef struct nm_batchnorm {
    double epsilon, rate;
    bool affine;
    int statistics;
    int scale, shift, running_mean, running_var; /* numbers of its parameters; the first two with affine only */
} nm_batchnorm;

#endif
