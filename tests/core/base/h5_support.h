/* A file for each test, and what HDF5 itself puts into it. */
#ifndef H5_SUPPORT_H
#define H5_SUPPORT_H

#include "alloc.h"
#include "h5.h"
#include "run_suite.h"

#include <hdf5.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static nm_context *ctx;
static char path[64];

static inline void set_up_path(void)
{
    ctx = nm_context_new();
    snprintf(path, sizeof path, "/tmp/norma-test-XXXXXX");
    close(mkstemp(path));
}

static inline void tear_down_path(void)
{
    unlink(path);
    nm_context_free(ctx);
}

/* A dataset of `type` with nothing written to it; `create` is closed. */
static inline void put(hid_t file, const char *name, hid_t type, int rank, const hsize_t *dims, const hsize_t *most,
                       hid_t create)
{
    hid_t space = rank < 0 ? H5Screate(H5S_NULL) : H5Screate_simple(rank, dims, most);
    hid_t set = H5Dcreate2(file, name, type, space, H5P_DEFAULT, create, H5P_DEFAULT);
    ck_assert_msg(set >= 0, "%s", name);
    H5Dclose(set);
    H5Sclose(space);
    if (create != H5P_DEFAULT)
        H5Pclose(create);
}

static inline hid_t chunked(int rank, const hsize_t *chunk)
{
    hid_t create = H5Pcreate(H5P_DATASET_CREATE);
    H5Pset_chunk(create, rank, chunk);
    return create;
}

/* Behind so many bytes that are not HDF5's: 0, or a power of two from 512 on. */
static inline hid_t create_file_behind(hsize_t user_block)
{
    hid_t access = H5Pcreate(H5P_FILE_ACCESS), create = H5Pcreate(H5P_FILE_CREATE);
    H5Pset_libver_bounds(access, H5F_LIBVER_V18, H5F_LIBVER_LATEST); /* many attributes need it */
    H5Pset_userblock(create, user_block);
    hid_t file = H5Fcreate(path, H5F_ACC_TRUNC, create, access);
    H5Pclose(create);
    H5Pclose(access);
    return file;
}

static inline hid_t create_file(void)
{
    return create_file_behind(0);
}

#endif
