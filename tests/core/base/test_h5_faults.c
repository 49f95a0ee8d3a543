/* An HDF5 file is read and built with each call of the library and of the system failing in turn:
 * what is read is right, or there is a message that names the file; no process stays behind, and
 * the same is done afterwards. */
#include "h5_call_faults.h"
#include "h5_support.h"

#include <stdlib.h>

/* ---- the work ------------------------------------------------------------------------------ */

enum { ROWS = 20, LINE = 6, COUNT = ROWS * LINE };
static double values[COUNT];
static char second[80]; /* a file without user block: chunks are found in the file itself */

static void put_values(hid_t file, const char *name, hid_t type, hid_t create)
{
    hid_t space = H5Screate_simple(2, (hsize_t[]){ROWS, LINE}, NULL);
    hid_t set = H5Dcreate2(file, name, type, space, H5P_DEFAULT, create, H5P_DEFAULT);
    ck_assert(H5Dwrite(set, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, values) >= 0);
    H5Dclose(set);
    H5Sclose(space);
    if (create != H5P_DEFAULT)
        H5Pclose(create);
}

static void put_words(hid_t file)
{
    hid_t type = H5Tcopy(H5T_C_S1), space = H5Screate_simple(1, (hsize_t[]){2}, NULL);
    H5Tset_size(type, 4);
    hid_t set = H5Dcreate2(file, "/words", type, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    ck_assert(H5Dwrite(set, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, "cat\0dog") >= 0);
    H5Dclose(set);
    H5Sclose(space);
    H5Tclose(type);
}

static nm_status build(void)
{
    nm_h5 *h5;
    NM_TRY(nm_h5_new(ctx, path, &h5));
    nm_status status = nm_h5_group(h5, "/group");
    if (status == NM_OK)
        status = nm_h5_write(h5, "/group/numbers", NM_H5_F64, 2, (size_t[]){ROWS, LINE}, values);
    if (status == NM_OK)
        status = nm_h5_write_text(h5, "/text", "one\ntwo\n");
    if (status == NM_OK)
        status = nm_h5_note_text(h5, "/", "kind", "test");
    if (status == NM_OK)
        status = nm_h5_note_int(h5, "/group", "version", 3);
    if (status == NM_OK)
        status = nm_h5_save(h5, path, true);
    nm_h5_free(h5);
    return status;
}

static void begin(void)
{
    for (int i = 0; i < COUNT; i++)
        values[i] = i;
    ck_assert_int_eq(build(), NM_OK);
    hid_t file = H5Fopen(path, H5F_ACC_RDWR, H5P_DEFAULT), packed = chunked(2, (hsize_t[]){7, 4});
    H5Pset_deflate(packed, 1);
    put_values(file, "/packed", H5T_IEEE_F32LE, packed);
    put_values(file, "/tiles", H5T_IEEE_F64LE, chunked(2, (hsize_t[]){7, 4}));
    put_values(file, "/lines", H5T_IEEE_F64LE, chunked(2, (hsize_t[]){7, LINE}));
    put_words(file);
    H5Fclose(file);
    snprintf(second, sizeof second, "%s-second", path);
    file = H5Fcreate(second, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    put_values(file, "/lines", H5T_IEEE_F64LE, chunked(2, (hsize_t[]){7, LINE}));
    H5Fclose(file);
    wrong = mmap(NULL, sizeof *wrong, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    ck_assert(wrong != MAP_FAILED);
}

static nm_status read_values(nm_h5 *h5, const char *name)
{
    double found[COUNT] = {0};
    NM_TRY(nm_h5_read(h5, name, NM_H5_F64, 2, (size_t[]){ROWS, LINE}, found));
    ck_assert_msg(memcmp(found, values, sizeof found) == 0, "%s: other numbers", name);
    return NM_OK;
}

static nm_status read_numbers(nm_h5 *h5)
{
    static const char *const names[] = {"/group/numbers", "/packed", "/tiles", "/lines"};
    for (int i = 0; i < 4; i++)
        NM_TRY(read_values(h5, names[i]));
    return NM_OK;
}

static nm_status check_text(nm_status status, char **text, const char *expected)
{
    if (status == NM_OK)
        ck_assert_str_eq(*text, expected);
    nm_free(*text);
    return status;
}

static nm_status read_texts(nm_h5 *h5)
{
    char *text;
    int64_t version;
    NM_TRY(check_text(nm_h5_read_text(h5, "/text", &text), &text, "one\ntwo\n"));
    NM_TRY(check_text(nm_h5_read_lines(h5, "/text", &text), &text, "one\ntwo"));
    NM_TRY(check_text(nm_h5_read_lines(h5, "/words", &text), &text, "cat\ndog"));
    NM_TRY(check_text(nm_h5_read_note_text(h5, "/", "kind", &text), &text, "test"));
    NM_TRY(nm_h5_read_note_int(h5, "/group", "version", &version));
    ck_assert_int_eq(version, 3);
    return NM_OK;
}

static nm_status read_second(void)
{
    nm_h5 *h5;
    NM_TRY(nm_h5_open(ctx, second, false, &h5));
    float found[COUNT] = {0};
    nm_status status = read_values(h5, "/lines");
    if (status == NM_OK)
        status = nm_h5_read(h5, "/lines", NM_H5_F32, 2, (size_t[]){ROWS, LINE}, found);
    if (status == NM_OK)
        ck_assert(found[COUNT - 1] == (float)values[COUNT - 1]);
    nm_h5_free(h5);
    return status;
}

/* All that is in the table is in the file too: a process is started again for another type. */
static nm_status read_verified(void)
{
    nm_h5 *h5;
    float found[COUNT] = {0};
    NM_TRY(nm_h5_open(ctx, path, true, &h5));
    nm_status status = nm_h5_read(h5, "/group/numbers", NM_H5_F32, 2, (size_t[]){ROWS, LINE}, found);
    for (int i = 0; i < COUNT && status == NM_OK; i++)
        ck_assert(found[i] == (float)values[i]);
    nm_h5_free(h5);
    return status;
}

static nm_status read_all(void)
{
    nm_h5 *h5;
    NM_TRY(read_second());
    NM_TRY(nm_h5_open(ctx, path, false, &h5));
    nm_status status = read_numbers(h5);
    if (status == NM_OK)
        status = read_texts(h5);
    nm_h5_free(h5);
    return status;
}

/* ---- what must hold ------------------------------------------------------------------------ */

static nm_status run_with_fault(nm_status (*work)(void), const char *name, int at, int error)
{
    atomic_store(&wrong->seen, 0);
    wrong->name = name;
    wrong->at = at;
    wrong->error = error;
    wrong->on = true;
    nm_status status = work();
    wrong->on = false;
    ck_assert_msg(status == NM_OK || (nm_error_count(ctx) == 1 && strstr(nm_error_message(ctx, 0), path)),
                  "%s %d, error %d: status %d, %d messages: %s", name, at, error, status, nm_error_count(ctx),
                  nm_error_count(ctx) ? nm_error_message(ctx, 0) : "");
    nm_errors_clear(ctx);
    bool lost = strcmp(name, "waitpid") == 0 && error != EINTR; /* the system says that there is no child */
    while (waitpid(-1, NULL, 0) > 0)
        ck_assert_msg(lost, "%s %d, error %d: a process stays behind", name, at, error);
    return status;
}

/* How many of all calls went wrong with a message. */
static int fail_each(nm_status (*work)(void), const char *name, int error)
{
    int told = 0;
    for (int k = 1;; k += 1 + k / 6) {
        told += run_with_fault(work, name, k, error) != NM_OK;
        if (atomic_load(&wrong->seen) < k)
            return told;
        nm_status after = k == 1 ? work() : NM_OK;
        ck_assert_msg(after == NM_OK, "after %s: %s", name, nm_error_message(ctx, 0));
    }
}

/* Those without which something else is done are not told. */
static const struct {
    const char *name;
    int error;
    bool tolerated;
} calls[] = {
    {"socketpair", EMFILE, false},
    {"fork", EAGAIN, false},
    {"mmap", ENOMEM, false},
    {"poll", EINTR, true},
    {"poll", 0, true},
    {"poll", ENOMEM, false},
    {"waitpid", EINTR, true},
    {"waitpid", ECHILD, true},
    {"send", EINTR, true},
    {"send", EPIPE, false},
    {"read", EINTR, true},
    {"read", EIO, false},
    {"read", 0, false},
    {"pread", EINTR, true},
    {"pread", EIO, false},
    {"pread", 0, false},
    {"prctl", EINVAL, false},
    {"getrlimit", EPERM, true},
    {"fopen", EMFILE, true},
    {"syscall", ENOSYS, true},
    {"H5Fopen", 0, false},
    {"H5Gopen2", 0, false},
    {"H5Oopen", 0, false},
    {"H5Oget_info2", 0, false},
    {"H5Literate", 0, false},
    {"H5Aiterate2", 0, false},
    {"H5Aopen", 0, false},
    {"H5Aget_type", 0, false},
    {"H5Aget_space", 0, false},
    {"H5Aread", 0, false},
    {"H5Dopen2", 0, false},
    {"H5Dget_type", 0, false},
    {"H5Dget_space", 0, false},
    {"H5Dget_create_plist", 0, false},
    {"H5Dget_offset", 0, true},
    {"H5Dget_storage_size", 0, true},
    {"H5Dget_chunk_info_by_coord", 0, false},
    {"H5Dread", 0, false},
    {"H5Sget_simple_extent_type", 0, false},
    {"H5Sget_simple_extent_ndims", 0, false},
    {"H5Sget_simple_extent_dims", 0, false},
    {"H5Sget_simple_extent_npoints", 0, false},
    {"H5Screate_simple", 0, false},
    {"H5Sselect_hyperslab", 0, false},
    {"H5Tget_class", 0, false},
    {"H5Tget_size", 0, false},
    {"H5Tequal", 0, true},
    {"H5Tis_variable_str", 0, false},
    {"H5Pcreate", 0, false},
    {"H5Pget_layout", 0, false},
    {"H5Pget_nfilters", 0, true},
    {"H5Pget_chunk", 0, false},
};
enum { CALLS = sizeof calls / sizeof *calls };

START_TEST(each_call_of_reading)
{
    begin();
    ck_assert_int_eq(read_all(), NM_OK);
    int told = fail_each(read_all, calls[_i].name, calls[_i].error);
    ck_assert_msg(calls[_i].tolerated ? told == 0 : told > 0, "%s, error %d: told %d times", calls[_i].name,
                  calls[_i].error, told);
}
END_TEST

START_TEST(each_call_of_building)
{
    static const char *const names[] = {"H5Fcreate",  "H5Fflush",        "H5Fget_file_image", "H5Gcreate2",
                                        "H5Dcreate2", "H5Dwrite",        "H5Acreate2",        "H5Awrite",
                                        "H5Oopen",    "H5Screate_simple"};
    begin();
    ck_assert_int_eq(build(), NM_OK);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        ck_assert_msg(fail_each(build, names[i], 0) > 0, "%s", names[i]);
}
END_TEST

START_TEST(each_call_of_verifying)
{
    static const struct {
        const char *name;
        int error;
    } table[] = {{"pread", EIO}, {"pread", 0}, {"fork", EAGAIN}, {"mmap", ENOMEM}, {"socketpair", EMFILE}};
    begin();
    ck_assert_int_eq(build(), NM_OK);
    ck_assert_int_eq(read_verified(), NM_OK);
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        ck_assert_msg(fail_each(read_verified, table[i].name, table[i].error) > 0, "%s", table[i].name);
}
END_TEST

static void tear_down(void)
{
    unlink(second);
    tear_down_path();
}

static void set_up(TCase *tcase)
{
    tcase_add_checked_fixture(tcase, set_up_path, tear_down);
    tcase_add_loop_test(tcase, each_call_of_reading, 0, CALLS);
}

SUITE_WITH("h5_faults", set_up, each_call_of_building, each_call_of_verifying)
