/* Files that are read from front to end, plain or gzipped (zlib knows by the first bytes), with
 * messages for every way in which they end too early or are damaged. */
#ifndef NM_PACKED_H
#define NM_PACKED_H

#include "error.h"

#include <stdbool.h>
#include <stddef.h>

typedef struct nm_packed {
    nm_context *ctx;
    void *stream;
    const char *path; /* the caller's */
    size_t done;      /* bytes of content that were read */
} nm_packed;

/* NM_INVALID where there is no such file. nm_packed_close also after a failure. */
nm_status nm_packed_open(nm_context *ctx, const char *path, nm_packed *out) NM_MUST_USE;
void nm_packed_close(nm_packed *file);

/* Refuses content of `size` bytes (that a header tells) where it is more than
 * nm_context_max_memory, before memory for it is taken; nm_packed_read does so by itself. */
nm_status nm_packed_check_size(const nm_packed *file, size_t size) NM_MUST_USE;

/* Exactly `size` bytes; `to` NULL: passed over. `what` names them in the message about a file that
 * ends before, and `expected` is the size of the whole content (0: not known). */
nm_status nm_packed_read(nm_packed *file, void *to, size_t size, const char *what, size_t expected) NM_MUST_USE;
/* Whether there is content left. At its end the checksum is verified, and bytes behind it, which
 * gzip ignores, are logged. */
nm_status nm_packed_more(nm_packed *file, bool *more) NM_MUST_USE;

#endif
