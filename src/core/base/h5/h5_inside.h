/* Between the files that run in the process that reads files of others. */
#ifndef NM_H5_INSIDE_H
#define NM_H5_INSIDE_H

#include "h5_private.h"

/* The table as it grows. */
typedef struct nm_h5_builder {
    nm_h5 *h5;
    nm_h5_table table; /* made by realloc; not sorted */
    size_t entries_taken, notes_taken, pool_taken;
    size_t limit;                         /* objects */
    uint64_t above[NM_H5_MAX_LEVELS + 1]; /* addresses of the groups on the way */
} nm_h5_builder;

/* Walks the file from its root; refuses what the cage does not take. */
nm_status nm_h5_walk(nm_h5_builder *builder) NM_MUST_USE;

/* *place: where `size` bytes of text and a zero are in the pool. */
nm_status nm_h5_build_text(nm_h5_builder *b, const char *text, size_t size, uint32_t *place) NM_MUST_USE;
nm_status nm_h5_build_entry(nm_h5_builder *b, const nm_h5_entry *entry, uint32_t *index) NM_MUST_USE;
/* The attributes of the object, for the entry that was made last. */
nm_status nm_h5_build_notes(nm_h5_builder *b, hid_t object, const char *path) NM_MUST_USE;

/* What a dataset is, its values apart. */
nm_status nm_h5_describe_set(nm_h5_builder *b, hid_t set, const char *path, nm_h5_entry *entry) NM_MUST_USE;
nm_status nm_h5_open_set(nm_h5 *h5, const char *path, nm_h5_set *set) NM_MUST_USE;
void nm_h5_close_set(nm_h5_set *set);
/* Where chunks are stored as they are: opens the dataset so that the library keeps none. */
nm_status nm_h5_bypass_cache(nm_h5 *h5, const char *path, nm_h5_set *set) NM_MUST_USE;
/* The rows that are asked for, of a set with narrow_chunks. */
nm_status nm_h5_read_chunks(nm_h5 *h5, const char *path, const nm_h5_set *set, const nm_h5_request *request,
                            char *to) NM_MUST_USE;

bool nm_h5_is_one_text(hid_t type, hid_t space);
/* All strings of a dataset, one a line; nm_free. */
nm_status nm_h5_join_lines(nm_h5 *h5, const char *path, const nm_h5_set *set, char **text) NM_MUST_USE;

#endif
