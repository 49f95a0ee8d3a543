/* What is read of a file of others, in the process that asks: names, shapes and texts, from its
 * table or from the process that has the file. Numbers: h5_rows.c. */
#include "alloc.h"
#include "h5_handle.h"

#include <stdio.h>
#include <string.h>

/* ---- from the table --------------------------------------------------------------------- */

bool nm_h5_has(nm_h5 *h5, const char *path)
{
    return nm_h5_table_find(&h5->table, path) != NULL;
}

static nm_status find(nm_h5 *h5, const char *path, const nm_h5_entry **entry)
{
    *entry = nm_h5_table_find(&h5->table, path);
    return *entry ? NM_OK : nm_fail(h5->ctx, NM_INVALID, "%s: %s is missing", h5->name, path);
}

nm_status nm_h5_find_set(nm_h5 *h5, const char *path, const nm_h5_entry **entry)
{
    NM_TRY(find(h5, path, entry));
    if ((*entry)->is_group)
        return nm_fail(h5->ctx, NM_INVALID, "%s: %s: expected a dataset, found a group", h5->name, path);
    return NM_OK;
}

nm_status nm_h5_look(nm_h5 *h5, const char *path, nm_h5_shape *shape)
{
    const nm_h5_entry *entry;
    NM_TRY(nm_h5_find_set(h5, path, &entry));
    *shape = entry->shape;
    return NM_OK;
}

nm_status nm_h5_each(nm_h5 *h5, const char *path, nm_h5_visit *visit, void *arg)
{
    const nm_h5_entry *group;
    const nm_h5_table *t = &h5->table;
    NM_TRY(find(h5, path, &group));
    if (!group->is_group)
        return nm_fail(h5->ctx, NM_INVALID, "%s: %s: expected a group, found a dataset", h5->name, path);
    uint32_t index = (uint32_t)(group - t->entry);
    for (uint32_t i = index + 1; i < t->entries; i++)
        if (t->entry[i].parent == index)
            NM_TRY(visit(arg, strrchr(t->pool + t->entry[i].path, '/') + 1, t->entry[i].is_group));
    return NM_OK;
}

static nm_status find_note(nm_h5 *h5, const char *path, const char *name, nm_h5_note_kind kind, const nm_h5_note **note)
{
    const nm_h5_entry *entry = nm_h5_table_find(&h5->table, path);
    *note = NULL;
    for (uint32_t i = 0; entry && i < entry->notes; i++) {
        *note = &h5->table.note[entry->first_note + i];
        if (strcmp(h5->table.pool + (*note)->name, name) != 0)
            continue;
        if ((*note)->kind == kind)
            return NM_OK;
        return nm_fail(h5->ctx, NM_INVALID, "%s: %s: attribute '%s' is not %s", h5->name, path, name,
                       kind == NM_H5_NOTE_TEXT ? "text" : "a whole number");
    }
    return nm_fail(h5->ctx, NM_INVALID, "%s: %s: attribute '%s' is missing", h5->name, path, name);
}

nm_status nm_h5_read_note_text(nm_h5 *h5, const char *path, const char *name, char **text)
{
    const nm_h5_note *note;
    *text = NULL;
    NM_TRY(find_note(h5, path, name, NM_H5_NOTE_TEXT, &note));
    *text = nm_strdup(h5->ctx, h5->table.pool + note->text);
    return *text ? NM_OK : NM_FAILED;
}

nm_status nm_h5_read_note_int(nm_h5 *h5, const char *path, const char *name, int64_t *value)
{
    const nm_h5_note *note;
    NM_TRY(find_note(h5, path, name, NM_H5_NOTE_INT, &note));
    *value = note->value;
    return NM_OK;
}

/* ---- from the process that has the file -------------------------------------------------- */

nm_status nm_h5_need_process(nm_h5 *h5)
{
    char *table = NULL;
    size_t size;
    if (h5->cage.process)
        return NM_OK;
    NM_TRY(nm_h5_start(h5, &table, &size));
    nm_free(table); /* known */
    return NM_OK;
}

nm_status nm_h5_ask(nm_h5 *h5, const nm_h5_request *request, double seconds, size_t most, char **text)
{
    size_t size;
    *text = NULL;
    NM_TRY(nm_h5_need_process(h5));
    return nm_cage_ask(&h5->cage, request, sizeof *request, seconds, most, text, &size);
}

/* ---- text ------------------------------------------------------------------------------- */

nm_status nm_h5_read_text(nm_h5 *h5, const char *path, char **text)
{
    const nm_h5_entry *entry;
    *text = NULL;
    NM_TRY(nm_h5_find_set(h5, path, &entry));
    if (!entry->text)
        return nm_fail(h5->ctx, NM_INVALID, "%s: %s: expected text of at most %d bytes", h5->name, path,
                       NM_H5_MAX_TEXT);
    *text = nm_strdup(h5->ctx, h5->table.pool + entry->text);
    return *text ? NM_OK : NM_FAILED;
}

nm_status nm_h5_read_lines(nm_h5 *h5, const char *path, char **text)
{
    const nm_h5_entry *entry;
    *text = NULL;
    NM_TRY(nm_h5_find_set(h5, path, &entry));
    nm_h5_request request = {.what = NM_H5_ASK_LINES, .entry = (uint32_t)(entry - h5->table.entry)};
    return nm_h5_ask(h5, &request, NM_H5_PATIENCE, NM_H5_MAX_LINES, text);
}
