/* Numbers of a file of others, in the process that asks: from the file itself where the table, or
 * the process that has the file, says that they lie there as they do in memory; else from that
 * process.
 */
#include "alloc.h"
#include "h5_handle.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* What is handed over at once, where chunks are no larger: it stays in the processor's cache. */
enum { AT_ONCE = 1 << 18 };
enum { PLACES = 4096 }; /* that are asked for at once */

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

/* Rows of a dataset on their way: block after block, from the two halves of the shared memory in
 * turn, so that the next one is read while this one is copied. */
typedef struct transfer {
    nm_h5 *h5;
    const nm_h5_entry *entry;
    nm_h5_type type;
    size_t row_bytes, block, end; /* block: rows; end: behind the last row */
    bool ahead;                   /* a block fits into half */
} transfer;

static size_t block_at(const transfer *t, size_t first)
{
    size_t until = first - first % t->block + t->block;
    return (until < t->end ? until : t->end) - first;
}

static nm_status request_block(const transfer *t, size_t first, int half)
{
    nm_h5_request request = {.what = NM_H5_ASK_ROWS,
                             .entry = (uint32_t)(t->entry - t->h5->table.entry),
                             .type = t->type,
                             .first = first,
                             .count = block_at(t, first),
                             .place = half ? t->h5->cage.shared_size / 2 : 0};
    return nm_cage_request(&t->h5->cage, &request, sizeof request);
}

/* Copies a block that was asked for, once it is there. */
static nm_status take_block(const transfer *t, size_t count, int half, char *data)
{
    double rows = (double)(count + 2 * (t->entry->chunk_rows < t->block ? 0 : t->block));
    char *nothing;
    NM_TRY(nm_h5_ask(t->h5, NULL, NM_H5_PATIENCE + 1e-6 * (double)t->row_bytes * rows, 0, &nothing));
    nm_free(nothing);
    memcpy(data, t->h5->cage.shared + (half ? t->h5->cage.shared_size / 2 : 0), count * t->row_bytes);
    return NM_OK;
}

static nm_status transfer_rows(const transfer *t, size_t first, char *data)
{
    nm_status status = request_block(t, first, 0);
    for (int half = 0; first < t->end && status == NM_OK; half ^= t->ahead) {
        size_t count = block_at(t, first), next = first + count;
        if (t->ahead && next < t->end)
            status = request_block(t, next, !half);
        if (status == NM_OK)
            status = take_block(t, count, half, data);
        if (status == NM_OK && !t->ahead && next < t->end)
            status = request_block(t, next, 0);
        data += count * t->row_bytes;
        first = next;
    }
    if (status != NM_OK)
        nm_cage_end(&t->h5->cage); /* another answer may be on its way */
    return status;
}

/* By the process that has the file. `rows` is 1 for a single number. */
static nm_status read_by_cage(nm_h5 *h5, const char *path, const nm_h5_entry *e, nm_h5_type type, size_t first,
                              size_t rows, size_t row_bytes, char *data)
{
    size_t block = e->shape.rank && row_bytes ? block_rows(h5, e, row_bytes) : 1;
    if (block == 0)
        return nm_fail(h5->ctx, NM_INVALID,
                       "%s: %s: an entry of %zu MiB; expected at most %zu: --max-memory allows more", h5->name, path,
                       row_bytes >> 20, h5->cage.shared_size >> 20);
    if (rows == 0 || row_bytes == 0)
        return NM_OK;
    NM_TRY(nm_h5_need_process(h5));
    const transfer t = {h5, e, type, row_bytes, block, first + rows, block <= h5->cage.shared_size / 2 / row_bytes};
    return transfer_rows(&t, first, data);
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
        NM_TRY(nm_h5_ask(h5, &request, NM_H5_PATIENCE, 0, &nothing));
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
    NM_TRY(nm_h5_find_set(h5, path, &entry));
    NM_TRY(check_type(h5, path, entry->shape.type, type));
    NM_TRY(check_shape(h5, path, &entry->shape, rank, dims));
    return read_entry(h5, path, entry, type, 0, rank ? dims[0] : 1, data);
}

nm_status nm_h5_read_rows(nm_h5 *h5, const char *path, nm_h5_type type, size_t first, size_t count, void *data)
{
    const nm_h5_entry *entry;
    NM_TRY(nm_h5_find_set(h5, path, &entry));
    return read_entry(h5, path, entry, type, first, count, data);
}
