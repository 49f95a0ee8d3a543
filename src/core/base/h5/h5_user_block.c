/* The first bytes of a file that was saved with its digest. */
#include "h5_handle.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const char magic[] = NM_H5_MARK;

/* Text, so that `head -c 512` shows it and `tail -c +513 FILE | sha256sum` checks it; zeros behind.
 */
static void fill(char block[NM_H5_USER_BLOCK], uint64_t size, const char digest[NM_DIGEST_SIZE])
{
    memset(block, 0, NM_H5_USER_BLOCK);
    snprintf(block, NM_H5_USER_BLOCK, "%sbytes %zu\nsha256 %s\n", magic, (size_t)size, digest);
}

void nm_h5_user_block(char block[NM_H5_USER_BLOCK], const void *body, size_t size)
{
    char digest[NM_DIGEST_SIZE];
    nm_digest(&(nm_bytes){body, size}, 1, digest);
    fill(block, size, digest);
}

/* What can be seen before all of the file is read. */
static nm_status check_beginning(const nm_h5 *h5, const char text[NM_H5_USER_BLOCK + 1])
{
    nm_context *ctx = h5->ctx;
    size_t noted = 0;
    if (memcmp(text, "\x89HDF\r\n\x1a\n", 8) == 0)
        return nm_fail(ctx, NM_INVALID, "%s: an HDF5 file that norma did not write: expected a digest in front of it",
                       h5->name);
    if (strncmp(text, magic, sizeof magic - 1) != 0)
        return nm_fail(ctx, NM_INVALID, "%s: not a file that norma wrote: expected it to begin with '%.15s'", h5->name,
                       magic);
    if (h5->size <= NM_H5_USER_BLOCK)
        return nm_fail(ctx, NM_INVALID, "%s: cut short: found %zu bytes, fewer than its first %d", h5->name,
                       (size_t)h5->size, NM_H5_USER_BLOCK);
    if (sscanf(text + sizeof magic - 1, "bytes %zu\n", &noted) == 1 && noted != h5->size - NM_H5_USER_BLOCK)
        return nm_fail(ctx, NM_INVALID, "%s: damaged or cut: expected %zu bytes behind the first %d, found %zu",
                       h5->name, noted, NM_H5_USER_BLOCK, (size_t)h5->size - NM_H5_USER_BLOCK);
    return NM_OK;
}

/* Compares the whole user block with the one that belongs to the bytes behind it, so that no bit of
 * either goes unchecked; then says what is wrong. */
nm_status nm_h5_check_user_block(nm_h5 *h5)
{
    char text[NM_H5_USER_BLOCK + 1] = "", expected[NM_H5_USER_BLOCK + 1] = "", digest[NM_DIGEST_SIZE];
    if (pread(h5->fd, text, NM_H5_USER_BLOCK, 0) < 0)
        return nm_fail(h5->ctx, NM_FAILED, "%s: cannot read: %s", h5->name, strerror(errno));
    NM_TRY(check_beginning(h5, text));
    if (!nm_digest_file(h5->fd, NM_H5_USER_BLOCK, h5->size - NM_H5_USER_BLOCK, digest))
        return nm_fail(h5->ctx, NM_FAILED, "%s: cannot read: %s", h5->name,
                       errno ? strerror(errno) : "it became shorter meanwhile");
    fill(expected, h5->size - NM_H5_USER_BLOCK, digest);
    if (memcmp(text, expected, NM_H5_USER_BLOCK) == 0)
        return NM_OK;
    const char *was = strstr(text, "sha256 ");
    return nm_fail(h5->ctx, NM_INVALID, "%s: damaged: expected SHA-256 %.16s…, found %.16s…", h5->name,
                   was ? was + 7 : "(none)", digest);
}
