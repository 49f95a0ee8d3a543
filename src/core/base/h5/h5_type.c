/* Element types of HDF5 files, and the filters that they are stored through. */
#include "h5_private.h"

#include <stdio.h>

hid_t nm_h5_file_type(nm_h5_type type)
{
    switch (type) {
    case NM_H5_F32:
        return H5T_IEEE_F32LE;
    case NM_H5_F64:
        return H5T_IEEE_F64LE;
    case NM_H5_U8:
        return H5T_STD_U8LE;
    case NM_H5_I32:
        return H5T_STD_I32LE;
    case NM_H5_I64:
        return H5T_STD_I64LE;
    case NM_H5_U64:
        return H5T_STD_U64LE;
    default:
        return -1;
    }
}

hid_t nm_h5_memory_type(nm_h5_type type)
{
    switch (type) {
    case NM_H5_F32:
        return H5T_NATIVE_FLOAT;
    case NM_H5_F64:
        return H5T_NATIVE_DOUBLE;
    case NM_H5_U8:
        return H5T_NATIVE_UINT8;
    case NM_H5_I32:
        return H5T_NATIVE_INT32;
    case NM_H5_I64:
        return H5T_NATIVE_INT64;
    case NM_H5_U64:
        return H5T_NATIVE_UINT64;
    default:
        return -1;
    }
}

const char *nm_h5_type_name(nm_h5_type type)
{
    static const char *const names[] = {"float32", "float64", "uint8",  "int32",  "int64",   "uint64", "text",
                                        "int8",    "int16",   "uint16", "uint32", "float16", "bool",   "another type"};
    return names[type];
}

bool nm_h5_is_float(nm_h5_type type)
{
    return type == NM_H5_F16 || type == NM_H5_F32 || type == NM_H5_F64;
}

bool nm_h5_is_integer(nm_h5_type type)
{
    return type != NM_H5_TEXT && type != NM_H5_OTHER && type != NM_H5_BOOL && !nm_h5_is_float(type);
}

static nm_h5_type integer_of(size_t size, bool sign)
{
    switch (size) {
    case 1:
        return sign ? NM_H5_I8 : NM_H5_U8;
    case 2:
        return sign ? NM_H5_I16 : NM_H5_U16;
    case 4:
        return sign ? NM_H5_I32 : NM_H5_U32;
    case 8:
        return sign ? NM_H5_I64 : NM_H5_U64;
    default:
        return NM_H5_OTHER;
    }
}

static bool is_bool(hid_t type)
{
    int8_t no, yes;
    return H5Tget_nmembers(type) == 2 && H5Tget_size(type) == 1 && H5Tenum_valueof(type, "FALSE", &no) >= 0 &&
           H5Tenum_valueof(type, "TRUE", &yes) >= 0 && no == 0 && yes == 1;
}

nm_h5_type nm_h5_type_of(hid_t type)
{
    size_t size = H5Tget_size(type);
    switch (H5Tget_class(type)) {
    case H5T_STRING:
        return NM_H5_TEXT;
    case H5T_FLOAT:
        return size == 2 ? NM_H5_F16 : size == 4 ? NM_H5_F32 : size == 8 ? NM_H5_F64 : NM_H5_OTHER;
    case H5T_INTEGER:
        return integer_of(size, H5Tget_sign(type) != H5T_SGN_NONE);
    case H5T_ENUM:
        return is_bool(type) ? NM_H5_BOOL : NM_H5_OTHER;
    default:
        return NM_H5_OTHER;
    }
}

nm_status nm_h5_check_filters(nm_h5 *h5, const char *path, hid_t set)
{
    static const struct {
        H5Z_filter_t id;
        const char *name;
    } known[] = {{H5Z_FILTER_SZIP, "SZIP"}, {32000, "LZF"},       {32001, "Blosc"}, {307, "bzip2"}, {32004, "LZ4"},
                 {32008, "Bitshuffle"},     {32015, "Zstandard"}, {32026, "Blosc2"}};
    hid_t creation = H5Dget_create_plist(set);
    int filters = H5Pget_nfilters(creation);
    nm_status status = NM_OK;
    for (int i = 0; i < filters && status == NM_OK; i++) {
        char name[80] = "";
        size_t values = 0;
        unsigned flags = 0, config = 0;
        H5Z_filter_t id = H5Pget_filter2(creation, (unsigned)i, &flags, &values, NULL, sizeof name - 1, name, &config);
        for (size_t k = 0; k < sizeof known / sizeof *known; k++)
            if (known[k].id == id)
                snprintf(name, sizeof name, "%s", known[k].name);
        if (id >= 0 && H5Zfilter_avail(id) <= 0)
            status =
                nm_fail(h5->ctx, NM_INVALID,
                        "%s: %s: compressed with %s (filter %d), which the HDF5 library here does not have; expected "
                        "gzip or no compression: write it again with h5py's compression='gzip'",
                        h5->name, path, *name ? name : "a filter without name", (int)id);
    }
    H5Pclose(creation);
    return status;
}

void nm_h5_dims_text(int rank, const size_t *dims, char *text, size_t size)
{
    size_t used = (size_t)snprintf(text, size, rank ? "" : "one number");
    for (int i = 0; i < rank && used < size; i++)
        used += (size_t)snprintf(text + used, size - used, "%s%zu", i ? "x" : "", dims[i]);
}

const char *nm_h5_describe(const nm_h5_shape *shape, char text[NM_H5_DESCRIPTION])
{
    char dims[128];
    nm_h5_dims_text(shape->rank, shape->dims, dims, sizeof dims);
    snprintf(text, NM_H5_DESCRIPTION, "%s of %s", nm_h5_type_name(shape->type), dims);
    return text;
}
