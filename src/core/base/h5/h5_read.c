/* What is read of a file of others, in the process that asks: from its table, from the file itself
 * where the table says that values lie there as they do in memory, else by the process that has
 * the file. */
#include "alloc.h"
#include "h5_handle.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* What is handed over at once, where chunks are no larger: it stays in the processor's cache. */
enum { AT_ONCE = 1 << 18 };
enum { PLACES = 4096 }; /* that are asked for at once */

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

static nm_status find_set(nm_h5 *h5, const char *path, const nm_h5_entry **entry)
{
    NM_TRY(find(h5, path, entry));
    if ((*entry)->is_group)
        return nm_fail(h5->ctx, NM_INVALID, "%s: %s: expected a dataset, found a group", h5->name, path);
    return NM_OK;
}

nm_status nm_h5_look(nm_h5 *h5, const char *path, nm_h5_shape *shape)
{
    const nm_h5_entry *entry;
    NM_TRY(find_set(h5, path, &entry));
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

static nm_status ask(nm_h5 *h5, const nm_h5_request *request, double seconds, size_t most, char **text)
{
    size_t size;
    *text = NULL;
    if (!h5->cage.process) {
        char *table = NULL;
        NM_TRY(nm_h5_start(h5, &table, &size));
        nm_free(table); /* known */
    }
    return nm_cage_ask(&h5->cage, request, sizeof *request, seconds, most, text, &size);
}

/* ---- text ------------------------------------------------------------------------------- */

nm_status nm_h5_read_text(nm_h5 *h5, const char *path, char **text)
{
    const nm_h5_entry *entry;
    *text = NULL;
    NM_TRY(find_set(h5, path, &entry));
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
    NM_TRY(find_set(h5, path, &entry));
    nm_h5_request request = {.what = NM_H5_ASK_LINES, .entry = (uint32_t)(entry - h5->table.entry)};
    return ask(h5, &request, NM_H5_PATIENCE, NM_H5_MAX_LINES, text);
}

/* ---- numbers ---------------------------------------------------------------------------- */

static nm_status check_type(nm_h5 *h5, const char *path, nm_h5_type found, nm_h5_type wanted)
{
    bool numbers = found != NM_H5_TEXT && found != NM_H5_OTHER;
    bool same = !(nm_h5_is_integer(wanted) && nm_h5_is_float(found)) && (wanted != NM_H5_U8 || found == NM_H5_U8);
    if (numbers && same)
        return NM_OK;
    return nm_fail(h5->ctx, NM_INVALID, "%s: %s: expected %s, found %s", h5->name, path,
                   !numbers             ? "numbers"
                   : wanted == NM_H5_U8 ? "uint8"
                                        : "whole numbers",
                   nm_h5_type_name(found));
}

static nm_status check_shape(nm_h5 *h5, const char *path, const nm_h5_shape *found, int rank, const size_t *dims)
{
    bool same = found->rank == rank;
    for (int i = 0; i < rank && same; i++)
        same = found->dims[i] == dims[i];
    if (same)
        return NM_OK;
    char want[128], have[128];
    nm_h5_dims_text(rank, dims, want, sizeof want);
    nm_h5_dims_text(found->rank, found->dims, have, sizeof have);
    return nm_fail(h5->ctx, NM_INVALID, "%s: %s: expected %s, found %s", h5->name, path, want, have);
}

static nm_status read_file(nm_h5 *h5, const char *path, uint64_t from, size_t size, char *to)
{
    while (size > 0) {
        ssize_t got = pread(h5->fd, to, size, (off_t)from);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return nm_fail(h5->ctx, NM_FAILED, "%s: %s: cannot be read: %s", h5->name, path,
                           got < 0 ? strerror(errno) : "the file became shorter meanwhile");
        to += got;
        from += (uint64_t)got;
        size -= (size_t)got;
    }
    return NM_OK;
}

/* Rows that are handed over at once: those of whole chunks where that is possible. */
static size_t block_rows(const nm_h5 *h5, const nm_h5_entry *e, size_t row_bytes)
{
    size_t chunk = e->chunk_rows < e->shape.dims[0] ? e->chunk_rows : e->shape.dims[0];
    size_t most = h5->cage.shared_size / row_bytes, few = AT_ONCE / row_bytes;
    if (chunk > most)
        return most;
    return few > chunk ? few / chunk * chunk : chunk;
}

/* By the process that has the file, block by block. `rows` is 1 for a single number. */
static nm_status read_by_cage(nm_h5 *h5, const char *path, const nm_h5_entry *e, nm_h5_type type, size_t first,
                              size_t rows, size_t row_bytes, char *data)
{
    size_t block = e->shape.rank && row_bytes ? block_rows(h5, e, row_bytes) : 1;
    if (block == 0)
        return nm_fail(h5->ctx, NM_INVALID,
                       "%s: %s: an entry of %zu MiB; expected at most %zu: --max-memory allows more", h5->name, path,
                       row_bytes >> 20, h5->cage.shared_size >> 20);
    for (size_t end = first + rows; first < end && row_bytes > 0;) {
        size_t until = first - first % block + block, count = (until < end ? until : end) - first;
        nm_h5_request request = {.what = NM_H5_ASK_ROWS,
                                 .entry = (uint32_t)(e - h5->table.entry),
                                 .type = type,
                                 .first = first,
                                 .count = count};
        double seconds =
            NM_H5_PATIENCE + 1e-6 * (double)row_bytes * (double)(count + 2 * (e->chunk_rows < block ? 0 : block));
        char *nothing;
        NM_TRY(ask(h5, &request, seconds, 0, &nothing));
        nm_free(nothing);
        memcpy(data, h5->cage.shared, count * row_bytes);
        data += count * row_bytes;
        first += count;
    }
    return NM_OK;
}

/* Chunks that lie in the file as their rows do in memory. */
static nm_status read_chunks(nm_h5 *h5, const char *path, const nm_h5_entry *e, size_t first, size_t rows,
                             size_t row_bytes, char *data)
{
    size_t each = e->chunk_rows, end = first + rows, chunks = rows ? (end - 1) / each + 1 : 0;
    static _Thread_local uint64_t places[PLACES]; /* the shared memory is used anew for rows */
    for (size_t known = first / each; known < chunks;) {
        nm_h5_request request = {.what = NM_H5_ASK_PLACES,
                                 .entry = (uint32_t)(e - h5->table.entry),
                                 .first = known,
                                 .count = chunks - known < PLACES ? chunks - known : PLACES};
        char *nothing;
        NM_TRY(ask(h5, &request, NM_H5_PATIENCE, 0, &nothing));
        nm_free(nothing);
        memcpy(places, h5->cage.shared, request.count * sizeof *places);
        for (uint64_t i = 0; i < request.count; i++, known++) {
            size_t until = (known + 1) * each < end ? (known + 1) * each : end, size = (until - first) * row_bytes;
            uint64_t from = places[i] + (first - known * each) * row_bytes;
            if (places[i] == NM_H5_NOWHERE)
                NM_TRY(read_by_cage(h5, path, e, e->shape.type, first, until - first, row_bytes, data));
            else if (from > h5->size || size > h5->size - from)
                return nm_fail(h5->ctx, NM_INVALID, "%s: %s: damaged: a chunk lies outside of the file", h5->name,
                               path);
            else
                NM_TRY(read_file(h5, path, from, size, data));
            data += size;
            first = until;
        }
    }
    return NM_OK;
}

static nm_status read_entry(nm_h5 *h5, const char *path, const nm_h5_entry *e, nm_h5_type type, size_t first,
                            size_t rows, void *data)
{
    const nm_h5_shape *s = &e->shape;
    size_t all = s->rank ? s->dims[0] : 1, row_bytes = all ? s->count / all * nm_h5_type_size(type) : 0;
    NM_TRY(check_type(h5, path, s->type, type));
    if (first > all || rows > all - first)
        return nm_fail(h5->ctx, NM_INVALID, "%s: %s: expected at least %zu entries, found %zu", h5->name, path,
                       first + rows, all);
    if (e->offset != NM_H5_NOWHERE && s->type == type)
        return read_file(h5, path, e->offset + first * row_bytes, rows * row_bytes, data);
    if (e->plain && s->type == type && row_bytes > 0)
        return read_chunks(h5, path, e, first, rows, row_bytes, data);
    return read_by_cage(h5, path, e, type, first, rows, row_bytes, data);
}

nm_status nm_h5_read(nm_h5 *h5, const char *path, nm_h5_type type, int rank, const size_t *dims, void *data)
{
    const nm_h5_entry *entry;
    NM_TRY(find_set(h5, path, &entry));
    NM_TRY(check_type(h5, path, entry->shape.type, type));
    NM_TRY(check_shape(h5, path, &entry->shape, rank, dims));
    return read_entry(h5, path, entry, type, 0, rank ? dims[0] : 1, data);
}

nm_status nm_h5_read_rows(nm_h5 *h5, const char *path, nm_h5_type type, size_t first, size_t count, void *data)
{
    const nm_h5_entry *entry;
    NM_TRY(find_set(h5, path, &entry));
    return read_entry(h5, path, entry, type, first, count, data);
}
