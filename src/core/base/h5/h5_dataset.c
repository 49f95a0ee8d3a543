/* In the process that reads: what a dataset is, where it lies, and whether it is one that is read.
 */
#include "h5_inside.h"

#include <string.h>

void nm_h5_close_set(nm_h5_set *o)
{
    H5Tclose(o->type); /* what is not open is left alone */
    H5Sclose(o->space);
    H5Dclose(o->set);
    *o = NM_H5_NO_SET;
}

/* Of the dataset o->set. */
static nm_status look_at(nm_h5 *h5, const char *path, nm_h5_set *o)
{
    o->space = H5Dget_space(o->set);
    o->type = H5Dget_type(o->set);
    hsize_t dims[H5S_MAX_RANK];
    H5S_class_t class = H5Sget_simple_extent_type(o->space); /* none, of no space */
    int rank = class == H5S_SIMPLE || class == H5S_SCALAR ? H5Sget_simple_extent_ndims(o->space) : -1;
    if (rank < 0 || rank > NM_H5_MAX_RANK || o->type < 0 || H5Sget_simple_extent_dims(o->space, dims, NULL) < 0)
        return nm_h5_fail(h5, NM_INVALID, path, "expected a dataset of at most 8 dimensions");
    if (H5Tcommitted(o->type) > 0)
        return nm_fail(h5->ctx, NM_INVALID, "%s: %s: its type is a named one; expected a type of its own", h5->name,
                       path);
    o->shape = (nm_h5_shape){.type = nm_h5_type_of(o->type), .rank = rank, .count = 1};
    bool fits = true;
    for (int i = 0; i < rank; i++) {
        o->shape.dims[i] = dims[i];
        fits = fits && !__builtin_mul_overflow(o->shape.count, dims[i], &o->shape.count);
    }
    size_t bytes, each = H5Tget_size(o->type);
    each = each < sizeof(double) ? sizeof(double) : each;
    char text[NM_H5_DESCRIPTION];
    if (fits && !__builtin_mul_overflow(o->shape.count, each, &bytes) && bytes <= SIZE_MAX / 2)
        return NM_OK;
    return nm_fail(h5->ctx, NM_INVALID, "%s: %s: %s is more than can be addressed", h5->name, path,
                   nm_h5_describe(&o->shape, text));
}

nm_status nm_h5_open_set(nm_h5 *h5, const char *path, nm_h5_set *o)
{
    *o = NM_H5_NO_SET;
    o->set = H5Dopen2(h5->file, path, H5P_DEFAULT);
    nm_status status = o->set < 0 ? nm_h5_fail(h5, NM_INVALID, path, "expected a dataset") : look_at(h5, path, o);
    if (status == NM_OK)
        status = nm_h5_check_filters(h5, path, o->set);
    if (status == NM_OK)
        status = nm_h5_bypass_cache(h5, path, o);
    if (status != NM_OK)
        nm_h5_close_set(o);
    return status;
}

/* ---- where it lies ---------------------------------------------------------------------- */

/* The memory that it asks for, against what it has in the file and the limit. */
static nm_status check_size(nm_h5 *h5, const char *path, size_t bytes, uint64_t stored, const char *what)
{
    size_t limit = nm_context_max_memory(h5->ctx), mebibytes = (bytes + (1 << 20) - 1) >> 20;
    if (bytes <= limit || bytes / NM_H5_MAX_UNPACKING <= stored)
        return NM_OK;
    return nm_fail(h5->ctx, NM_INVALID,
                   "%s: %s: %s %zu MiB, of which the file holds %llu bytes; expected at most %zu MiB: is it what it "
                   "says? --max-memory %zu takes it",
                   h5->name, path, what, mebibytes, (unsigned long long)stored, limit >> 20, mebibytes);
}

/* To find a chunk's place the library goes through all: by the square of how many there are. Few
 * are those that take longer to be read. */
static bool are_few(const nm_h5_set *o, hsize_t rows, size_t bytes)
{
    enum { ANYWAY = 64, BYTES_FOR_ONE = 512 };
    return (o->shape.dims[0] - 1) / rows < ANYWAY + bytes / BYTES_FOR_ONE;
}

/* Some versions of the library tell a chunk's place from the end of the user block, others from the
 * file's beginning. */
static bool has_user_block(const nm_h5 *h5)
{
    hsize_t size = 1;
    hid_t creation = H5Fget_create_plist(h5->file);
    H5Pget_userblock(creation, &size);
    H5Pclose(creation);
    return size > 0;
}

static nm_status look_at_chunks(nm_h5 *h5, hid_t creation, const nm_h5_set *o, uint64_t stored, const char *path,
                                nm_h5_entry *entry)
{
    hsize_t chunk[H5S_MAX_RANK];
    hid_t native = nm_h5_memory_type(o->shape.type);
    entry->plain = H5Pget_nfilters(creation) == 0 && native >= 0 && H5Tequal(o->type, native) > 0;
    int rank = H5Pget_chunk(creation, H5S_MAX_RANK, chunk);
    size_t bytes = H5Tget_size(o->type);
    if (rank < 1 || rank != o->shape.rank)
        return nm_h5_fail(h5, NM_INVALID, path, "damaged: chunks of another rank than the dataset");
    bool whole_rows = H5Pget_nfilters(creation) == 0;
    for (int i = 0; i < rank; i++) {
        whole_rows = whole_rows && (i == 0 || chunk[i] >= o->shape.dims[i]);
        if (chunk[i] == 0 || __builtin_mul_overflow(bytes, chunk[i], &bytes))
            return nm_fail(h5->ctx, NM_INVALID, "%s: %s: damaged: a chunk of no size", h5->name, path);
    }
    entry->plain &= whole_rows && are_few(o, chunk[0], bytes) && !has_user_block(h5);
    entry->chunk_rows = whole_rows && !entry->plain ? 1 : chunk[0]; /* any rows are read without those around them */
    return check_size(h5, path, bytes, stored, "a chunk of it takes");
}

static nm_status refuse_storage(nm_h5 *h5, const char *path, const char *what)
{
    return nm_fail(h5->ctx, NM_INVALID, "%s: %s: its values are stored %s; expected them in one piece or in chunks",
                   h5->name, path, what);
}

/* Where values lie in the file as they do in memory, whoever asks can read them without us. */
static nm_status look_at_storage(nm_h5 *h5, hid_t creation, const nm_h5_set *o, const char *path, nm_h5_entry *entry)
{
    uint64_t stored = H5Dget_storage_size(o->set);
    H5D_layout_t layout = H5Pget_layout(creation);
    NM_TRY(check_size(h5, path, o->shape.count * H5Tget_size(o->type), stored, "it takes"));
    if (H5Pget_external_count(creation) != 0)
        return refuse_storage(h5, path, "in another file");
    if (layout == H5D_CHUNKED)
        return look_at_chunks(h5, creation, o, stored, path, entry);
    if (layout != H5D_CONTIGUOUS)
        return refuse_storage(h5, path,
                              layout == H5D_COMPACT   ? "in its header"
                              : layout == H5D_VIRTUAL ? "in other datasets (virtual)"
                                                      : "in an unknown way");
    hid_t native = nm_h5_memory_type(o->shape.type);
    haddr_t offset = H5Dget_offset(o->set);
    if (native >= 0 && H5Tequal(o->type, native) > 0 && offset != HADDR_UNDEF)
        entry->offset = offset;
    return NM_OK;
}

/* A single text is held in the table, unless it is long. */
static nm_status hold_text(nm_h5_builder *b, const nm_h5_set *o, const char *path, nm_h5_entry *entry)
{
    char *given = NULL;
    if (H5Dread(o->set, o->type, H5S_ALL, H5S_ALL, H5P_DEFAULT, &given) < 0)
        return nm_h5_fail(b->h5, NM_INVALID, path, "cannot be read");
    size_t length = given ? strnlen(given, NM_H5_MAX_TEXT + 1) : 0;
    nm_status status = NM_OK;
    if (given && length <= NM_H5_MAX_TEXT)
        status = nm_h5_build_text(b, given, length, &entry->text);
    H5free_memory(given);
    return status;
}

nm_status nm_h5_describe_set(nm_h5_builder *b, hid_t set, const char *path, nm_h5_entry *entry)
{
    nm_h5_set o = {.set = set, .space = -1, .type = -1};
    hid_t creation = H5Dget_create_plist(set);
    nm_status status = look_at(b->h5, path, &o);
    entry->shape = o.shape;
    if (status == NM_OK)
        status = creation < 0 ? nm_h5_fail(b->h5, NM_INVALID, path, "how it is stored cannot be read")
                              : look_at_storage(b->h5, creation, &o, path, entry);
    if (status == NM_OK && nm_h5_is_one_text(o.type, o.space))
        status = hold_text(b, &o, path, entry);
    H5Pclose(creation);
    o.set = -1; /* the caller's */
    nm_h5_close_set(&o);
    return status;
}
