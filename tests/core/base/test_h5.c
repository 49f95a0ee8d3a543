/* HDF5 files and whole files: what was written comes back; what is not there or not right is
 * reported, silently otherwise. */
#include "alloc.h"
#include "file.h"
#include "h5.h"
#include "run_suite.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static nm_context *ctx;
static char path[64];

static void set_up_path(void)
{
    ctx = nm_context_new();
    snprintf(path, sizeof path, "/tmp/norma-test-XXXXXX");
    int fd = mkstemp(path);
    ck_assert_int_ge(fd, 0);
    close(fd);
}

static void tear_down_path(void)
{
    unlink(path);
    nm_context_free(ctx);
}

#define ck_assert_done(call) ck_assert_msg((call) == NM_OK, "%s", nm_error_message(ctx, 0))

static void assert_refused(nm_status status, const char *words)
{
    ck_assert_int_eq(status, NM_INVALID);
    ck_assert_int_ge(nm_error_count(ctx), 1);
    ck_assert_msg(strstr(nm_error_message(ctx, 0), words) != NULL, "'%s' is not in: %s", words,
                  nm_error_message(ctx, 0));
    nm_errors_clear(ctx);
}

static void write_some(bool digest)
{
    static const float values[6] = {1, 2, 3, 4, 5, 6.5};
    static const uint64_t large = UINT64_MAX;
    nm_h5 *h5;
    ck_assert_done(nm_h5_new(ctx, path, &h5));
    ck_assert_done(nm_h5_group(h5, "/empty"));
    ck_assert_done(nm_h5_write(h5, "/a/b/values", NM_H5_F32, 2, (size_t[]){3, 2}, values));
    ck_assert_done(nm_h5_write(h5, "/a/none", NM_H5_F64, 1, (size_t[]){0}, values));
    ck_assert_done(nm_h5_write(h5, "/large", NM_H5_U64, 0, NULL, &large));
    ck_assert_done(nm_h5_write_text(h5, "/text", "größer than ASCII\n"));
    ck_assert_done(nm_h5_note_text(h5, "/", "format", "test"));
    ck_assert_done(nm_h5_note_int(h5, "/a/b/values", "number", -7));
    ck_assert_done(nm_h5_save(h5, path, digest));
    nm_h5_free(h5);
}

static nm_status count_entry(void *arg, const char *name, bool is_group)
{
    char *all = arg;
    strcat(all, name);
    strcat(all, is_group ? "/ " : " ");
    return NM_OK;
}

static void read_some(bool digest)
{
    nm_h5 *h5;
    ck_assert_done(nm_h5_open(ctx, path, digest, &h5));
    double values[6];
    ck_assert_done(nm_h5_read(h5, "/a/b/values", NM_H5_F64, 2, (size_t[]){3, 2}, values));
    ck_assert(values[0] == 1 && values[5] == 6.5);
    ck_assert_done(nm_h5_read_rows(h5, "/a/b/values", NM_H5_F64, 1, 1, values));
    ck_assert(values[0] == 3 && values[1] == 4);
    int32_t whole[6]; /* floats are never cut to integers */
    ck_assert_int_eq(nm_h5_read(h5, "/a/b/values", NM_H5_I32, 2, (size_t[]){3, 2}, whole), NM_INVALID);
    ck_assert(strstr(nm_error_message(ctx, 0), "/a/b/values: expected whole numbers, found float32") != NULL);
    nm_errors_clear(ctx);
    ck_assert_int_eq(nm_h5_read(h5, "/large", NM_H5_U8, 0, NULL, whole), NM_INVALID);
    nm_errors_clear(ctx);
    uint64_t large = 0;
    ck_assert_done(nm_h5_read(h5, "/large", NM_H5_U64, 0, NULL, &large));
    ck_assert(large == UINT64_MAX);
    char *text;
    ck_assert_done(nm_h5_read_text(h5, "/text", &text));
    ck_assert_str_eq(text, "größer than ASCII\n");
    nm_free(text);
    int64_t number;
    ck_assert_done(nm_h5_read_note_int(h5, "/a/b/values", "number", &number));
    ck_assert_int_eq(number, -7);
    nm_h5_shape shape;
    ck_assert_done(nm_h5_look(h5, "/a/none", &shape));
    ck_assert(shape.rank == 1 && shape.count == 0 && shape.type == NM_H5_F64);
    char entries[128] = "";
    ck_assert_done(nm_h5_each(h5, "/", count_entry, entries));
    ck_assert_str_eq(entries, "a/ empty/ large text ");
    nm_h5_free(h5);
}

START_TEST(round_trip)
{
    write_some(_i);
    read_some(_i);
}
END_TEST

START_TEST(most_dimensions)
{
    static const float values[4] = {1, 2, 3, 4};
    const size_t dims[NM_H5_MAX_RANK] = {1, 2, 1, 1, 1, 1, 1, 2};
    float read[4] = {0};
    nm_h5 *h5;
    ck_assert_done(nm_h5_new(ctx, path, &h5));
    ck_assert_done(nm_h5_write(h5, "/x", NM_H5_F32, NM_H5_MAX_RANK, dims, values));
    ck_assert_done(nm_h5_save(h5, path, false));
    nm_h5_free(h5);
    ck_assert_done(nm_h5_open(ctx, path, false, &h5));
    ck_assert_done(nm_h5_read(h5, "/x", NM_H5_F32, NM_H5_MAX_RANK, dims, read));
    ck_assert_mem_eq(read, values, sizeof values);
    nm_h5_free(h5);
}
END_TEST

START_TEST(wrong_questions)
{
    nm_h5 *h5;
    float values[6];
    char *text;
    int64_t number;
    write_some(true);
    ck_assert_done(nm_h5_open(ctx, path, true, &h5));
    assert_refused(nm_h5_read(h5, "/a/c/values", NM_H5_F32, 2, (size_t[]){3, 2}, values), "/a/c/values is missing");
    assert_refused(nm_h5_read(h5, "/text/x", NM_H5_F32, 0, NULL, values), "/text/x is missing");
    assert_refused(nm_h5_read(h5, "/a/b/values", NM_H5_F32, 2, (size_t[]){2, 3}, values), "expected 2x3, found 3x2");
    assert_refused(nm_h5_read(h5, "/a/b/values", NM_H5_F32, 0, NULL, values), "expected one number, found 3x2");
    assert_refused(nm_h5_read(h5, "/text", NM_H5_F32, 0, NULL, values), "expected numbers, found text");
    assert_refused(nm_h5_read(h5, "/a", NM_H5_F32, 0, NULL, values), "/a");
    assert_refused(nm_h5_read_rows(h5, "/a/b/values", NM_H5_F32, 2, 2, values), "at least 4 entries, found 3");
    assert_refused(nm_h5_read_text(h5, "/large", &text), "expected text");
    assert_refused(nm_h5_read_note_text(h5, "/", "none", &text), "attribute 'none' is missing");
    assert_refused(nm_h5_read_note_int(h5, "/", "format", &number), "not a whole number");
    nm_h5_free(h5);
    assert_refused(nm_h5_open(ctx, "/dev/null", false, &h5), "/dev/null");
    assert_refused(nm_h5_open(ctx, "/nowhere/x.h5", false, &h5), "/nowhere/x.h5: cannot open");
}
END_TEST

/* Two threads with a context each: the library under it may have been built without thread safety,
 * and a process is started for each file that is read while the other thread is in the library. */
typedef struct thread_of_files {
    char path[80];
    int done;
} thread_of_files;

static nm_status write_and_read_once(nm_context *own, const char *name, double number)
{
    nm_h5 *h5;
    double value = 0;
    NM_TRY(nm_h5_new(own, name, &h5));
    nm_status status = nm_h5_write(h5, "/a/b", NM_H5_F64, 0, NULL, &number);
    if (status == NM_OK)
        status = nm_h5_save(h5, name, true);
    nm_h5_free(h5);
    NM_TRY(status);
    NM_TRY(nm_h5_open(own, name, true, &h5));
    status = nm_h5_read(h5, "/a/b", NM_H5_F64, 0, NULL, &value);
    if (nm_h5_read(h5, "/a/c", NM_H5_F64, 0, NULL, &value) == NM_OK || value != number)
        status = NM_FAILED;
    nm_h5_free(h5);
    return status;
}

static void *write_and_read(void *arg)
{
    thread_of_files *t = arg;
    nm_context *own = nm_context_new();
    for (int k = 0; k < 50; k++)
        t->done += write_and_read_once(own, t->path, k) == NM_OK;
    nm_context_free(own);
    return NULL;
}

START_TEST(two_threads)
{
    pthread_t thread;
    thread_of_files files[2] = {0};
    for (int i = 0; i < 2; i++)
        snprintf(files[i].path, sizeof files[i].path, "%s-%d", path, i);
    pthread_create(&thread, NULL, write_and_read, &files[0]);
    write_and_read(&files[1]);
    pthread_join(thread, NULL);
    for (int i = 0; i < 2; i++)
        unlink(files[i].path);
    ck_assert(files[0].done == 50 && files[1].done == 50);
}
END_TEST

START_TEST(replaced_whole)
{
    char *bytes;
    size_t size;
    nm_bytes blocks[2] = {{"abc", 3}, {"defg", 4}};
    ck_assert_done(nm_file_replace(ctx, path, blocks, 2));
    ck_assert_done(nm_file_read(ctx, path, &bytes, &size));
    ck_assert_uint_eq(size, 7);
    ck_assert_str_eq(bytes, "abcdefg");
    nm_free(bytes);
    char other[80];
    snprintf(other, sizeof other, "%s-2", path);
    for (int k = 0; k < 2; k++) { /* also where it is a name of the same file already */
        ck_assert_done(nm_file_link(ctx, path, other));
        ck_assert_done(nm_file_read(ctx, other, &bytes, &size));
        ck_assert_str_eq(bytes, "abcdefg");
        nm_free(bytes);
    }
    ck_assert_done(nm_file_replace(ctx, path, blocks, 1)); /* the other name keeps the old content */
    ck_assert_done(nm_file_read(ctx, other, &bytes, &size));
    ck_assert_str_eq(bytes, "abcdefg");
    nm_free(bytes);
    unlink(other);
    assert_refused(nm_file_read(ctx, "/tmp", &bytes, &size), "expected a file; found a folder");
}
END_TEST

START_TEST(known_digest)
{
    char text[NM_DIGEST_SIZE];
    nm_digest((nm_bytes[]){{"a", 1}, {"bc", 2}}, 2, text); /* FIPS 180-2, example B.1: "abc" */
    ck_assert_str_eq(text, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}
END_TEST

static void set_up(TCase *tcase)
{
    tcase_add_checked_fixture(tcase, set_up_path, tear_down_path);
    tcase_add_loop_test(tcase, round_trip, 0, 2);
}

SUITE_WITH("h5", set_up, most_dimensions, wrong_questions, two_threads, replaced_whole, known_digest)
