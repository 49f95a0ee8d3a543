/* The batch of `norma trace`, from its input file. */
#ifndef TRACE_H
#define TRACE_H

#include "h5.h"
#include "network.h"

enum { PATH_SIZE = 512 }; /* of a path within a file */

typedef struct given {
    int n;
    real **x; /* [inputs] */
    int32_t *labels;
    real *values; /* of the prediction's shape, for losses that take values */
} given;

/* Also sets parameters that the file has. free_given in any case. */
nm_status read_given(nm_context *ctx, const char *file, const nm_network *net, given *g) NM_MUST_USE;
void free_given(given *g, int inputs);

#endif
