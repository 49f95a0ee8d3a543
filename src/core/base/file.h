/* Whole files: read into memory at once, replaced at once or not at all. What is read is a file: a
 * folder, device, pipe or socket in its place is refused before anything is read or waited for. */
#ifndef NM_FILE_H
#define NM_FILE_H

#include "digest.h"
#include "error.h"

#include <stdbool.h>
#include <stdio.h>

/* Opens `path` for reading; *fd is closed by the caller. What is not there or is no file is
 * NM_INVALID, what cannot be opened NM_FAILED. */
nm_status nm_file_open(nm_context *ctx, const char *path, int *fd) NM_MUST_USE;
/* The same without a message: -1, or NULL, with errno. For files that may be missing. */
int nm_file_descriptor(const char *path);
FILE *nm_file_stream(const char *path);

/* Reads all of `path`; *bytes is freed with nm_free and has a zero byte behind its end. A file that
 * is not there is NM_INVALID, one that cannot be read NM_FAILED. */
nm_status nm_file_read(nm_context *ctx, const char *path, char **bytes, size_t *size) NM_MUST_USE;
/* The same; a file of more than `most` bytes is NM_INVALID, and `what` ("a model file") says what
 * was expected. */
nm_status nm_file_read_most(nm_context *ctx, const char *path, size_t most, const char *what, char **bytes,
                            size_t *size) NM_MUST_USE;

/* Makes the blocks, one behind the other, the content of `path`: a temporary file in the same
 * folder, fsync, read back and compared, rename, fsync of the folder. Whatever fails, and whenever
 * the process dies, `path` has its old content (or is still missing) or the whole new one:
 * NM_FAILED with the new one where the folder cannot be synced. */
nm_status nm_file_replace(nm_context *ctx, const char *path, const nm_bytes *blocks, int count) NM_MUST_USE;

/* A name that is new must survive a power cut as well: syncs the folder of `path`. */
nm_status nm_file_sync_folder(nm_context *ctx, const char *path) NM_MUST_USE;

/* Makes `path` a second name of the file `from`, at once, in place of what it was. Where the file
 * system has no such names, the content is copied as nm_file_replace does. */
nm_status nm_file_link(nm_context *ctx, const char *from, const char *path) NM_MUST_USE;

/* Whether a file of this name (without its folder) is one that the two above left as their process
 * was killed; *process is its number. */
bool nm_file_is_temporary(const char *name, long *process);

#endif
