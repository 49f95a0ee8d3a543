/* From which checkpoint a run goes on, and that nothing is started over what cannot be looked at.
 */
#include "train_support.h"

#include <errno.h>
#include <fcntl.h>

/* In the C library's place: fails for paths that end so. */
static const char *failing = "";
static int why;

int lstat(const char *path, struct stat *st)
{
    size_t length = strlen(path), end = strlen(failing);
    if (end && length >= end && strcmp(path + length - end, failing) == 0) {
        errno = why;
        return -1;
    }
    return fstatat(AT_FDCWD, path, st, AT_SYMLINK_NOFOLLOW);
}

static char logged[4096];

static void keep_log(void *arg, const char *line)
{
    (void)arg;
    strncat(logged, line, sizeof logged - strlen(logged) - 2);
    strcat(logged, "\n");
}

static void begin(const char *const *settings)
{
    nm_train_result r;
    ck_assert_done(train_with(SMALL_MODEL, in_folder("run"), false, NULL, settings, &r));
    free_result(&r);
    nm_context_set_log(ctx, keep_log, NULL);
}

static nm_status go_on(const char *const *settings, bool resume)
{
    nm_train_result r = {0};
    logged[0] = '\0';
    nm_status status = train_with(SMALL_MODEL, in_folder("run"), resume, NULL, settings, &r);
    free_result(&r);
    return status;
}

static void cut(const char *name)
{
    size_t size;
    char *bytes = content(in_folder(name), &size);
    write_content(in_folder(name), bytes, size / 2);
    nm_free(bytes);
}

/* best.h5 of the run's end has the row of it, which is no part of the run's state. */
START_TEST(a_numbered_one_comes_before_the_best)
{
    begin(SETTINGS("train.steps=4"));
    char whole[65];
    strcpy(whole, digest_of(in_folder("run/last.h5")));
    ck_assert_int_eq(unlink(in_folder("run/last.h5")), 0);
    ck_assert_done(go_on(SETTINGS("train.steps=4"), true));
    ck_assert_msg(strstr(logged, "goes on from step-00000004.h5"), "%s", logged);
    ck_assert_str_eq(digest_of(in_folder("run/last.h5")), whole);
}
END_TEST

/* Any error but ENOENT: the file may be there. */
START_TEST(what_cannot_be_looked_at_is_not_replaced)
{
    static const char *const names[] = {"/last.h5", "/best.h5", "/metrics.csv"};
    static const int errors[] = {EIO, EACCES, ELOOP, ENOMEM, ENOTDIR};
    begin(SETTINGS("train.steps=4"));
    char before[65], rows[65];
    strcpy(before, digest_of(in_folder("run/last.h5")));
    strcpy(rows, digest_of(in_folder("run/metrics.csv")));
    for (size_t n = 0; n < sizeof names / sizeof *names; n++)
        for (size_t e = 0; e < sizeof errors / sizeof *errors; e++) {
            failing = names[n];
            why = errors[e];
            nm_status status = go_on(SETTINGS("train.steps=2"), true);
            failing = "";
            ck_assert_int_eq(status, NM_FAILED);
            assert_message(WORDS(names[n], "whether it is there cannot be told", strerror(errors[e])));
            ck_assert_str_eq(digest_of(in_folder("run/last.h5")), before);
            ck_assert_str_eq(digest_of(in_folder("run/metrics.csv")), rows);
        }
    failing = "/last.h5"; /* a new run too */
    why = EIO;
    nm_status status = go_on(NULL, false);
    failing = "";
    ck_assert_int_eq(status, NM_FAILED);
    nm_errors_clear(ctx);
    ck_assert_done(go_on(SETTINGS("train.steps=5"), true));
}
END_TEST

START_TEST(the_newest_whole_one_is_taken)
{
    begin(SETTINGS("train.steps=9", "train.keep=9"));
    char whole[65];
    strcpy(whole, digest_of(in_folder("run/last.h5")));
    ck_assert_int_eq(unlink(in_folder("run/last.h5")), 0);
    ck_assert_int_eq(unlink(in_folder("run/best.h5")), 0);
    ck_assert_int_eq(go_on(SETTINGS("train.steps=9"), false), NM_INVALID);
    assert_message(WORDS("last.h5 is missing", "step-00000009.h5", "--resume"));
    cut("run/step-00000009.h5");
    ck_assert_done(go_on(SETTINGS("train.steps=9", "train.keep=9"), true));
    ck_assert_msg(strstr(logged, "step-00000009.h5: damaged or cut") && strstr(logged, "passed over") &&
                      strstr(logged, "goes on from step-00000006.h5"),
                  "%s", logged);
    ck_assert_str_eq(digest_of(in_folder("run/last.h5")), whole);
    ck_assert_str_eq(digest_of(in_folder("run/step-00000009.h5")), whole);
}
END_TEST

START_TEST(nothing_whole_is_left)
{
    begin(SETTINGS("train.steps=3", "train.eval_every=2"));
    char rows[65];
    strcpy(rows, digest_of(in_folder("run/metrics.csv")));
    unlink(in_folder("run/last.h5"));
    cut("run/step-00000003.h5");
    cut("run/best.h5");
    ck_assert_int_eq(go_on(SETTINGS("train.steps=5"), true), NM_INVALID);
    assert_message(WORDS("last.h5 is missing", "damaged"));
    unlink(in_folder("run/step-00000003.h5"));
    unlink(in_folder("run/best.h5"));
    for (int resume = 0; resume < 2; resume++) {
        ck_assert_int_eq(go_on(SETTINGS("train.steps=5"), resume), NM_INVALID);
        assert_message(WORDS("metrics.csv has rows", "no checkpoint", "--run"));
    }
    ck_assert_str_eq(digest_of(in_folder("run/metrics.csv")), rows);
}
END_TEST

/* As a process leaves it that is killed before its first checkpoint: nothing was trained. */
START_TEST(a_run_that_had_not_begun)
{
    begin(SETTINGS("train.steps=0", "train.epochs=1"));
    size_t size;
    char *text = content(in_folder("run/metrics.csv"), &size);
    DIR *d = opendir(in_folder("run"));
    for (struct dirent *entry; (entry = readdir(d));)
        if (strstr(entry->d_name, ".h5")) {
            char name[300];
            snprintf(name, sizeof name, "run/%s", entry->d_name);
            unlink(in_folder(name));
        }
    closedir(d);
    write_content(in_folder("run/metrics.csv"), text, strcspn(text, "\n") + 1);
    nm_free(text);
    ck_assert_done(go_on(SETTINGS("train.steps=2"), true));
    ck_assert_msg(strstr(logged, "starting at step 0"), "%s", logged);
}
END_TEST

SUITE_WITH("run start", with_folder, what_cannot_be_looked_at_is_not_replaced, a_numbered_one_comes_before_the_best,
           the_newest_whole_one_is_taken, nothing_whole_is_left, a_run_that_had_not_begun)
