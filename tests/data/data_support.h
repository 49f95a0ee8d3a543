/* What the tests of data share: a folder of their own and files in it. */
#ifndef DATA_SUPPORT_H
#define DATA_SUPPORT_H

#include "alloc.h"
#include "dataset.h"
#include "run_suite.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

static nm_context *ctx;
static char folder[64];

static void enter_folder(void)
{
    ctx = nm_context_new();
    snprintf(folder, sizeof folder, "/tmp/norma-test-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    ck_assert_int_eq(chdir(folder), 0);
    setenv("HOME", folder, 1);
    unsetenv("NORMA_DATA");
    unsetenv("XDG_DATA_HOME");
}

static void leave_folder(void)
{
    char command[128];
    nm_context_free(ctx);
    ck_assert_int_eq(chdir("/"), 0);
    snprintf(command, sizeof command, "rm -rf %s", folder);
    ck_assert_int_eq(system(command), 0);
}

static void in_own_folder(TCase *tcase)
{
    tcase_add_checked_fixture(tcase, enter_folder, leave_folder);
}

#define ck_assert_done(call) ck_assert_msg((call) == NM_OK, "%s", nm_error_message(ctx, 0))

/* The call is refused with a message that holds all of the words. */
#define ck_assert_refused(call, status_, ...)                                                                          \
    do {                                                                                                               \
        nm_errors_clear(ctx);                                                                                          \
        ck_assert_int_eq(call, status_);                                                                               \
        const char *words_[] = {__VA_ARGS__};                                                                          \
        for (size_t i_ = 0; i_ < sizeof words_ / sizeof *words_; i_++)                                                 \
            ck_assert_msg(strstr(nm_error_message(ctx, 0), words_[i_]) != NULL, "expected '%s' in: %s", words_[i_],    \
                          nm_error_message(ctx, 0));                                                                   \
    } while (0)

static inline void write_bytes(const char *path, const void *bytes, size_t size)
{
    FILE *f = fopen(path, "wb");
    ck_assert_ptr_nonnull(f);
    ck_assert_uint_eq(fwrite(bytes, 1, size, f), size);
    ck_assert_int_eq(fclose(f), 0);
}

static inline void write_gzip(const char *path, const void *bytes, size_t size)
{
    gzFile f = gzopen(path, "wb1");
    ck_assert_ptr_nonnull(f);
    ck_assert_int_eq(gzwrite(f, bytes, (unsigned)size), (int)size);
    ck_assert_int_eq(gzclose(f), Z_OK);
}

#endif
