/* Memory. Blocks are zeroed and aligned to 64 bytes. A failure records a message in
 * the context and returns NULL; the caller then returns NM_FAILED. */
#ifndef NM_ALLOC_H
#define NM_ALLOC_H

#include "error.h"

#include <stdbool.h>
#include <stddef.h>

void *nm_alloc(nm_context *ctx, size_t count, size_t size);
char *nm_strdup(nm_context *ctx, const char *text);
char *nm_format(nm_context *ctx, const char *fmt, ...) NM_PRINTF(2, 3);

/* Frees what the three functions above returned; NULL is allowed. */
void nm_free(void *block);

/* For tests: the k-th allocation from now on fails, and every one after it (0: none fails). */
void nm_alloc_fail_at(long k);
/* Allocations made since the last nm_alloc_fail_at. */
long nm_alloc_count(void);

#endif
