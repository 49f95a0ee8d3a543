/* HDF5 files: the only door to the HDF5 library. A file is built or opened in memory; the library's own
 * messages are kept silent and come back as messages of the context, which name the file and the object in
 * it.
 *
 *     nm_h5 *h5;
 *     NM_TRY(nm_h5_new(ctx, "weights.h5", &h5));
 *     nm_status status = nm_h5_write(h5, "/model/c1/bias", NM_H5_REAL, 1, (size_t[]){32}, bias);
 *     if (status == NM_OK)
 *         status = nm_h5_save(h5, "weights.h5", true);
 *     nm_h5_free(h5);
 *
 * Equal content gives equal bytes: no object carries a time. */
#ifndef NM_H5_H
#define NM_H5_H

#include "error.h"
#include "real.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct nm_h5 nm_h5;

/* Element types; in the file they are little-endian. */
typedef enum nm_h5_type {
    NM_H5_F32,
    NM_H5_F64,
    NM_H5_U8,
    NM_H5_I32,
    NM_H5_I64,
    NM_H5_U64,
    NM_H5_TEXT,
    NM_H5_OTHER
} nm_h5_type;
#ifdef NM_DOUBLE
#define NM_H5_REAL NM_H5_F64
#else
#define NM_H5_REAL NM_H5_F32
#endif
enum { NM_H5_MAX_RANK = 8, NM_H5_USER_BLOCK = 512 };

void nm_h5_free(nm_h5 *h5);

/* ---- writing: groups on the way to an object are made ---- */

/* An empty file in memory; `name` is for messages. */
nm_status nm_h5_new(nm_context *ctx, const char *name, nm_h5 **out) NM_MUST_USE;
nm_status nm_h5_group(nm_h5 *h5, const char *path) NM_MUST_USE;
/* rank 0: one number. */
nm_status nm_h5_write(nm_h5 *h5, const char *path, nm_h5_type type, int rank, const size_t *dims,
                      const void *data) NM_MUST_USE;
nm_status nm_h5_write_text(nm_h5 *h5, const char *path, const char *text) NM_MUST_USE; /* UTF-8 */
/* Attributes of the object at `path` ("/": the file's). */
nm_status nm_h5_note_text(nm_h5 *h5, const char *path, const char *name, const char *text) NM_MUST_USE;
nm_status nm_h5_note_int(nm_h5 *h5, const char *path, const char *name, int64_t value) NM_MUST_USE;

/* Writes the file whole or not at all (nm_file_replace). digest: with a user block of 512 bytes in front,
 * text that names the length and the SHA-256 of what follows it; other HDF5 programs skip it. */
nm_status nm_h5_save(nm_h5 *h5, const char *path, bool digest) NM_MUST_USE;

/* ---- reading ---- */

/* digest: the file must have been saved with one; it is read whole into memory and verified. Otherwise any
 * HDF5 file; it stays on disk and is read piece by piece. */
nm_status nm_h5_open(nm_context *ctx, const char *path, bool digest, nm_h5 **out) NM_MUST_USE;

bool nm_h5_has(nm_h5 *h5, const char *path);

typedef struct nm_h5_shape {
    nm_h5_type type;
    int rank;
    size_t dims[NM_H5_MAX_RANK];
    size_t count; /* elements */
} nm_h5_shape;
nm_status nm_h5_look(nm_h5 *h5, const char *path, nm_h5_shape *shape) NM_MUST_USE;

/* Reads the whole of a dataset that has exactly this shape; numbers are converted to `type`. */
nm_status nm_h5_read(nm_h5 *h5, const char *path, nm_h5_type type, int rank, const size_t *dims,
                     void *data) NM_MUST_USE;
/* `count` entries of the first dimension, from entry `first`; data has room for them. */
nm_status nm_h5_read_rows(nm_h5 *h5, const char *path, nm_h5_type type, size_t first, size_t count,
                          void *data) NM_MUST_USE;
nm_status nm_h5_read_text(nm_h5 *h5, const char *path, char **text) NM_MUST_USE; /* nm_free */
nm_status nm_h5_read_note_text(nm_h5 *h5, const char *path, const char *name, char **text) NM_MUST_USE;
nm_status nm_h5_read_note_int(nm_h5 *h5, const char *path, const char *name, int64_t *value) NM_MUST_USE;

/* Calls visit for each entry of a group, by name. It stops at the first status that is not NM_OK and returns
 * it. */
typedef nm_status nm_h5_visit(void *arg, const char *name, bool is_group);
nm_status nm_h5_each(nm_h5 *h5, const char *path, nm_h5_visit *visit, void *arg) NM_MUST_USE;

#endif
