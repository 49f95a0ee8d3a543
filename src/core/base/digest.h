/* SHA-256, through libmd. */
#ifndef NM_DIGEST_H
#define NM_DIGEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { NM_DIGEST_SIZE = 65 }; /* hexadecimal text and its end */

/* The digest of `count` blocks of memory, one behind the other, as hexadecimal text. */
typedef struct nm_bytes {
    const void *bytes;
    size_t size;
} nm_bytes;
void nm_digest(const nm_bytes *blocks, int count, char text[NM_DIGEST_SIZE]);

/* Of `size` bytes of an open file, which are not held in memory. false with errno; errno 0: the
 * file ends before. */
bool nm_digest_file(int fd, uint64_t from, uint64_t size, char text[NM_DIGEST_SIZE]);

#endif
