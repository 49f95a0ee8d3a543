/* The run directory: one process at a time, nothing is lost, nothing wrong is gone on from. */
#include "run_dir.h"
#include "train_support.h"

#include <errno.h>
#include <signal.h>
#include <sys/resource.h>

START_TEST(one_process_a_run)
{
    nm_run_dir *run;
    nm_train_result r;
    char pid[32];
    snprintf(pid, sizeof pid, "process %ld", (long)getpid());
    ck_assert_done(nm_run_dir_open(ctx, in_folder("run"), false, &run));
    ck_assert_int_eq(train_with(SMALL_MODEL, in_folder("run"), true, NULL, NULL, &r), NM_INVALID);
    assert_message(WORDS("run", "in use", pid));
    nm_run_dir_close(run);
    ck_assert_done(train_with(SMALL_MODEL, in_folder("run"), true, NULL, SETTINGS("train.steps=1"), &r));
    free_result(&r);
}
END_TEST

START_TEST(nothing_is_replaced)
{
    nm_train_result r;
    const char *const one[] = {"train.steps=1", NULL};
    ck_assert_done(train_with(SMALL_MODEL, in_folder("run"), false, NULL, one, &r));
    free_result(&r);
    char before[65];
    strcpy(before, digest_of(in_folder("run/last.h5")));
    ck_assert_int_eq(train_with(SMALL_MODEL, in_folder("run"), false, NULL, one, &r), NM_INVALID);
    assert_message(WORDS("run", "holds a run already", "--resume"));
    ck_assert_str_eq(digest_of(in_folder("run/last.h5")), before);

    ck_assert_int_eq(mkdir(in_folder("mine"), 0777), 0);
    write_content(in_folder("mine/model.yaml"), "precious", 8);
    ck_assert_int_eq(train_with(SMALL_MODEL, in_folder("mine"), false, NULL, one, &r), NM_INVALID);
    assert_message(WORDS("mine", "not a run directory", "model.yaml"));
    size_t size;
    char *text = content(in_folder("mine/model.yaml"), &size);
    ck_assert_str_eq(text, "precious");
    nm_free(text);

    write_content(in_folder("file"), "", 0);
    ck_assert_int_eq(train_with(SMALL_MODEL, in_folder("file/run"), false, NULL, one, &r), NM_INVALID);
    assert_message(WORDS("file/run", "is a file"));
    ck_assert_int_eq(train_with(SMALL_MODEL, "/proc/no/run", false, NULL, one, &r), NM_FAILED);
    assert_message(WORDS("/proc/no", "cannot make"));
}
END_TEST

START_TEST(resume_refuses_what_does_not_go_on)
{
    nm_train_result r;
    ck_assert_done(train_with(SMALL_MODEL, in_folder("run"), false, NULL, SETTINGS("train.steps=3"), &r));
    free_result(&r);
    char before[65];
    strcpy(before, digest_of(in_folder("run/last.h5")));
    static const struct {
        const char *setting, *words[3];
    } cases[] = {
        {"train.seed=8", {"last.h5", "seed 7", "has 8"}},
        {"train.batch=16", {"last.h5", "steps an epoch", "10"}},
        {"train.optimizer=adam", {"last.h5", "optimizer is 'sgd'", "'adam'"}},
        {"d1.units=17", {"last.h5", "another model", "d1/weight"}},
        {"train.without=batchnorm", {"last.h5", "another model", "c1.batchnorm"}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ck_assert_int_eq(train_with(SMALL_MODEL, in_folder("run"), true, NULL, SETTINGS(cases[i].setting), &r),
                         NM_INVALID);
        assert_message(WORDS(cases[i].words[0], cases[i].words[1], cases[i].words[2]));
        ck_assert_str_eq(digest_of(in_folder("run/last.h5")), before);
    }
    size_t size;
    char *bytes = content(in_folder("run/last.h5"), &size);
    bytes[size - 9] ^= 1;
    write_content(in_folder("run/last.h5"), bytes, size);
    nm_free(bytes);
    ck_assert_int_eq(train_with(SMALL_MODEL, in_folder("run"), true, NULL, NULL, &r), NM_INVALID);
    assert_message(WORDS("last.h5", "damaged", "expected SHA-256"));
}
END_TEST

/* The disk fills up in the middle of training: the run fails, its last checkpoint stays, and it can
 * go on from there. */
START_TEST(full_disk)
{
    nm_train_result r;
    ck_assert_done(train_with(SMALL_MODEL, in_folder("whole"), false, NULL, NULL, &r));
    free_result(&r);
    ck_assert_done(train_until(in_folder("run"), 5, NULL, &r));
    free_result(&r);
    char before[65];
    strcpy(before, digest_of(in_folder("run/last.h5")));
    struct rlimit old, small;
    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &old);
    small = old;
    small.rlim_cur = 3000; /* enough for the text files */
    setrlimit(RLIMIT_FSIZE, &small);
    ck_assert_int_eq(train_until(in_folder("run"), 1000, NULL, &r), NM_FAILED);
    setrlimit(RLIMIT_FSIZE, &old);
    assert_message(WORDS("step-00000006.h5", "cannot write", strerror(EFBIG)));
    ck_assert_str_eq(digest_of(in_folder("run/last.h5")), before);
    ck_assert_done(train_until(in_folder("run"), 1000, NULL, &r));
    free_result(&r);
    assert_same_runs(in_folder("whole"), in_folder("run"));
}
END_TEST

SUITE_WITH("run_dir", with_folder, one_process_a_run, nothing_is_replaced, resume_refuses_what_does_not_go_on,
           full_disk)
