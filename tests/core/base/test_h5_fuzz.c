/* A file in chunks, compressed and not, with one byte changed: it is refused or read, and whatever
 * the HDF5 library makes of it stays in its process. */
#include "alloc.h"
#include "changed_bytes.h"
#include "file.h"
#include "h5.h"
#include "run_suite.h"

#include <hdf5.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { ROWS = 50, LINE = 12, MOST = 1 << 16 };
static nm_context *ctx;
static nm_h5 *h5;
static char path[64];

static void put_rows(hid_t file, const char *name, hid_t type, hid_t create)
{
    uint8_t values[ROWS * LINE];
    for (int i = 0; i < ROWS * LINE; i++)
        values[i] = (uint8_t)(i * 7 % 256);
    hid_t space = H5Screate_simple(2, (hsize_t[]){ROWS, LINE}, NULL), link = H5Pcreate(H5P_LINK_CREATE);
    H5Pset_create_intermediate_group(link, 1);
    hid_t set = H5Dcreate2(file, name, type, space, link, create, H5P_DEFAULT);
    ck_assert(H5Dwrite(set, H5T_NATIVE_UINT8, H5S_ALL, H5S_ALL, H5P_DEFAULT, values) >= 0);
    H5Dclose(set);
    H5Sclose(space);
    H5Pclose(link);
}

static void put_names(hid_t file)
{
    const char *names[] = {"ant", "bee", "a butterfly"};
    hid_t type = H5Tcopy(H5T_C_S1), space = H5Screate_simple(1, (hsize_t[]){3}, NULL);
    H5Tset_size(type, H5T_VARIABLE);
    hid_t set = H5Dcreate2(file, "/classes", type, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    H5Dwrite(set, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, names);
    H5Dclose(set);
    H5Sclose(space);
    H5Tclose(type);
}

/* Of the oldest format or the newest: their structures have nothing in common. */
static void make_file(bool newest)
{
    hid_t access = H5Pcreate(H5P_FILE_ACCESS), create = H5Pcreate(H5P_DATASET_CREATE);
    if (newest)
        H5Pset_libver_bounds(access, H5F_LIBVER_LATEST, H5F_LIBVER_LATEST);
    hid_t file = H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, access);
    put_rows(file, "/train/y", H5T_STD_I16BE, H5P_DEFAULT);
    H5Pset_chunk(create, 2, (hsize_t[]){8, 5});
    put_rows(file, "/test/x", H5T_IEEE_F32LE, create);
    H5Pset_deflate(create, 1);
    put_rows(file, "/train/x", H5T_NATIVE_UINT8, create);
    put_names(file);
    H5Fclose(file);
    H5Pclose(create);
    H5Pclose(access);
}

static nm_status read_set(const char *name)
{
    nm_h5_shape shape;
    char *text;
    if (nm_h5_look(h5, name, &shape) != NM_OK)
        return NM_OK;
    if (shape.type == NM_H5_TEXT && nm_h5_read_lines(h5, name, &text) == NM_OK)
        nm_free(text);
    double *values = shape.count <= MOST ? nm_alloc(ctx, shape.count + 1, sizeof *values) : NULL;
    nm_status status = values ? nm_h5_read(h5, name, NM_H5_F64, shape.rank, shape.dims, values) : NM_OK;
    nm_free(values);
    return status == NM_FAILED ? NM_FAILED : NM_OK;
}

static nm_status read_group(void *group, const char *name, bool is_group)
{
    char whole[2048];
    snprintf(whole, sizeof whole, "%s/%s", (const char *)group, name);
    return is_group ? nm_h5_each(h5, whole, read_group, whole) : read_set(whole);
}

static void write_bytes(const char *bytes, size_t size)
{
    FILE *f = fopen(path, "wb");
    ck_assert(f && fwrite(bytes, 1, size, f) == size && fclose(f) == 0);
}

/* Whether it was taken. */
static bool open_and_read_all(void)
{
    char root[] = "";
    nm_status status = nm_h5_open(ctx, path, false, &h5);
    bool taken = status == NM_OK;
    if (taken)
        status = nm_h5_each(h5, "/", read_group, root);
    ck_assert_msg(status == NM_OK || status == NM_INVALID, "%s", nm_error_message(ctx, nm_error_count(ctx) - 1));
    nm_h5_free(h5);
    nm_errors_clear(ctx);
    return taken;
}

static void change_bytes(bool newest)
{
    char *bytes;
    size_t size;
    ctx = nm_context_new();
    snprintf(path, sizeof path, "/tmp/norma-test-XXXXXX");
    close(mkstemp(path));
    make_file(newest);
    ck_assert_int_eq(nm_file_read(ctx, path, &bytes, &size), NM_OK);
    nm_rng r = nm_rng_stream(1, "test", "bytes");
    long count = fuzz_count(300), taken = 0;
    for (long k = 0; k < count; k++) {
        double start = fuzz_seconds();
        char was;
        size_t at = fuzz_byte(&r, bytes, 0, size, &was);
        write_bytes(bytes, size);
        bytes[at] = was;
        taken += open_and_read_all();
        FUZZ_WITHIN_A_SECOND(start, k);
    }
    ck_assert_int_gt(taken, 0);
    ck_assert_int_lt(taken, count);
    nm_free(bytes);
    unlink(path);
    nm_context_free(ctx);
}

START_TEST(oldest_format)
{
    change_bytes(false);
}
END_TEST

START_TEST(newest_format)
{
    change_bytes(true);
}
END_TEST

static void set_up(TCase *tcase)
{
    tcase_set_timeout(tcase, 0);
}

SUITE_WITH("h5_fuzz", set_up, oldest_format, newest_format)
