/* SHA-256, through libmd. */
#ifndef NM_DIGEST_H
#define NM_DIGEST_H

#include <stddef.h>

enum { NM_DIGEST_SIZE = 65 }; /* hexadecimal text and its end */

/* The digest of `count` blocks of memory, one behind the other, as hexadecimal text. */
typedef struct nm_bytes {
    const void *bytes;
    size_t size;
} nm_bytes;
void nm_digest(const nm_bytes *blocks, int count, char text[NM_DIGEST_SIZE]);

#endif
