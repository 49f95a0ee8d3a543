/* The checkpoint a.h5 again as b.h5, changed by the HDF5 library, with the digest made right. */
#ifndef CHECKPOINT_CHANGES_H
#define CHECKPOINT_CHANGES_H

#include "checkpoint_support.h"
#include "digest.h"
#include "h5.h"

#include <hdf5.h>

static inline void digest_again(void)
{
    size_t size;
    char *bytes = content(in_folder("b.h5"), &size), digest[NM_DIGEST_SIZE];
    nm_digest(&(nm_bytes){bytes + NM_H5_USER_BLOCK, size - NM_H5_USER_BLOCK}, 1, digest);
    memset(bytes, 0, NM_H5_USER_BLOCK);
    snprintf(bytes, NM_H5_USER_BLOCK, "%sbytes %zu\nsha256 %s\n", NM_H5_MARK, size - NM_H5_USER_BLOCK, digest);
    write_content(in_folder("b.h5"), bytes, size);
    nm_free(bytes);
}

static inline hid_t open_copy(void)
{
    size_t size;
    char *bytes = content(in_folder("a.h5"), &size);
    write_content(in_folder("b.h5"), bytes, size);
    nm_free(bytes);
    hid_t file = H5Fopen(in_folder("b.h5"), H5F_ACC_RDWR, H5P_DEFAULT);
    ck_assert(file >= 0);
    return file;
}

static inline void put(hid_t file, const char *path, hid_t type, int rank, const hsize_t *dims, const void *data)
{
    hid_t space = rank ? H5Screate_simple(rank, dims, NULL) : H5Screate(H5S_SCALAR);
    hid_t set = H5Dcreate2(file, path, type, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    ck_assert(H5Dwrite(set, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, data) >= 0);
    H5Dclose(set);
    H5Sclose(space);
}

#endif
