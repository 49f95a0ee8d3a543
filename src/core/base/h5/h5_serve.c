/* In the process that reads: the file is opened from memory, its table sent, and requests
 * answered until the socket ends. */
#include "alloc.h"
#include "h5_inside.h"

#include <string.h>

/* Seconds of the processor: for the structure of any file, twice that for large ones, whose
 * networks have many layers; and for bytes that are unpacked, and chunks that are found. */
static const double walk_time = 0.3, large_file = 1 << 26, bytes_each_second = 20e6, chunks_each_second = 2e4;

typedef struct serving {
    nm_h5 *h5;
    int socket;
    char *shared;
    nm_h5_builder builder;
    nm_h5_set open; /* the dataset that was asked for last: its chunks stay unpacked */
    uint32_t open_entry;
} serving;

/* ---- the file as it lies in memory ------------------------------------------------------ */

static void *image_same(size_t size, H5FD_file_image_op_t op, void *image)
{
    (void)size, (void)op;
    return image;
}

static void *image_copy(void *to, const void *from, size_t size, H5FD_file_image_op_t op, void *image)
{
    (void)from, (void)size, (void)op, (void)image;
    return to;
}

static void *image_resize(void *was, size_t size, H5FD_file_image_op_t op, void *image)
{
    (void)was, (void)size, (void)op, (void)image;
    return NULL; /* it is only read */
}

static herr_t image_keep(void *was, H5FD_file_image_op_t op, void *image)
{
    (void)was, (void)op, (void)image;
    return 0;
}

static void *image_of(void *image)
{
    return image;
}

static herr_t image_leave(void *image)
{
    (void)image;
    return 0;
}

/* The library copies an image several times; by these calls it is told that it did. */
static nm_status open_image(nm_h5 *h5)
{
    H5FD_file_image_callbacks_t calls = {image_same, image_copy,  image_resize, image_keep,
                                         image_of,   image_leave, h5->image};
    hid_t access = H5Pcreate(H5P_FILE_ACCESS);
    H5Pset_fapl_core(access, 1 << 20, 0);
    H5Pset_file_image_callbacks(access, &calls);
    H5Pset_file_image(access, h5->image, h5->size);
    h5->file = H5Fopen("/dev/null/image", H5F_ACC_RDONLY, access); /* a name that no file can have */
    return h5->file >= 0 ? NM_OK : nm_h5_fail(h5, NM_INVALID, "/", "not a readable HDF5 file");
}

/* ---- answers ---------------------------------------------------------------------------- */

static bool answer(serving *s, nm_status status, const void *bytes, size_t size)
{
    nm_cage_answer a = {.status = (uint32_t)status, .size = size};
    if (status != NM_OK) {
        const char *text = nm_error_count(s->h5->ctx) > 0 ? nm_error_message(s->h5->ctx, 0) : "cannot be read";
        bytes = text;
        a.size = strlen(text);
        a.size = a.size < 4096 ? a.size : 4096;
    }
    bool sent = nm_cage_send(s->socket, &a, sizeof a) && nm_cage_send(s->socket, bytes, a.size);
    nm_errors_clear(s->h5->ctx);
    return sent;
}

static bool send_table(serving *s)
{
    const nm_h5_table *t = &s->builder.table;
    uint32_t counts[3] = {t->entries, t->notes, t->pool_size};
    size_t entries = t->entries * sizeof *t->entry, notes = t->notes * sizeof *t->note;
    nm_cage_answer a = {.status = NM_OK, .size = sizeof counts + entries + notes + t->pool_size};
    return nm_cage_send(s->socket, &a, sizeof a) && nm_cage_send(s->socket, counts, sizeof counts) &&
           nm_cage_send(s->socket, t->entry, entries) && nm_cage_send(s->socket, t->note, notes) &&
           nm_cage_send(s->socket, t->pool, t->pool_size);
}

static const char *path_of(const serving *s, uint32_t entry)
{
    return s->builder.table.pool + s->builder.table.entry[entry].path;
}

static nm_status open_entry(serving *s, uint32_t entry)
{
    if (s->open.set >= 0 && s->open_entry == entry)
        return NM_OK;
    nm_h5_close_set(&s->open);
    NM_TRY(nm_h5_open_set(s->h5, path_of(s, entry), &s->open));
    s->open_entry = entry;
    return NM_OK;
}

/* Rows lie in chunks that are unpacked whole. */
static void allow_rows(const serving *s, const nm_h5_request *r)
{
    const nm_h5_shape *shape = &s->open.shape;
    double rows = shape->rank ? (double)shape->dims[0] : 1, row = rows > 0 ? (double)shape->count / rows : 0;
    double chunk = (double)s->builder.table.entry[r->entry].chunk_rows, touched = (double)r->count + 2 * chunk;
    nm_cage_allow_time(walk_time + touched * row * (double)H5Tget_size(s->open.type) / bytes_each_second +
                       (chunk > 0 ? touched / chunk / chunks_each_second : 0));
}

static nm_status read_rows(serving *s, const nm_h5_request *r)
{
    const char *path = path_of(s, r->entry);
    const nm_h5_shape *shape = &s->open.shape;
    hid_t part = H5S_ALL, from = H5S_ALL, type = nm_h5_memory_type(r->type);
    allow_rows(s, r);
    if (s->open.narrow_chunks)
        return nm_h5_read_chunks(s->h5, path, &s->open, r, s->shared + r->place);
    if (shape->rank > 0) {
        hsize_t start[NM_H5_MAX_RANK] = {r->first}, extent[NM_H5_MAX_RANK] = {r->count};
        for (int i = 1; i < shape->rank; i++)
            extent[i] = shape->dims[i];
        part = H5Screate_simple(shape->rank, extent, NULL);
        from = s->open.space;
        if (H5Sselect_hyperslab(from, H5S_SELECT_SET, start, NULL, extent, NULL) < 0)
            return nm_h5_fail(s->h5, NM_INVALID, path, "cannot be read");
    }
    herr_t done = H5Dread(s->open.set, type, part, from, H5P_DEFAULT, s->shared + r->place);
    nm_status status = done < 0 ? nm_h5_fail(s->h5, NM_INVALID, path, "cannot be read") : NM_OK;
    if (part != H5S_ALL)
        H5Sclose(part);
    return status;
}

/* Of chunks of whole rows, so that whoever asked can read them in the file. */
static nm_status find_places(serving *s, const nm_h5_request *r)
{
    uint64_t *places = (uint64_t *)(void *)(s->shared + r->place);
    hsize_t at[NM_H5_MAX_RANK] = {0}, size;
    unsigned filters;
    for (uint64_t i = 0; i < r->count; i++) {
        haddr_t place;
        at[0] = (r->first + i) * s->builder.table.entry[r->entry].chunk_rows;
        if (H5Dget_chunk_info_by_coord(s->open.set, at, &filters, &place, &size) < 0)
            return nm_h5_fail(s->h5, NM_INVALID, path_of(s, r->entry), "cannot be read");
        places[i] = place == HADDR_UNDEF ? NM_H5_NOWHERE : place;
    }
    return NM_OK;
}

static bool serve_one(serving *s, const nm_h5_request *r)
{
    char *text = NULL;
    nm_status status = r->entry < s->builder.table.entries ? open_entry(s, r->entry) : NM_INVALID;
    if (status == NM_OK)
        status = r->what == NM_H5_ASK_ROWS     ? read_rows(s, r)
                 : r->what == NM_H5_ASK_PLACES ? find_places(s, r)
                                               : nm_h5_join_lines(s->h5, path_of(s, r->entry), &s->open, &text);
    bool sent = answer(s, status, text, text ? strlen(text) : 0);
    nm_free(text);
    H5Eclear2(H5E_DEFAULT);
    return sent;
}

void nm_h5_serve(void *arg, int socket, char *shared)
{
    serving s = {.h5 = arg, .socket = socket, .shared = shared, .builder.h5 = arg, .open = NM_H5_NO_SET};
    nm_h5_request request;
    nm_errors_clear(s.h5->ctx);
    nm_cage_allow_time((double)s.h5->size < large_file ? walk_time : 2 * walk_time);
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
    nm_status status = open_image(s.h5);
    if (status == NM_OK)
        status = nm_h5_walk(&s.builder);
    bool sent = status == NM_OK ? send_table(&s) : answer(&s, status, NULL, 0);
    while (sent && status == NM_OK && nm_cage_receive(socket, &request, sizeof request)) {
        nm_cage_allow_time(walk_time);
        sent = serve_one(&s, &request);
    }
}
