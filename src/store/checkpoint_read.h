/* An open checkpoint: what the files that read it share. */
#ifndef NM_CHECKPOINT_READ_H
#define NM_CHECKPOINT_READ_H

#include "checkpoint_format.h"

struct nm_checkpoint {
    nm_context *ctx;
    char *path;
    nm_h5 *h5;
    char *model;
    char *classes;                  /* NULL: none */
    char *data_digest;              /* NULL: none */
    uint64_t step, steps_per_epoch; /* 0: not stored */
    nm_normalisation normalisation; /* no channels: none is stored */
};

/* Reads the array at `path` of the file, which must have the shape of `param`. */
nm_status nm_checkpoint_values(const nm_checkpoint *c, const char *path, const nm_param *param,
                               real *values) NM_MUST_USE;

#endif
