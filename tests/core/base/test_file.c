/* What is opened for reading is a file; words and their numbers. */
#include "alloc.h"
#include "file.h"
#include "h5.h"
#include "lookup.h"
#include "run_suite.h"
#include "with_context.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static char folder[64];

static void make_folder(void)
{
    snprintf(folder, sizeof folder, "/tmp/norma-test-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    ck_assert_int_eq(chdir(folder), 0);
    struct sockaddr_un name = {.sun_family = AF_UNIX, .sun_path = "socket"};
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&name, sizeof name), 0);
    close(fd);
    ck_assert_int_eq(mkfifo("pipe", 0600), 0);
    ck_assert_int_eq(mkdir("folder", 0700), 0);
    ck_assert_int_eq(symlink("pipe", "link"), 0);
}

static void remove_folder(void)
{
    ck_assert_int_eq(unlink("socket") | unlink("pipe") | rmdir("folder") | unlink("link"), 0);
    ck_assert_int_eq(chdir("/"), 0);
    ck_assert_int_eq(rmdir(folder), 0);
}

static const struct {
    const char *path, *message;
} others[] = {
    {"folder", "folder: expected a file; found a folder"},
    {"pipe", "pipe: expected a file; found a pipe"},
    {"link", "link: expected a file; found a pipe"},
    {"socket", "socket: expected a file; found a socket"},
    {"/dev/zero", "/dev/zero: expected a file; found a device"},
    {"/dev/tty", "/dev/tty: expected a file; found a device"},
    {"/dev/null", "/dev/null: expected a file; found a device"},
};

static void gives(nm_status status, const char *message)
{
    ck_assert_int_eq(status, NM_INVALID);
    ck_assert_str_eq(nm_error_message(ctx, 0), message);
    nm_errors_clear(ctx);
}

START_TEST(no_file)
{
    const char *path = others[_i].path, *message = others[_i].message;
    char *bytes;
    size_t size;
    int fd;
    nm_h5 *h5;
    gives(nm_file_open(ctx, path, &fd), message);
    gives(nm_file_read(ctx, path, &bytes, &size), message);
    gives(nm_h5_open(ctx, path, true, &h5), message);
    gives(nm_h5_open(ctx, path, false, &h5), message);
    ck_assert_int_eq(nm_file_descriptor(path), -1);
    ck_assert_int_eq(errno, _i == 0 ? EISDIR : EINVAL);
    ck_assert_ptr_null(nm_file_stream(path));
}
END_TEST

/* Reading waits for what is not there yet, as it does for any file. */
START_TEST(a_file)
{
    int fd;
    char *bytes;
    size_t size;
    nm_bytes block = {"text", 4};
    ck_assert_int_eq(nm_file_replace(ctx, "file", &block, 1), NM_OK);
    ck_assert_int_eq(nm_file_open(ctx, "file", &fd), NM_OK);
    ck_assert_int_eq(fcntl(fd, F_GETFL) & O_NONBLOCK, 0);
    ck_assert_int_ne(fcntl(fd, F_GETFD) & FD_CLOEXEC, 0);
    close(fd);
    ck_assert_int_eq(nm_file_read_most(ctx, "file", 4, "a note", &bytes, &size), NM_OK);
    ck_assert_str_eq(bytes, "text");
    nm_free(bytes);
    gives(nm_file_read_most(ctx, "file", 3, "a note", &bytes, &size),
          "file: found 4 bytes; expected a note of at most 3");
    gives(nm_file_open(ctx, "nowhere", &fd), "nowhere: cannot open: No such file or directory");
    ck_assert_int_eq(unlink("file"), 0);
}
END_TEST

/* A file of somebody else's is never taken for one that norma left. */
START_TEST(names_of_temporaries)
{
    static const struct {
        const char *name;
        long process; /* 0: it is none */
    } table[] = {{".norma-12-0123456789abcdef.tmp", 12},
                 {".norma-12-0123456789abcdeg.tmp", 0},
                 {".norma-12-0123456789abcdef", 0},
                 {".norma-012-0123456789abcdef.tmp", 0},
                 {".norma-0-0123456789abcdef.tmp", 0},
                 {".norma--3-0123456789abcdef.tmp", 0},
                 {".norma-12.tmp", 0},
                 {".norma-x", 0},
                 {"norma-12-0123456789abcdef.tmp", 0}};
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        long process = 0;
        bool is = nm_file_is_temporary(table[i].name, &process);
        ck_assert_msg(is == (table[i].process > 0) && (!is || process == table[i].process), "%s", table[i].name);
    }
}
END_TEST

START_TEST(words)
{
    enum { MANY = 20000 };
    static char word[MANY][8];
    nm_lookup lookup = {0};
    ck_assert_ptr_null(nm_lookup_find(&lookup, "w1"));
    for (int i = 0; i < MANY; i++) {
        snprintf(word[i], sizeof word[i], "w%d", i);
        ck_assert_int_eq(nm_lookup_add(ctx, &lookup, word[i], i), NM_OK);
    }
    ck_assert_int_eq(nm_lookup_add(ctx, &lookup, "w7", 0), NM_OK);
    for (int i = 0; i < MANY; i++)
        ck_assert_int_eq(*nm_lookup_find(&lookup, word[i]), i);
    ck_assert_ptr_null(nm_lookup_find(&lookup, "v"));
    *nm_lookup_find(&lookup, "w3") = 4;
    ck_assert_int_eq(*nm_lookup_find(&lookup, "w3"), 4);
    nm_lookup_free(&lookup);
    ck_assert_ptr_null(nm_lookup_find(&lookup, "w3"));
}
END_TEST

static void set_up(TCase *tcase)
{
    with_context(tcase);
    tcase_add_checked_fixture(tcase, make_folder, remove_folder);
    tcase_add_loop_test(tcase, no_file, 0, (int)(sizeof others / sizeof *others));
}

SUITE_WITH("file", set_up, a_file, words, names_of_temporaries)
