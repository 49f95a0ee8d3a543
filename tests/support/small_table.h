/* What the process that reads HDF5 files would say of one with a group and a dataset. */
#ifndef SMALL_TABLE_H
#define SMALL_TABLE_H

#include "h5/h5_table.h"

#include <string.h>

enum { SMALL_TABLE = 1024 }; /* bytes are enough */

/* Its length. */
static inline size_t make_table(char bytes[SMALL_TABLE])
{
    static const char pool[] = "\0/\0/a\0/a/b\0note\0text";
    nm_h5_entry entries[3] = {
        {.path = 1, .is_group = 1, .offset = NM_H5_NOWHERE, .chunk_rows = 1},
        {.path = 3, .is_group = 1, .offset = NM_H5_NOWHERE, .chunk_rows = 1},
        {.parent = 1, .path = 6, .notes = 1, .offset = 512, .chunk_rows = 1},
    };
    entries[2].shape = (nm_h5_shape){.type = NM_H5_F32, .rank = 2, .dims = {3, 2}, .count = 6};
    nm_h5_note note = {.name = 11, .kind = NM_H5_NOTE_TEXT, .text = 16};
    uint32_t counts[3] = {3, 1, sizeof pool};
    char *to = bytes;
    to = mempcpy(to, counts, sizeof counts);
    to = mempcpy(to, entries, sizeof entries);
    to = mempcpy(to, &note, sizeof note);
    to = mempcpy(to, pool, sizeof pool);
    return (size_t)(to - bytes);
}

#endif
