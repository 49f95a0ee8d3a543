/* Datasets, groups and attributes as they are written. */
#include "h5_private.h"

/* Variable-length UTF-8: what h5py reads as str. */
static hid_t text_type(void)
{
    hid_t type = H5Tcopy(H5T_C_S1);
    H5Tset_size(type, H5T_VARIABLE);
    H5Tset_cset(type, H5T_CSET_UTF8);
    return type;
}

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
