/* In the process that reads: the table of a file as it grows, with attributes. */
#include "h5_inside.h"

#include <stdlib.h>
#include <string.h>

/* Makes place for `more` of `each` bytes behind `used`. */
static nm_status grow(nm_h5_builder *b, void *array, size_t *taken, size_t used, size_t more, size_t each)
{
    if (used + more <= *taken)
        return NM_OK;
    size_t count = 2 * (used + more) + 64;
    void *larger = realloc(*(void **)array, count * each);
    if (!larger)
        return nm_fail_memory(b->h5->ctx, count * each);
    *(void **)array = larger;
    *taken = count;
    return NM_OK;
}

nm_status nm_h5_build_text(nm_h5_builder *b, const char *text, size_t size, uint32_t *place)
{
    if (b->table.pool_size + size + 1 > NM_H5_MAX_POOL)
        return nm_fail(b->h5->ctx, NM_INVALID, "%s: its names and texts take more than %d MiB", b->h5->name,
                       NM_H5_MAX_POOL >> 20);
    NM_TRY(grow(b, &b->table.pool, &b->pool_taken, b->table.pool_size, size + 1, 1));
    *place = b->table.pool_size;
    memcpy(b->table.pool + *place, text, size);
    b->table.pool[*place + size] = '\0';
    b->table.pool_size += (uint32_t)size + 1;
    return NM_OK;
}

nm_status nm_h5_build_entry(nm_h5_builder *b, const nm_h5_entry *entry, uint32_t *index)
{
    NM_TRY(grow(b, &b->table.entry, &b->entries_taken, b->table.entries, 1, sizeof *entry));
    *index = b->table.entries++;
    b->table.entry[*index] = *entry;
    b->table.entry[*index].first_note = b->table.notes;
    return NM_OK;
}

/* ---- attributes ------------------------------------------------------------------------- */

typedef struct noting {
    nm_h5_builder *b;
    const char *path;
    nm_status status;
} noting;

static nm_status read_text(nm_h5_builder *b, hid_t attribute, hid_t type, nm_h5_note *note)
{
    char *given = NULL;
    if (H5Aread(attribute, type, &given) < 0 || !given)
        return NM_OK; /* of no kind: whoever asks for it is told */
    size_t length = strnlen(given, NM_H5_MAX_NOTE + 1);
    nm_status status = NM_OK;
    if (length <= NM_H5_MAX_NOTE) {
        note->kind = NM_H5_NOTE_TEXT;
        status = nm_h5_build_text(b, given, length, &note->text);
    }
    H5free_memory(given);
    return status;
}

/* One text or whole number; anything else is known by its name alone. */
static nm_status read_value(nm_h5_builder *b, hid_t attribute, nm_h5_note *note)
{
    hid_t type = H5Aget_type(attribute), space = H5Aget_space(attribute);
    nm_status status = NM_OK;
    if (nm_h5_is_one_text(type, space))
        status = read_text(b, attribute, type, note);
    else if (H5Tget_class(type) == H5T_INTEGER && H5Sget_simple_extent_npoints(space) == 1 &&
             H5Aread(attribute, H5T_NATIVE_INT64, &note->value) >= 0)
        note->kind = NM_H5_NOTE_INT;
    H5Sclose(space);
    H5Tclose(type);
    return status;
}

static nm_status add_note(noting *n, hid_t object, const char *name)
{
    nm_h5_builder *b = n->b;
    nm_h5_note note = {.kind = NM_H5_NOTE_OTHER};
    nm_h5_entry *entry = &b->table.entry[b->table.entries - 1];
    if (entry->notes == NM_H5_MAX_NOTES)
        return nm_fail(b->h5->ctx, NM_INVALID, "%s: %s: found more than %d attributes", b->h5->name, n->path,
                       NM_H5_MAX_NOTES);
    NM_TRY(nm_h5_build_text(b, name, strlen(name), &note.name));
    hid_t attribute = H5Aopen(object, name, H5P_DEFAULT);
    nm_status status = attribute < 0 ? nm_h5_fail(b->h5, NM_INVALID, n->path, "its attributes cannot be read")
                                     : read_value(b, attribute, &note);
    H5Aclose(attribute);
    if (status == NM_OK)
        status = grow(b, &b->table.note, &b->notes_taken, b->table.notes, 1, sizeof note);
    if (status != NM_OK)
        return status;
    b->table.note[b->table.notes++] = note;
    entry->notes++;
    return NM_OK;
}

static herr_t visit_note(hid_t object, const char *name, const H5A_info_t *info, void *arg)
{
    (void)info;
    noting *n = arg;
    n->status = add_note(n, object, name);
    return n->status != NM_OK;
}

nm_status nm_h5_build_notes(nm_h5_builder *b, hid_t object, const char *path)
{
    noting n = {b, path, NM_OK};
    H5O_info_t info;
    if (H5Oget_info2(object, &info, H5O_INFO_NUM_ATTRS) < 0)
        return nm_h5_fail(b->h5, NM_INVALID, path, "its attributes cannot be read");
    if (info.num_attrs > NM_H5_MAX_NOTES) /* before the library makes a list of them */
        return nm_fail(b->h5->ctx, NM_INVALID, "%s: %s: found %llu attributes; expected at most %d", b->h5->name, path,
                       (unsigned long long)info.num_attrs, NM_H5_MAX_NOTES);
    if (info.num_attrs > 0 && H5Aiterate2(object, H5_INDEX_NAME, H5_ITER_INC, NULL, visit_note, &n) < 0 &&
        n.status == NM_OK)
        return nm_h5_fail(b->h5, NM_INVALID, path, "its attributes cannot be read");
    return n.status;
}
