/* A checkpoint with other bytes in it, and the digest that belongs to them. */
#ifndef CHANGED_CHECKPOINT_H
#define CHANGED_CHECKPOINT_H

#include "program.h"

#include "digest.h"
#include "h5.h"

/* All bytes of a file; free. */
static inline char *bytes_of(const char *path, size_t *size)
{
    FILE *f = fopen(path, "rb");
    ck_assert_msg(f != NULL, "%s is not there", path);
    char *bytes = malloc(1 << 22);
    *size = fread(bytes, 1, 1 << 22, f);
    fclose(f);
    return bytes;
}

/* Makes the first 512 bytes those of what follows. */
static inline void sign(char *bytes, size_t size)
{
    char digest[NM_DIGEST_SIZE];
    nm_digest(&(nm_bytes){bytes + NM_H5_USER_BLOCK, size - NM_H5_USER_BLOCK}, 1, digest);
    memset(bytes, 0, NM_H5_USER_BLOCK);
    snprintf(bytes, NM_H5_USER_BLOCK, "%sbytes %zu\nsha256 %s\n", NM_H5_MARK, size - NM_H5_USER_BLOCK, digest);
}

/* Where the bytes `what`, which stand there once, lie in a file. */
static inline char *place_of(char *bytes, size_t size, const void *what, size_t length)
{
    char *found = memmem(bytes, size, what, length);
    ck_assert_ptr_nonnull(found);
    return found;
}

#endif
