/* What an HDF5 file holds, as a table: made from the file in a process of its own (h5_cage.h),
 * handed over as bytes, and looked at entry by entry before it is believed. Nothing here sees
 * hdf5.h. */
#ifndef NM_H5_TABLE_H
#define NM_H5_TABLE_H

#include "h5.h"

/* Of any file; more objects are allowed only where the file has the bytes that they describe. */
enum {
    NM_H5_MAX_OBJECTS = 4096,
    NM_H5_BYTES_FOR_OBJECT = 4096,
    NM_H5_MAX_LEVELS = 4,
    NM_H5_MAX_NOTES = 64,      /* attributes of one object */
    NM_H5_MAX_TEXT = 1 << 20,  /* of a dataset that is held in the table */
    NM_H5_MAX_NOTE = 1 << 16,  /* bytes of an attribute's text */
    NM_H5_MAX_POOL = 32 << 20, /* all names and texts */
    NM_H5_MAX_LINES = 16 << 20
};
/* Times its size in the file that a dataset may have in memory, where it is larger than the limit.
 */
enum { NM_H5_MAX_UNPACKING = 32 };
#define NM_H5_NOWHERE UINT64_MAX

/* Entry 0 is the root. path and text are places in the pool of zero-terminated texts; 0: none. */
typedef struct nm_h5_entry {
    uint32_t parent, path, text;
    uint32_t first_note, notes;
    uint32_t is_group;
    nm_h5_shape shape;
    uint64_t offset;     /* in the file, where the values lie there as they do in memory; or NM_H5_NOWHERE */
    uint64_t chunk_rows; /* how many entries of the first dimension are unpacked at once */
    uint64_t plain;      /* 1: each chunk lies in the file as those entries do in memory */
} nm_h5_entry;

typedef enum nm_h5_note_kind { NM_H5_NOTE_OTHER, NM_H5_NOTE_TEXT, NM_H5_NOTE_INT } nm_h5_note_kind;
typedef struct nm_h5_note {
    uint32_t name, kind, text, unused;
    int64_t value;
} nm_h5_note;

typedef struct nm_h5_table {
    uint32_t entries, notes, pool_size;
    nm_h5_entry *entry;
    nm_h5_note *note;
    char *pool;
    uint32_t *sorted; /* entries by path */
} nm_h5_table;

/* Takes `size` bytes as they came: the three numbers, and the three arrays. They may say anything;
 * what is not consistent, or lies outside of a file of `file_size` bytes, is refused. */
nm_status nm_h5_table_take(nm_context *ctx, const char *name, const char *bytes, size_t size, uint64_t file_size,
                           nm_h5_table *table) NM_MUST_USE;
void nm_h5_table_free(nm_h5_table *table);
/* The entry at `path`, or NULL. */
const nm_h5_entry *nm_h5_table_find(const nm_h5_table *table, const char *path);
/* Whether everything in the table can be had without the HDF5 library. */
bool nm_h5_table_suffices(const nm_h5_table *table);

/* Bytes of an element in memory; 0 for what is no number. */
size_t nm_h5_type_size(nm_h5_type type);
/* "3x2", or "one number". */
void nm_h5_dims_text(int rank, const size_t *dims, char *text, size_t size);
size_t nm_h5_object_limit(uint64_t file_size);

#endif
