/* Bytes as the file of a data set. */
#ifndef FUZZ_DATASET_H
#define FUZZ_DATASET_H

#include "fuzz.h"
#include "sources.h"

#include <stdio.h>

/* `source` as --data names it; NAME: the file that it looks for. */
static inline int fuzz_dataset(const char *source, const char *name, const uint8_t *bytes, size_t size)
{
    nm_context *ctx = fuzz_context();
    nm_dataset *data = NULL;
    char spec[512];
    snprintf(spec, sizeof spec, "%s:%s", source, fuzz_file(name, bytes, size));
    fuzz_judge(ctx, nm_dataset_open(ctx, spec, NULL, &data));
    nm_dataset_free(data);
    nm_context_free(ctx);
    return 0;
}

#endif
