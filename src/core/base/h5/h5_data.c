/* Datasets and groups of an HDF5 file; attributes as they are written. */
#include "alloc.h"
#include "h5_private.h"

#include <stdio.h>
#include <string.h>

/* Variable-length UTF-8: what h5py reads as str. */
static hid_t text_type(void)
{
    hid_t type = H5Tcopy(H5T_C_S1);
    H5Tset_size(type, H5T_VARIABLE);
    H5Tset_cset(type, H5T_CSET_UTF8);
    return type;
}

/* ---- writing -------------------------------------------------------------------------- */

/* How links are made: the groups on the way too. */
static hid_t link_creation(void)
{
    hid_t how = H5Pcreate(H5P_LINK_CREATE);
    H5Pset_create_intermediate_group(how, 1);
    H5Pset_char_encoding(how, H5T_CSET_UTF8);
    return how;
}

static nm_status write_dataset(nm_h5 *h5, const char *path, hid_t in_file, hid_t in_memory, hid_t space,
                               const void *data)
{
    hid_t how = link_creation(), create = H5Pcreate(H5P_DATASET_CREATE);
    H5Pset_obj_track_times(create, 0);
    hid_t set = H5Dcreate2(h5->file, path, in_file, space, how, create, H5P_DEFAULT);
    nm_status status = NM_OK;
    if (set < 0 || H5Dwrite(set, in_memory, H5S_ALL, H5S_ALL, H5P_DEFAULT, data) < 0)
        status = nm_h5_fail(h5, NM_FAILED, path, "cannot be stored");
    if (set >= 0)
        H5Dclose(set);
    H5Pclose(create);
    H5Pclose(how);
    return status;
}

nm_status nm_h5_group(nm_h5 *h5, const char *path)
{
    NM_H5_ENTER;
    hid_t how = link_creation(), create = H5Pcreate(H5P_GROUP_CREATE);
    H5Pset_obj_track_times(create, 0);
    hid_t group = H5Gcreate2(h5->file, path, how, create, H5P_DEFAULT);
    nm_status status = group >= 0 ? NM_OK : nm_h5_fail(h5, NM_FAILED, path, "cannot be made");
    if (group >= 0)
        H5Gclose(group);
    H5Pclose(create);
    H5Pclose(how);
    return status;
}

nm_status nm_h5_write(nm_h5 *h5, const char *path, nm_h5_type type, int rank, const size_t *dims, const void *data)
{
    NM_H5_ENTER;
    hsize_t extent[NM_H5_MAX_RANK];
    for (int i = 0; i < rank; i++)
        extent[i] = dims[i];
    hid_t space = rank ? H5Screate_simple(rank, extent, NULL) : H5Screate(H5S_SCALAR);
    nm_status status = write_dataset(h5, path, nm_h5_file_type(type), nm_h5_memory_type(type), space, data);
    H5Sclose(space);
    return status;
}

nm_status nm_h5_write_text(nm_h5 *h5, const char *path, const char *text)
{
    NM_H5_ENTER;
    hid_t space = H5Screate(H5S_SCALAR), type = text_type();
    nm_status status = write_dataset(h5, path, type, type, space, &text);
    H5Tclose(type);
    H5Sclose(space);
    return status;
}

static nm_status note(nm_h5 *h5, const char *path, const char *name, hid_t in_file, hid_t in_memory, const void *data)
{
    hid_t object = H5Oopen(h5->file, path, H5P_DEFAULT), space = H5Screate(H5S_SCALAR);
    hid_t attribute = object < 0 ? -1 : H5Acreate2(object, name, in_file, space, H5P_DEFAULT, H5P_DEFAULT);
    nm_status status = NM_OK;
    if (attribute < 0 || H5Awrite(attribute, in_memory, data) < 0)
        status = nm_h5_fail(h5, NM_FAILED, path, "its attribute cannot be stored");
    if (attribute >= 0)
        H5Aclose(attribute);
    if (object >= 0)
        H5Oclose(object);
    H5Sclose(space);
    return status;
}

nm_status nm_h5_note_text(nm_h5 *h5, const char *path, const char *name, const char *text)
{
    NM_H5_ENTER;
    hid_t type = text_type();
    nm_status status = note(h5, path, name, type, type, &text);
    H5Tclose(type);
    return status;
}

nm_status nm_h5_note_int(nm_h5 *h5, const char *path, const char *name, int64_t value)
{
    NM_H5_ENTER;
    return note(h5, path, name, H5T_STD_I64LE, H5T_NATIVE_INT64, &value);
}

/* ---- reading -------------------------------------------------------------------------- */

/* Every link on the way must be there: H5Lexists answers for the last one only. */
bool nm_h5_has(nm_h5 *h5, const char *path)
{
    NM_H5_ENTER;
    char part[1024];
    size_t length = strlen(path);
    if (length >= sizeof part)
        return false;
    for (size_t i = 1; i <= length; i++)
        if (i == length || path[i] == '/') {
            snprintf(part, sizeof part, "%.*s", (int)i, path);
            if (strcmp(part, "/") != 0 && H5Lexists(h5->file, part, H5P_DEFAULT) <= 0)
                return false;
        }
    return true;
}

void nm_h5_close_set(nm_h5_set *o)
{
    if (o->type >= 0)
        H5Tclose(o->type);
    if (o->space >= 0)
        H5Sclose(o->space);
    if (o->set >= 0)
        H5Dclose(o->set);
}

nm_status nm_h5_open_set(nm_h5 *h5, const char *path, nm_h5_set *o)
{
    *o = (nm_h5_set){-1, -1, -1, {0}};
    if (!nm_h5_has(h5, path))
        return nm_fail(h5->ctx, NM_INVALID, "%s: %s is missing", h5->name, path);
    o->set = H5Dopen2(h5->file, path, H5P_DEFAULT);
    o->space = o->set < 0 ? -1 : H5Dget_space(o->set);
    o->type = o->set < 0 ? -1 : H5Dget_type(o->set);
    hsize_t dims[H5S_MAX_RANK];
    int rank = o->space < 0 ? -1 : H5Sget_simple_extent_dims(o->space, dims, NULL);
    if (rank < 0 || rank > NM_H5_MAX_RANK || o->type < 0) {
        nm_status status = nm_h5_fail(h5, NM_INVALID, path, "expected a dataset of at most 8 dimensions");
        nm_h5_close_set(o);
        return status;
    }
    o->shape = (nm_h5_shape){.type = nm_h5_type_of(o->type), .rank = rank, .count = 1};
    for (int i = 0; i < rank; i++) {
        o->shape.dims[i] = dims[i];
        o->shape.count *= dims[i];
    }
    nm_status status = nm_h5_check_filters(h5, path, o->set);
    if (status != NM_OK)
        nm_h5_close_set(o);
    return status;
}

nm_status nm_h5_look(nm_h5 *h5, const char *path, nm_h5_shape *shape)
{
    NM_H5_ENTER;
    nm_h5_set o;
    NM_TRY(nm_h5_open_set(h5, path, &o));
    *shape = o.shape;
    nm_h5_close_set(&o);
    return NM_OK;
}

static void dims_text(int rank, const size_t *dims, char *text, size_t size)
{
    size_t used = (size_t)snprintf(text, size, rank ? "" : "one number");
    for (int i = 0; i < rank && used < size; i++)
        used += (size_t)snprintf(text + used, size - used, "%s%zu", i ? "x" : "", dims[i]);
}

const char *nm_h5_describe(const nm_h5_shape *shape, char text[NM_H5_DESCRIPTION])
{
    char dims[128];
    dims_text(shape->rank, shape->dims, dims, sizeof dims);
    snprintf(text, NM_H5_DESCRIPTION, "%s of %s", nm_h5_type_name(shape->type), dims);
    return text;
}

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
    dims_text(rank, dims, want, sizeof want);
    dims_text(found->rank, found->dims, have, sizeof have);
    return nm_fail(h5->ctx, NM_INVALID, "%s: %s: expected %s, found %s", h5->name, path, want, have);
}

nm_status nm_h5_read(nm_h5 *h5, const char *path, nm_h5_type type, int rank, const size_t *dims, void *data)
{
    NM_H5_ENTER;
    nm_h5_set o;
    NM_TRY(nm_h5_open_set(h5, path, &o));
    nm_status status = check_type(h5, path, o.shape.type, type);
    if (status == NM_OK)
        status = check_shape(h5, path, &o.shape, rank, dims);
    if (status == NM_OK && H5Dread(o.set, nm_h5_memory_type(type), H5S_ALL, H5S_ALL, H5P_DEFAULT, data) < 0)
        status = nm_h5_fail(h5, NM_INVALID, path, "cannot be read");
    nm_h5_close_set(&o);
    return status;
}

nm_status nm_h5_read_rows(nm_h5 *h5, const char *path, nm_h5_type type, size_t first, size_t count, void *data)
{
    NM_H5_ENTER;
    nm_h5_set o;
    NM_TRY(nm_h5_open_set(h5, path, &o));
    nm_status status = check_type(h5, path, o.shape.type, type);
    if (status == NM_OK && (o.shape.rank == 0 || first + count > o.shape.dims[0]))
        status = nm_fail(h5->ctx, NM_INVALID, "%s: %s: expected at least %zu entries, found %zu", h5->name, path,
                         first + count, o.shape.rank ? o.shape.dims[0] : 1);
    if (status == NM_OK && count > 0) {
        hsize_t start[NM_H5_MAX_RANK] = {first}, extent[NM_H5_MAX_RANK] = {count};
        for (int i = 1; i < o.shape.rank; i++)
            extent[i] = o.shape.dims[i];
        hid_t part = H5Screate_simple(o.shape.rank, extent, NULL);
        if (H5Sselect_hyperslab(o.space, H5S_SELECT_SET, start, NULL, extent, NULL) < 0 ||
            H5Dread(o.set, nm_h5_memory_type(type), part, o.space, H5P_DEFAULT, data) < 0)
            status = nm_h5_fail(h5, NM_INVALID, path, "cannot be read");
        H5Sclose(part);
    }
    nm_h5_close_set(&o);
    return status;
}

/* ---- groups ---------------------------------------------------------------------------- */

typedef struct visiting {
    nm_h5_visit *visit;
    void *arg;
    nm_status status;
} visiting;

static herr_t visit_one(hid_t group, const char *name, const H5L_info_t *info, void *arg)
{
    (void)info;
    visiting *v = arg;
    hid_t object = H5Oopen(group, name, H5P_DEFAULT);
    bool is_group = object >= 0 && H5Iget_type(object) == H5I_GROUP;
    if (object >= 0)
        H5Oclose(object);
    v->status = v->visit(v->arg, name, is_group);
    return v->status != NM_OK;
}

nm_status nm_h5_each(nm_h5 *h5, const char *path, nm_h5_visit *visit, void *arg)
{
    NM_H5_ENTER;
    visiting v = {visit, arg, NM_OK};
    if (!nm_h5_has(h5, path))
        return nm_fail(h5->ctx, NM_INVALID, "%s: %s is missing", h5->name, path);
    hid_t group = H5Gopen2(h5->file, path, H5P_DEFAULT);
    herr_t done = group < 0 ? -1 : H5Literate(group, H5_INDEX_NAME, H5_ITER_INC, NULL, visit_one, &v);
    if (group >= 0)
        H5Gclose(group);
    if (done < 0 && v.status == NM_OK)
        return nm_h5_fail(h5, NM_INVALID, path, "expected a group");
    return v.status;
}
