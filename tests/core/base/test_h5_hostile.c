/* HDF5 files that lead out of themselves, ask for memory that they have no bytes for, or are built
 * as norma never builds them: a file of each kind, refused with one message. */
#include "h5_support.h"

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

/* What the library keeps of a dataset goes with it, so that any number of them is read in the
 * memory for a few. */
START_TEST(many_datasets_in_little_memory)
{
    enum { SETS = 150, SIZE = 1000000 }; /* the library keeps chunks of up to 1 MiB */
    static uint8_t row[SIZE];
    hid_t file = create_file(), space = H5Screate_simple(2, (hsize_t[]){1, SIZE}, NULL);
    hid_t packed = chunked(2, (hsize_t[]){1, SIZE});
    H5Pset_deflate(packed, 1);
    char name[16];
    for (int k = 0; k < SETS; k++) {
        row[SIZE - 1] = (uint8_t)(k + 1);
        snprintf(name, sizeof name, "/x%d", k);
        hid_t set = H5Dcreate2(file, name, H5T_NATIVE_UINT8, space, H5P_DEFAULT, packed, H5P_DEFAULT);
        ck_assert(H5Dwrite(set, H5T_NATIVE_UINT8, H5S_ALL, H5S_ALL, H5P_DEFAULT, row) >= 0);
        H5Dclose(set);
    }
    H5Pclose(packed);
    H5Sclose(space);
    H5Fclose(file);
    nm_h5 *h5;
    nm_context_set_max_memory(ctx, (size_t)64 << 20);
    ck_assert_int_eq(nm_h5_open(ctx, path, false, &h5), NM_OK);
    for (int k = 0; k < SETS; k++) {
        snprintf(name, sizeof name, "/x%d", k);
        nm_status status = nm_h5_read(h5, name, NM_H5_U8, 2, (size_t[]){1, SIZE}, row);
        ck_assert_msg(status == NM_OK, "%s: %s", name, nm_error_message(ctx, 0));
        ck_assert_uint_eq(row[SIZE - 1], k + 1);
    }
    nm_h5_free(h5);
}
END_TEST

static void set_up(TCase *tcase)
{
    tcase_add_checked_fixture(tcase, set_up_path, tear_down_path);
    tcase_add_loop_test(tcase, refused, 0, sizeof kinds / sizeof *kinds);
}

SUITE_WITH("h5_hostile", set_up, raised_limit, many_datasets_in_little_memory)
