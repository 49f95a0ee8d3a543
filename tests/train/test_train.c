/* Training: the same bits for any number of threads and any interruption; what is written where;
 * divergence.
 */
#include "train_support.h"

#include <math.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>

START_TEST(a_run_and_its_files)
{
    nm_train_result r;
    const char *run = in_folder("deep/run");
    ck_assert_done(train_with(SMALL_MODEL, run, false, NULL, NULL, &r));
    ck_assert_uint_eq(r.step, 30); /* ten an epoch: the single sample that is left is passed over */
    ck_assert(!r.diverged && !r.stopped);
    ck_assert(r.waited >= 0 && r.waited < 1);
    ck_assert_int_eq(r.rows, 3);
    for (int i = 0; i < 3; i++) {
        ck_assert_uint_eq(r.history[i].step, (uint64_t)(10 * (i + 1)));
        ck_assert_uint_eq(r.history[i].epoch, (uint32_t)(i + 1));
        ck_assert(isfinite(r.history[i].test_loss) && isfinite(r.history[i].train_loss));
        ck_assert(r.row_seconds[i] > 0 && r.history[i].lr > 0);
    }
    ck_assert(r.history[2].train_loss < r.history[0].train_loss);
    ck_assert(r.history[2].test_accuracy > 0.2);
    free_result(&r);
    char rows[4096];
    metrics_of(in_folder("deep/run/metrics.csv"), rows, sizeof rows);
    ck_assert_ptr_eq(strstr(rows, "epoch,step,lr,train_loss,train_accuracy,test_loss,test_accuracy\n1,10,"), rows);
    static const char *const there[] = {"model.yaml", "last.h5", "best.h5", "step-00000030.h5", "step-00000027.h5"};
    for (int i = 0; i < 5; i++) {
        char path[512];
        snprintf(path, sizeof path, "%s/%s", in_folder("deep/run"), there[i]);
        ck_assert_msg(access(path, F_OK) == 0, "%s is missing", path);
    }
    ck_assert(access(in_folder("deep/run/step-00000024.h5"), F_OK) != 0);
    ck_assert_str_eq(digest_of(in_folder("deep/run/step-00000030.h5")), digest_of(in_folder("deep/run/last.h5")));
}
END_TEST

START_TEST(same_bits_for_any_thread_count)
{
    static const int counts[] = {1, 2, 3, 8};
    nm_train_result r;
    char digests[4][65];
    for (int i = 0; i < 4; i++) {
        char name[16];
        snprintf(name, sizeof name, "t%d", counts[i]);
        nm_context_set_threads(ctx, counts[i]);
        ck_assert_done(train_with(SMALL_MODEL, in_folder(name), false, NULL, NULL, &r));
        strcpy(digests[i], r.model_digest);
        free_result(&r);
        ck_assert_str_eq(digests[i], digests[0]);
        if (i > 0)
            assert_same_runs(in_folder("t1"), in_folder(name));
    }
}
END_TEST

/* Stopped again and again at odd places, also right at rows and saves. */
START_TEST(stopping_changes_nothing)
{
    static const uint64_t at[] = {1, 2, 9, 10, 11, 13, 20, 21, 29};
    nm_train_result r;
    ck_assert_done(train_with(SMALL_MODEL, in_folder("whole"), false, NULL, NULL, &r));
    free_result(&r);
    for (size_t i = 0; i < sizeof at / sizeof *at; i++) {
        ck_assert_done(train_until(in_folder("parts"), at[i], NULL, &r));
        ck_assert(r.stopped);
        ck_assert_uint_eq(r.step, at[i]);
        free_result(&r);
    }
    ck_assert_done(train_until(in_folder("parts"), 1000, NULL, &r));
    ck_assert(!r.stopped);
    ck_assert_int_eq(r.rows, 3);
    free_result(&r);
    assert_same_runs(in_folder("whole"), in_folder("parts"));
    /* a finished run that is resumed stays what it is */
    ck_assert_done(train_until(in_folder("parts"), 1000, NULL, &r));
    free_result(&r);
    assert_same_runs(in_folder("whole"), in_folder("parts"));
}
END_TEST

/* The rows of before keep their seconds, and later rows have more. */
START_TEST(seconds_go_on)
{
    nm_train_result r;
    ck_assert_done(train_until(in_folder("run"), 15, NULL, &r));
    ck_assert_int_eq(r.rows, 1);
    double first = r.row_seconds[0];
    free_result(&r);
    ck_assert_done(train_until(in_folder("run"), 1000, NULL, &r));
    ck_assert_int_eq(r.rows, 3);
    ck_assert_double_eq_tol(r.row_seconds[0], first, 0.0006);
    ck_assert(r.row_seconds[1] > first && r.row_seconds[2] > r.row_seconds[1] && r.seconds >= r.row_seconds[2]);
    free_result(&r);
}
END_TEST

/* Ending after so many steps and going on with more is the same as never having ended. */
START_TEST(more_steps)
{
    nm_train_result r;
    ck_assert_done(train_with(SMALL_MODEL, in_folder("a"), false, NULL,
                              SETTINGS("train.steps=25", "train.schedule=constant"), &r));
    ck_assert_int_eq(r.rows, 3); /* the last one off the beat */
    ck_assert_uint_eq(r.history[2].step, 25);
    free_result(&r);
    ck_assert_done(
        train_with(SMALL_MODEL, in_folder("b"), true, NULL, SETTINGS("train.steps=7", "train.schedule=constant"), &r));
    ck_assert_int_eq(r.rows, 1);
    free_result(&r);
    ck_assert_done(
        train_with(SMALL_MODEL, in_folder("b"), true, NULL, SETTINGS("train.steps=25", "train.schedule=constant"), &r));
    free_result(&r);
    assert_same_runs(in_folder("a"), in_folder("b"));
}
END_TEST

/* In a child, so that this process never runs a parallel region: its threads would be missing in
 * the next child. */
static pid_t train_in_child(const char *run, const char *const *settings)
{
    pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0) {
        nm_train_result r;
        nm_status status = train_with(SMALL_MODEL, run, true, NULL, settings, &r);
        if (status != NM_OK)
            fprintf(stderr, "%s\n", nm_error_message(ctx, 0));
        _exit(status);
    }
    return child;
}

static double seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static void check_kills(const char *const *settings)
{
    int status, killed = 0;
    double start = seconds();
    ck_assert_int_gt(waitpid(train_in_child(in_folder("whole"), settings), &status, 0), 0);
    ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    double whole = seconds() - start;
    nm_rng r = nm_rng_stream((uint64_t)time(NULL), "test", "kill");
    for (int k = 0; k < 10; k++) {
        pid_t child = train_in_child(in_folder("killed"), settings);
        usleep((useconds_t)(nm_rng_uniform(&r) * 0.3e6 * whole));
        kill(child, SIGKILL);
        waitpid(child, &status, 0);
        killed += WIFSIGNALED(status);
    }
    ck_assert_int_ge(killed, 1); /* the others may have come when the run was finished */
    waitpid(train_in_child(in_folder("killed"), settings), &status, 0);
    ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    assert_same_runs(in_folder("whole"), in_folder("killed"));
}

START_TEST(killing_changes_nothing)
{
    check_kills(SETTINGS("train.watch=c1/0"));
    ck_assert_str_eq(digest_of(in_folder("whole/watch.csv")), digest_of(in_folder("killed/watch.csv")));
}
END_TEST

START_TEST(killing_changes_nothing_without_batchnorm)
{
    check_kills(SETTINGS("train.without=batchnorm", "train.save_every=1s", "train.optimizer=adam",
                         "train.augment=[flip, pad-crop=2]"));
}
END_TEST

START_TEST(divergence)
{
    nm_train_result r;
    const char *const settings[] = {"train.lr=1e9", "train.without=batchnorm", "train.save_every=1e", NULL};
    ck_assert_done(train_with(SMALL_MODEL, in_folder("run"), false, NULL, settings, &r));
    ck_assert(r.diverged);
    ck_assert_int_ge(r.rows, 1);
    ck_assert(isnan(r.history[r.rows - 1].train_loss));
    uint64_t step = r.history[r.rows - 1].step;
    ck_assert(step >= 1 && step <= 10);
    free_result(&r);
    nm_checkpoint *c; /* the one from before */
    ck_assert_done(nm_checkpoint_open(ctx, in_folder("run/last.h5"), &c));
    nm_checkpoint_free(c);
    char rows[4096], nan[64];
    metrics_of(in_folder("run/metrics.csv"), rows, sizeof rows);
    ck_assert_ptr_nonnull(strstr(rows, ",nan,nan,nan,nan"));
    snprintf(nan, sizeof nan, "1,%llu,", (unsigned long long)step);
    ck_assert_ptr_nonnull(strstr(rows, nan));
    ck_assert_done(train_with(SMALL_MODEL, in_folder("run"), true, NULL, settings, &r));
    ck_assert(r.diverged && r.history[r.rows - 1].step == step); /* resuming repeats it */
    free_result(&r);
}
END_TEST

/* A loss that is a number, then parameters that give none on the test split: nothing of it is kept,
 * and a smaller rate goes on from before. */
START_TEST(divergence_in_evaluation)
{
    nm_train_result r;
    const char *const fast[] = {"train.lr=1e9", "train.steps=1", NULL};
    ck_assert_done(train_with(SMALL_MODEL, in_folder("run"), false, NULL, fast, &r));
    ck_assert(r.diverged && r.step == 1 && strstr(r.cause, "test split"));
    free_result(&r);
    ck_assert_int_ne(access(in_folder("run/best.h5"), F_OK), 0);
    const char *const slow[] = {"train.lr=0.01", "train.steps=3", NULL};
    ck_assert_done(train_with(SMALL_MODEL, in_folder("run"), true, NULL, slow, &r));
    ck_assert(!r.diverged && r.step == 3 && isfinite(r.history[r.rows - 1].test_loss));
    free_result(&r);
}
END_TEST

SUITE_WITH("train", with_folder, a_run_and_its_files, same_bits_for_any_thread_count, stopping_changes_nothing,
           seconds_go_on, more_steps, killing_changes_nothing, killing_changes_nothing_without_batchnorm, divergence,
           divergence_in_evaluation)
