/* HDF5 files: the only door to the HDF5 library. A file is built in memory and saved; a file that
 * is opened is read in a process of its own, since it may come from anywhere. The library's own
 * messages are kept silent and come back as messages of the context, which name the file and the
 * object in it.
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

/* Element types; norma writes the first seven, little-endian. The others are found in files of
 * other programs, of either order of bytes. NM_H5_BOOL: an enumeration of FALSE and TRUE, as h5py
 * writes it. */
typedef enum nm_h5_type {
    NM_H5_F32,
    NM_H5_F64,
    NM_H5_U8,
    NM_H5_I32,
    NM_H5_I64,
    NM_H5_U64,
    NM_H5_TEXT,
    NM_H5_I8,
    NM_H5_I16,
    NM_H5_U16,
    NM_H5_U32,
    NM_H5_F16,
    NM_H5_BOOL,
    NM_H5_OTHER
} nm_h5_type;
const char *nm_h5_type_name(nm_h5_type type); /* "uint8" */
bool nm_h5_is_integer(nm_h5_type type);
bool nm_h5_is_float(nm_h5_type type);
#ifdef NM_DOUBLE
#define NM_H5_REAL NM_H5_F64
#else
#define NM_H5_REAL NM_H5_F32
#endif
enum { NM_H5_MAX_RANK = 8, NM_H5_USER_BLOCK = 512 };
/* The first bytes of a file that was saved with its digest. */
#define NM_H5_MARK "norma HDF5 file\n"

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

/* Writes the file whole or not at all (nm_file_replace). digest: with a user block of 512 bytes in
 * front, text that names the length and the SHA-256 of what follows it; other HDF5 programs skip
 * it. */
nm_status nm_h5_save(nm_h5 *h5, const char *path, bool digest) NM_MUST_USE;

/* ---- reading ---- */

/* digest: the file must have been saved with one, and is verified. Otherwise any HDF5 file.
 *
 * Taken are groups and datasets by hard links, at most four levels and 4096 objects (or one for
 * each 4 KiB of the file), in one piece or in chunks, and in memory no more than
 * nm_context_max_memory or 32 times what the file has of them. The library runs in a child that can
 * do nothing but read it (h5/h5_cage.h): its crash is a message, NM_INVALID. */
nm_status nm_h5_open(nm_context *ctx, const char *path, bool digest, nm_h5 **out) NM_MUST_USE;

bool nm_h5_has(nm_h5 *h5, const char *path);

typedef struct nm_h5_shape {
    nm_h5_type type;
    int rank;
    size_t dims[NM_H5_MAX_RANK];
    size_t count; /* elements */
} nm_h5_shape;
nm_status nm_h5_look(nm_h5 *h5, const char *path, nm_h5_shape *shape) NM_MUST_USE;
/* Its type and dimensions for messages: "float64 of 20x3x32x32". */
enum { NM_H5_DESCRIPTION = 160 };
const char *nm_h5_describe(const nm_h5_shape *shape, char text[NM_H5_DESCRIPTION]);

/* Reads the whole of a dataset that has exactly this shape; numbers are converted to `type`, but
 * floats never to integers, and to uint8 nothing else: that would change values without a word. */
nm_status nm_h5_read(nm_h5 *h5, const char *path, nm_h5_type type, int rank, const size_t *dims,
                     void *data) NM_MUST_USE;
/* `count` entries of the first dimension, from entry `first`; data holds them all. */
nm_status nm_h5_read_rows(nm_h5 *h5, const char *path, nm_h5_type type, size_t first, size_t count,
                          void *data) NM_MUST_USE;
nm_status nm_h5_read_text(nm_h5 *h5, const char *path, char **text) NM_MUST_USE; /* nm_free */
/* Text in any form, as lines: one string with newlines, or a list of strings, of variable or of
 * fixed length. nm_free.
 */
nm_status nm_h5_read_lines(nm_h5 *h5, const char *path, char **text) NM_MUST_USE;
nm_status nm_h5_read_note_text(nm_h5 *h5, const char *path, const char *name, char **text) NM_MUST_USE;
nm_status nm_h5_read_note_int(nm_h5 *h5, const char *path, const char *name, int64_t *value) NM_MUST_USE;

/* Calls visit for each entry of a group, by name. It stops at the first status that is not NM_OK
 * and returns it. */
typedef nm_status nm_h5_visit(void *arg, const char *name, bool is_group);
nm_status nm_h5_each(nm_h5 *h5, const char *path, nm_h5_visit *visit, void *arg) NM_MUST_USE;

#endif
