/* HDF5 files that lead out of themselves, ask for memory that they have no bytes for, or are built
 * as norma never builds them: a file of each kind, refused with one message. */
#include "alloc.h"
#include "h5.h"
#include "run_suite.h"

#include <hdf5.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static nm_context *ctx;
static char path[64];

static void set_up_path(void)
{
    ctx = nm_context_new();
    snprintf(path, sizeof path, "/tmp/norma-test-XXXXXX");
    close(mkstemp(path));
}

static void tear_down_path(void)
{
    unlink(path);
    nm_context_free(ctx);
}

/* ---- datasets and links of HDF5 itself --------------------------------------------------- */

/* A dataset of `type` with nothing written to it; `create` is closed. */
static void put(hid_t file, const char *name, hid_t type, int rank, const hsize_t *dims, const hsize_t *most,
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

static hid_t chunked(int rank, const hsize_t *chunk)
{
    hid_t create = H5Pcreate(H5P_DATASET_CREATE);
    H5Pset_chunk(create, rank, chunk);
    return create;
}

static void soft_link(hid_t file)
{
    H5Lcreate_soft("/x", file, "/soft", H5P_DEFAULT, H5P_DEFAULT);
}

static void external_link(hid_t file)
{
    H5Lcreate_external("/etc/passwd", "/x", file, "/external", H5P_DEFAULT, H5P_DEFAULT);
}

static void user_link(hid_t file)
{
    H5L_class_t class = {.version = H5L_LINK_CLASS_T_VERS, .id = (H5L_type_t)100, .comment = "test"};
    class.trav_func = (H5L_traverse_func_t)abort;
    H5Lregister(&class);
    H5Lcreate_ud(file, "/other", (H5L_type_t)100, "abc", 3, H5P_DEFAULT, H5P_DEFAULT);
}

static void external_storage(hid_t file)
{
    hid_t create = H5Pcreate(H5P_DATASET_CREATE);
    H5Pset_external(create, "/etc/passwd", 0, 64);
    put(file, "/outside", H5T_NATIVE_UINT8, 1, (hsize_t[]){64}, NULL, create);
}

static void virtual_dataset(hid_t file)
{
    hid_t create = H5Pcreate(H5P_DATASET_CREATE), space = H5Screate_simple(1, (hsize_t[]){4}, NULL);
    H5Pset_virtual(create, space, "/etc/passwd", "/x", space);
    put(file, "/virtual", H5T_NATIVE_UINT8, 1, (hsize_t[]){4}, NULL, create);
    H5Sclose(space);
}

static void compact(hid_t file)
{
    hid_t create = H5Pcreate(H5P_DATASET_CREATE);
    H5Pset_layout(create, H5D_COMPACT);
    put(file, "/compact", H5T_NATIVE_UINT8, 1, (hsize_t[]){4}, NULL, create);
}

static void named_type(hid_t file)
{
    hid_t type = H5Tcopy(H5T_NATIVE_INT32);
    H5Tcommit2(file, "/type", type, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    H5Tclose(type);
}

static void typed_by_name(hid_t file)
{
    hid_t type = H5Tcopy(H5T_NATIVE_INT32);
    H5Tcommit2(file, "/z_type", type, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    put(file, "/a", type, 1, (hsize_t[]){4}, NULL, H5P_DEFAULT);
    H5Tclose(type);
}

static void many_objects(hid_t file)
{
    for (int i = 0; i < 5000; i++) {
        char name[16];
        snprintf(name, sizeof name, "/g%d", i);
        H5Gclose(H5Gcreate2(file, name, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
    }
}

static void five_levels(hid_t file)
{
    const char *names[] = {"/a", "/a/b", "/a/b/c", "/a/b/c/d", "/a/b/c/d/e"};
    for (int i = 0; i < 5; i++)
        H5Gclose(H5Gcreate2(file, names[i], H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
}

static void cycle(hid_t file)
{
    H5Gclose(H5Gcreate2(file, "/a", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
    H5Lcreate_hard(file, "/", file, "/a/above", H5P_DEFAULT, H5P_DEFAULT);
}

static void nothing_unpacks_to_much(hid_t file)
{
    put(file, "/bomb", H5T_NATIVE_UINT8, 2, (hsize_t[]){1 << 20, 3072}, NULL, chunked(2, (hsize_t[]){64, 3072}));
}

static void large_chunk(hid_t file)
{
    put(file, "/chunk", H5T_NATIVE_UINT8, 1, (hsize_t[]){1}, (hsize_t[]){H5S_UNLIMITED},
        chunked(1, (hsize_t[]){1u << 30}));
}

static void overflow(hid_t file)
{
    put(file, "/overflow", H5T_NATIVE_UINT8, 3, (hsize_t[]){1u << 31, 1u << 31, 4}, NULL,
        chunked(3, (hsize_t[]){1, 1, 4}));
}

static void large_elements(hid_t file)
{
    hid_t type = H5Tcreate(H5T_OPAQUE, 1 << 30);
    put(file, "/opaque", type, 1, (hsize_t[]){1 << 20}, NULL, chunked(1, (hsize_t[]){1}));
    H5Tclose(type);
}

static void many_dimensions(hid_t file)
{
    put(file, "/rank", H5T_NATIVE_UINT8, 9, (hsize_t[]){1, 1, 1, 1, 1, 1, 1, 1, 1}, NULL, H5P_DEFAULT);
}

static void no_space(hid_t file)
{
    put(file, "/null", H5T_NATIVE_UINT8, -1, NULL, NULL, H5P_DEFAULT);
}

static void many_attributes(hid_t file)
{
    hid_t space = H5Screate(H5S_SCALAR);
    for (int i = 0; i < 1000; i++) {
        char name[16];
        snprintf(name, sizeof name, "a%d", i);
        H5Aclose(H5Acreate2(file, name, H5T_NATIVE_INT32, space, H5P_DEFAULT, H5P_DEFAULT));
    }
    H5Sclose(space);
}

static void long_name(hid_t file)
{
    char name[3000] = "/";
    memset(name + 1, 'n', sizeof name - 2);
    H5Gclose(H5Gcreate2(file, name, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
}

static const struct {
    void (*make)(hid_t file);
    const char *words;
} kinds[] = {
    {soft_link, "/soft: found a soft link"},
    {external_link, "/external: found an external link"},
    {user_link, "/other: found a link of unknown kind"},
    {external_storage, "/outside: its values are stored in another file"},
    {virtual_dataset, "/virtual: its values are stored in other datasets"},
    {compact, "/compact: its values are stored in its header"},
    {named_type, "/type: found a named type"},
    {typed_by_name, "/a: its type is a named one"},
    {many_objects, "found more than 4096 groups and datasets"},
    {five_levels, "/a/b/c/d/e: found groups within groups; expected at most 4 levels"},
    {cycle, "/a/above: a group that holds itself"},
    {nothing_unpacks_to_much, "/bomb: it takes 3072 MiB, of which the file holds 0 bytes; expected at most 256 MiB"},
    {large_chunk, "/chunk: a chunk of it takes 1024 MiB"},
    {overflow, "/overflow: uint8 of 2147483648x2147483648x4 is more than can be addressed"},
    {large_elements, "/opaque: it takes 1073741824 MiB"},
    {many_dimensions, "/rank: expected a dataset of at most 8 dimensions"},
    {no_space, "/null: expected a dataset of at most 8 dimensions"},
    {many_attributes, "/: found 1000 attributes; expected at most 64"},
    {long_name, "a name of 2998 bytes"},
};

static hid_t create_file(void)
{
    hid_t access = H5Pcreate(H5P_FILE_ACCESS);
    H5Pset_libver_bounds(access, H5F_LIBVER_V18, H5F_LIBVER_LATEST); /* many attributes need it */
    hid_t file = H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, access);
    H5Pclose(access);
    return file;
}

START_TEST(refused)
{
    hid_t file = create_file();
    nm_h5 *h5 = NULL;
    kinds[_i].make(file);
    H5Fclose(file);
    ck_assert_int_eq(nm_h5_open(ctx, path, false, &h5), NM_INVALID);
    ck_assert_ptr_null(h5);
    ck_assert_int_eq(nm_error_count(ctx), 1);
    const char *text = nm_error_message(ctx, 0);
    ck_assert_msg(strstr(text, kinds[_i].words) && strncmp(text, path, strlen(path)) == 0, "%s: %s", kinds[_i].words,
                  text);
}
END_TEST

/* ---- what is refused only where it is asked for, and what is taken ----------------------- */

static size_t no_filter(unsigned flags, size_t n, const unsigned *values, size_t bytes, size_t *size, void **buffer)
{
    (void)flags, (void)n, (void)values, (void)size, (void)buffer;
    return bytes;
}

static void put_through_unknown_filter(hid_t file)
{
    H5Z_class2_t filter = {H5Z_CLASS_T_VERS, 307, 1, 1, "bzip2", NULL, NULL, no_filter};
    H5Zregister(&filter);
    hid_t create = chunked(1, (hsize_t[]){4});
    H5Pset_filter(create, 307, 0, 0, NULL);
    hid_t space = H5Screate_simple(1, (hsize_t[]){4}, NULL);
    hid_t set = H5Dcreate2(file, "/filter", H5T_NATIVE_UINT8, space, H5P_DEFAULT, create, H5P_DEFAULT);
    H5Dwrite(set, H5T_NATIVE_UINT8, H5S_ALL, H5S_ALL, H5P_DEFAULT, "abcd");
    H5Dclose(set);
    H5Sclose(space);
    H5Pclose(create);
    H5Fflush(file, H5F_SCOPE_GLOBAL);
}

static void assert_read(nm_h5 *h5, const char *name, nm_h5_type type, const char *words)
{
    double values[8];
    ck_assert_int_eq(nm_h5_read(h5, name, type, 1, (size_t[]){4}, values), NM_INVALID);
    ck_assert_msg(strstr(nm_error_message(ctx, 0), words), "%s", nm_error_message(ctx, 0));
    nm_errors_clear(ctx);
}

START_TEST(wrong_types)
{
    hid_t file = create_file(), compound = H5Tcreate(H5T_COMPOUND, 8), list = H5Tvlen_create(H5T_NATIVE_INT32);
    hid_t reference = H5Tcopy(H5T_STD_REF_OBJ);
    H5Tinsert(compound, "a", 0, H5T_NATIVE_DOUBLE);
    put(file, "/compound", compound, 1, (hsize_t[]){4}, NULL, H5P_DEFAULT);
    put(file, "/list", list, 1, (hsize_t[]){4}, NULL, H5P_DEFAULT);
    put(file, "/reference", reference, 1, (hsize_t[]){4}, NULL, H5P_DEFAULT);
    put(file, "/unwritten", H5T_NATIVE_INT32, 1, (hsize_t[]){4}, NULL, H5P_DEFAULT);
    put_through_unknown_filter(file);
    H5Fclose(file);
    H5Zunregister(307);
    nm_h5 *h5;
    int32_t values[4] = {1, 1, 1, 1};
    char *text;
    ck_assert_int_eq(nm_h5_open(ctx, path, false, &h5), NM_OK);
    assert_read(h5, "/compound", NM_H5_F64, "/compound: expected numbers, found another type");
    assert_read(h5, "/list", NM_H5_F64, "/list: expected numbers, found another type");
    assert_read(h5, "/reference", NM_H5_I64, "/reference: expected numbers, found another type");
    assert_read(h5, "/filter", NM_H5_U8, "/filter: compressed with bzip2 (filter 307)");
    ck_assert_int_eq(nm_h5_read_text(h5, "/list", &text), NM_INVALID);
    ck_assert_int_eq(nm_h5_read_lines(h5, "/list", &text), NM_INVALID);
    ck_assert_int_eq(nm_h5_read(h5, "/unwritten", NM_H5_I32, 1, (size_t[]){4}, values), NM_OK);
    ck_assert(values[0] == 0 && values[3] == 0);
    nm_h5_free(h5);
    H5Tclose(compound);
    H5Tclose(list);
    H5Tclose(reference);
}
END_TEST

/* More than a limit asks for is taken where the limit is raised. */
START_TEST(raised_limit)
{
    hid_t file = create_file();
    nm_h5 *h5;
    nothing_unpacks_to_much(file);
    H5Fclose(file);
    nm_context_set_max_memory(ctx, (size_t)3072 << 20);
    ck_assert_int_eq(nm_h5_open(ctx, path, false, &h5), NM_OK);
    uint8_t row[3072];
    ck_assert_int_eq(nm_h5_read_rows(h5, "/bomb", NM_H5_U8, 1 << 19, 1, row), NM_OK);
    nm_h5_free(h5);
}
END_TEST

static void write_long_text(nm_h5 *h5, const char *name, size_t length)
{
    char *text = nm_alloc(ctx, length + 1, 1);
    memset(text, 't', length);
    ck_assert_int_eq(nm_h5_write_text(h5, name, text), NM_OK);
    nm_free(text);
}

START_TEST(long_texts)
{
    nm_h5 *h5;
    char *text;
    ck_assert_int_eq(nm_h5_new(ctx, path, &h5), NM_OK);
    write_long_text(h5, "/a", 1 << 20);
    write_long_text(h5, "/b", (1 << 20) + 1);
    write_long_text(h5, "/c", (16 << 20) + 1);
    write_long_text(h5, "/d", 0);
    ck_assert_int_eq(nm_h5_save(h5, path, true), NM_OK);
    nm_h5_free(h5);
    ck_assert_int_eq(nm_h5_open(ctx, path, true, &h5), NM_OK);
    ck_assert_int_eq(nm_h5_read_text(h5, "/a", &text), NM_OK);
    ck_assert_uint_eq(strlen(text), 1 << 20);
    nm_free(text);
    ck_assert_int_eq(nm_h5_read_text(h5, "/b", &text), NM_INVALID);
    ck_assert_int_eq(nm_h5_read_lines(h5, "/b", &text), NM_OK);
    ck_assert_uint_eq(strlen(text), (1 << 20) + 1);
    nm_free(text);
    ck_assert_int_eq(nm_h5_read_text(h5, "/d", &text), NM_OK);
    ck_assert_str_eq(text, "");
    nm_free(text);
    ck_assert_int_eq(nm_h5_read_lines(h5, "/c", &text), NM_INVALID);
    nm_h5_free(h5);
}
END_TEST

/* ---- rows of every storage are the right ones -------------------------------------------- */

enum { ROWS = 1000, LINE = 37 };

static void put_rows(hid_t file, const char *name, hid_t type, hid_t create, const double *values)
{
    hid_t space = H5Screate_simple(2, (hsize_t[]){ROWS, LINE}, NULL);
    hid_t set = H5Dcreate2(file, name, type, space, H5P_DEFAULT, create, H5P_DEFAULT);
    ck_assert(H5Dwrite(set, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, values) >= 0);
    H5Dclose(set);
    H5Sclose(space);
}

START_TEST(rows_of_every_storage)
{
    static double values[ROWS * LINE], found[ROWS * LINE];
    static const char *const names[] = {"/plain", "/other_order", "/packed", "/one_chunk", "/narrow"};
    hid_t file = create_file(), packed = chunked(2, (hsize_t[]){7, 10}), one = chunked(2, (hsize_t[]){ROWS, LINE});
    H5Pset_shuffle(packed);
    H5Pset_deflate(packed, 1);
    H5Pset_fletcher32(packed);
    for (int i = 0; i < ROWS * LINE; i++)
        values[i] = i;
    put_rows(file, names[0], H5T_IEEE_F64LE, H5P_DEFAULT, values);
    put_rows(file, names[1], H5T_IEEE_F64BE, H5P_DEFAULT, values);
    put_rows(file, names[2], H5T_IEEE_F32LE, packed, values);
    put_rows(file, names[3], H5T_STD_U64BE, one, values);
    put_rows(file, names[4], H5T_STD_I32LE, H5P_DEFAULT, values);
    H5Lcreate_hard(file, names[0], file, "/same", H5P_DEFAULT, H5P_DEFAULT);
    H5Fclose(file);
    nm_h5 *h5;
    ck_assert_int_eq(nm_h5_open(ctx, path, false, &h5), NM_OK);
    for (int i = 0; i < 5; i++) {
        memset(found, 0, sizeof found);
        ck_assert_int_eq(nm_h5_read(h5, names[i], NM_H5_F64, 2, (size_t[]){ROWS, LINE}, found), NM_OK);
        ck_assert_msg(memcmp(values, found, sizeof found) == 0, "%s", names[i]);
        memset(found, 0, sizeof found);
        ck_assert_int_eq(nm_h5_read_rows(h5, names[i], NM_H5_F64, 13, 600, found), NM_OK);
        ck_assert_msg(memcmp(values + 13 * LINE, found, sizeof(double) * 600 * LINE) == 0, "%s", names[i]);
        ck_assert_int_eq(nm_h5_read_rows(h5, names[i], NM_H5_F64, ROWS, 0, found), NM_OK);
        ck_assert_int_eq(nm_h5_read_rows(h5, names[i], NM_H5_F64, SIZE_MAX, 2, found), NM_INVALID);
        nm_errors_clear(ctx);
    }
    ck_assert_int_eq(nm_h5_read(h5, "/same", NM_H5_F64, 2, (size_t[]){ROWS, LINE}, found), NM_OK);
    ck_assert(memcmp(values, found, sizeof found) == 0);
    nm_h5_free(h5);
    H5Pclose(packed);
    H5Pclose(one);
}
END_TEST

static void set_up(TCase *tcase)
{
    tcase_add_checked_fixture(tcase, set_up_path, tear_down_path);
    tcase_add_loop_test(tcase, refused, 0, sizeof kinds / sizeof *kinds);
}

SUITE_WITH("h5_hostile", set_up, wrong_types, raised_limit, long_texts, rows_of_every_storage)
