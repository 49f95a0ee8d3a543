/* In the process that reads: chunks that are stored as they are. The library would copy each into
 * its cache, and from there number by number where a chunk is narrower than the dataset; read one
 * by one, each comes in one piece, and is spread from there. */
#include "alloc.h"
#include "h5_inside.h"

#include <string.h>

/* Shorter ones cost the library more than a copy of them all. */
enum { SHORT_RUN = 512 };

/* Bytes of a chunk that stand together among the rows, too. */
static size_t run_of(const nm_h5_set *o)
{
    size_t run = nm_h5_type_size(o->shape.type);
    bool whole = true;
    for (int i = o->shape.rank - 1; i > 0 && whole; i--) {
        whole = o->chunk[i] >= o->shape.dims[i];
        run *= whole ? o->shape.dims[i] : o->chunk[i];
    }
    return whole ? SIZE_MAX : run;
}

/* Opened again without the library's cache of chunks. */
nm_status nm_h5_bypass_cache(nm_h5 *h5, const char *path, nm_h5_set *o)
{
    hid_t creation = H5Dget_create_plist(o->set), access;
    bool plain = H5Pget_layout(creation) == H5D_CHUNKED && H5Pget_nfilters(creation) == 0 &&
                 nm_h5_type_size(o->shape.type) > 0 &&
                 H5Pget_chunk(creation, NM_H5_MAX_RANK, o->chunk) == o->shape.rank;
    H5Pclose(creation);
    if (!plain || (access = H5Pcreate(H5P_DATASET_ACCESS)) < 0)
        return NM_OK;
    H5Pset_chunk_cache(access, H5D_CHUNK_CACHE_NSLOTS_DEFAULT, 0, H5D_CHUNK_CACHE_W0_DEFAULT);
    H5Dclose(o->set);
    o->set = H5Dopen2(h5->file, path, access);
    H5Pclose(access);
    o->narrow_chunks = run_of(o) < SHORT_RUN;
    return o->set < 0 ? nm_h5_fail(h5, NM_INVALID, path, "expected a dataset") : NM_OK;
}

/* ---- from a chunk to its rows ------------------------------------------------------------- */

/* A box of numbers: `each` bytes stand together, `extent` is what the chunk has of it, `step` how
 * many bytes lie between two of a dimension in the rows. */
typedef struct box {
    int rank;
    size_t each, extent[NM_H5_MAX_RANK], step[NM_H5_MAX_RANK];
} box;

static void spread_line(char *to, const char *from, size_t count, size_t step, size_t each)
{
    if (each == 1)
        for (size_t i = 0; i < count; i++)
            to[i * step] = from[i];
    else
        for (size_t i = 0; i < count; i++)
            memcpy(to + i * step, from + i * each, each);
}

static const char *spread(char *to, const char *from, const box *b, int at)
{
    if (at == b->rank - 1) {
        spread_line(to, from, b->extent[at], b->step[at], b->each);
        return from + b->extent[at] * b->each;
    }
    for (size_t i = 0; i < b->extent[at]; i++)
        from = spread(to + i * b->step[at], from, b, at + 1);
    return from;
}

/* Of a part of the dataset; what of its last dimensions is whole, and of the one before these,
 * stands together. */
static box box_of(const nm_h5_set *o, const hsize_t *extent, const size_t *step, size_t each)
{
    box b = {.rank = o->shape.rank, .each = each};
    for (int i = 0; i < b.rank; i++) {
        b.extent[i] = extent[i];
        b.step[i] = step[i];
    }
    for (bool whole = true; b.rank > 1 && whole; b.rank--) {
        whole = extent[b.rank - 1] == o->shape.dims[b.rank - 1];
        b.each *= extent[b.rank - 1];
    }
    return b;
}

/* ---- reading ------------------------------------------------------------------------------ */

static herr_t read_part(const nm_h5_set *o, hid_t type, const hsize_t *start, const hsize_t *extent, void *to)
{
    hid_t part = H5Screate_simple(o->shape.rank, extent, NULL);
    herr_t done = part < 0 ? -1 : H5Sselect_hyperslab(o->space, H5S_SELECT_SET, start, NULL, extent, NULL);
    if (done >= 0)
        done = H5Dread(o->set, type, part, o->space, H5P_DEFAULT, to);
    H5Sclose(part);
    return done;
}

/* The next chunk that has some of the rows first to end - 1, from dimension 1 on; false: it was the
 * last. */
static bool next_chunk(const nm_h5_set *o, hsize_t *start, size_t end)
{
    for (int i = o->shape.rank - 1; i >= 0; i--) {
        start[i] = start[i] - start[i] % o->chunk[i] + o->chunk[i];
        if (start[i] < (i == 0 ? end : o->shape.dims[i]))
            return true;
        if (i > 0)
            start[i] = 0;
    }
    return false;
}

/* What of the chunk at `start` is among the rows up to `end` and in the dataset. */
static void find_extent(const nm_h5_set *o, const hsize_t *start, size_t end, hsize_t *extent)
{
    for (int i = 0; i < o->shape.rank; i++) {
        hsize_t most = i == 0 ? end : o->shape.dims[i], next = start[i] - start[i] % o->chunk[i] + o->chunk[i];
        extent[i] = (next < most ? next : most) - start[i];
    }
}

static herr_t read_chunks(const nm_h5_set *o, nm_h5_type type, size_t first, size_t end, char *chunk, char *to)
{
    size_t each = nm_h5_type_size(type), step[NM_H5_MAX_RANK], next = each;
    hsize_t start[NM_H5_MAX_RANK] = {first}, extent[NM_H5_MAX_RANK];
    for (int i = o->shape.rank - 1; i >= 0; i--) {
        step[i] = next;
        next *= o->shape.dims[i];
    }
    do {
        find_extent(o, start, end, extent);
        if (read_part(o, nm_h5_memory_type(type), start, extent, chunk) < 0)
            return -1;
        box b = box_of(o, extent, step, each);
        char *place = to + (start[0] - first) * step[0];
        for (int i = 1; i < o->shape.rank; i++)
            place += start[i] * step[i];
        spread(place, chunk, &b, 0);
    } while (next_chunk(o, start, end));
    return 0;
}

nm_status nm_h5_read_chunks(nm_h5 *h5, const char *path, const nm_h5_set *o, const nm_h5_request *r, char *to)
{
    size_t count = 1;
    for (int i = 0; i < o->shape.rank; i++)
        count *= o->chunk[i];
    char *chunk = nm_alloc(h5->ctx, count, nm_h5_type_size(r->type));
    if (!chunk)
        return NM_FAILED;
    herr_t done = r->count ? read_chunks(o, r->type, r->first, r->first + r->count, chunk, to) : 0;
    nm_free(chunk);
    return done < 0 ? nm_h5_fail(h5, NM_INVALID, path, "cannot be read") : NM_OK;
}
