/* Training: the same bits for any number of threads and any interruption; what is written where; what is
 * refused. */
#include "train_support.h"

#include "loader.h"
#include "run_dir.h"

#include <errno.h>
#include <math.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>

/* ---- interruption ---------------------------------------------------------------------------- */

/* Asks for a stop at one step. */
typedef struct stopper {
    uint64_t at;
    volatile int stop;
} stopper;

static void stop_at(void *arg, const nm_progress *progress)
{
    stopper *s = arg;
    if (!progress->row && progress->step == s->at)
        s->stop = 1;
}

static nm_status train_until(const char *run, uint64_t at, const char *const *settings,
                             nm_train_result *result)
{
    stopper s = {.at = at};
    nm_yaml *document = parse_model(SMALL_MODEL);
    for (; settings && *settings; settings++) {
        char key[64];
        const char *equals = strchr(*settings, '=');
        snprintf(key, sizeof key, "%.*s", (int)(equals - *settings), *settings);
        ck_assert_done(nm_document_set(ctx, document, key, equals + 1));
    }
    nm_train_request request = {
        .document = document, .run = run, .resume = true, .progress = stop_at, .arg = &s, .stop = &s.stop};
    nm_status status = nm_train(ctx, &request, result);
    nm_yaml_free(document);
    return status;
}

/* metrics.csv without its last column, in a buffer of the caller. */
static void metrics_of(const char *path, char *out, size_t room)
{
    size_t size, used = 0;
    char *text = content(path, &size);
    for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
        char *comma = strrchr(line, ',');
        ck_assert_ptr_nonnull(comma);
        *comma = '\0';
        used += (size_t)snprintf(out + used, room - used, "%s\n", line);
        ck_assert_uint_lt(used, room);
    }
    nm_free(text);
}

static void assert_same_runs(const char *a, const char *b)
{
    static const char *const files[] = {"last.h5", "best.h5", "model.yaml"};
    char first[512], second[512], rows[2][4096];
    for (int i = 0; i < 3; i++) {
        snprintf(first, sizeof first, "%s/%s", a, files[i]);
        snprintf(second, sizeof second, "%s/%s", b, files[i]);
        ck_assert_msg(strcmp(digest_of(first), digest_of(second)) == 0, "%s differs from %s", first, second);
    }
    snprintf(first, sizeof first, "%s/metrics.csv", a);
    snprintf(second, sizeof second, "%s/metrics.csv", b);
    metrics_of(first, rows[0], sizeof rows[0]);
    metrics_of(second, rows[1], sizeof rows[1]);
    ck_assert_str_eq(rows[0], rows[1]);
}

START_TEST(a_run_and_its_files)
{
    nm_train_result r;
    const char *run = in_folder("deep/run");
    ck_assert_done(train_with(SMALL_MODEL, run, false, NULL, NULL, &r));
    ck_assert_uint_eq(r.step,
                      30); /* ten whole batches an epoch: the single sample that is left is passed over */
    ck_assert(!r.diverged && !r.stopped);
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
    ck_assert_ptr_eq(strstr(rows, "epoch,step,lr,train_loss,train_accuracy,test_loss,test_accuracy\n1,10,"),
                     rows);
    static const char *const there[] = {"model.yaml", "last.h5", "best.h5", "step-00000030.h5",
                                        "step-00000027.h5"};
    for (int i = 0; i < 5; i++) {
        char path[512];
        snprintf(path, sizeof path, "%s/%s", in_folder("deep/run"), there[i]);
        ck_assert_msg(access(path, F_OK) == 0, "%s is missing", path);
    }
    ck_assert(access(in_folder("deep/run/step-00000024.h5"), F_OK) != 0);
    ck_assert_str_eq(digest_of(in_folder("deep/run/step-00000030.h5")),
                     digest_of(in_folder("deep/run/last.h5")));
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
    ck_assert(r.row_seconds[1] > first && r.row_seconds[2] > r.row_seconds[1] &&
              r.seconds >= r.row_seconds[2]);
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
    ck_assert_done(train_with(SMALL_MODEL, in_folder("b"), true, NULL,
                              SETTINGS("train.steps=7", "train.schedule=constant"), &r));
    ck_assert_int_eq(r.rows, 1);
    free_result(&r);
    ck_assert_done(train_with(SMALL_MODEL, in_folder("b"), true, NULL,
                              SETTINGS("train.steps=25", "train.schedule=constant"), &r));
    free_result(&r);
    assert_same_runs(in_folder("a"), in_folder("b"));
}
END_TEST

/* In a child, so that this process never runs a parallel region: its threads would be missing in the next
 * child. */
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

/* ---- the run directory ------------------------------------------------------------------------- */

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
        ck_assert_int_eq(
            train_with(SMALL_MODEL, in_folder("run"), true, NULL, SETTINGS(cases[i].setting), &r),
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

/* The disk fills up in the middle of training: the run fails, its last checkpoint stays, and it can go on
 * from there. */
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

/* ---- settings ----------------------------------------------------------------------------------- */

START_TEST(wrong_settings)
{
    static const struct {
        const char *setting, *word;
    } cases[] = {
        {"train.lr=fast", "option 'lr' must be a number"},
        {"train.lr=-0.5", "'lr' must be a number"},
        {"train.lrate=1", "unknown option 'lrate'"},
        {"train.epochs=0", "option 'epochs' must be a whole number"},
        {"train.save_every=soon",
         "'save_every' must be a number of steps (200s) or epochs (1e); found 'soon'"},
        {"train.freeze=nobody/*", "no parameter is called like 'nobody/*'"},
        {"train.freeze='*'", "all are frozen"},
        {"train.without=batchnorn", "no layer type 'batchnorn'"},
        {"train.watch=c1", "expected LAYER/UNIT, found 'c1'"},
        {"train.watch=c9/0", "there is no layer 'c9'"},
        {"train.watch=c1/1", "reads units 0 to 0, found 1"},
        {"train.optimizer=sgdd", "unknown optimizer 'sgdd' (did you mean 'sgd'?)"},
        {"train.optimizer={sgd: {momentun: 0.9}}", "unknown option 'momentun'"},
        {"train.schedule=cosin", "unknown schedule 'cosin' (did you mean 'cosine'?)"},
        {"train.data=nowhere", "nowhere"},
        {"train.augment=flop", "flop"},
        {"train.init_from=nothing.h5", "nothing.h5: cannot open"},
        {"input.height=30", "expected images of 30x28x1; the data has 28x28x1"},
        {"logits.units=9", "has 9 classes; the data has 10"},
        {"c1.filtres=3", "did you mean 'filters'"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        nm_train_result r;
        nm_status status =
            train_with(SMALL_MODEL, in_folder("run"), false, NULL, SETTINGS(cases[i].setting), &r);
        ck_assert_msg(status == NM_INVALID, "%s gave status %d", cases[i].setting, status);
        assert_message(WORDS(cases[i].word));
        ck_assert_msg(access(in_folder("run"), F_OK) != 0, "%s left a run directory", cases[i].setting);
    }
}
END_TEST

/* Several errors, of the settings and of the layers, in one run. */
START_TEST(all_errors_at_once)
{
    nm_train_result r;
    ck_assert_int_eq(train_with(SMALL_MODEL, NULL, false, NULL,
                                SETTINGS("train.lr=fast", "train.epochs=0", "c1.filtres=3", "d1.units=0"),
                                &r),
                     NM_INVALID);
    assert_message(WORDS("'lr'", "'epochs'", "'filtres'", "'units'"));
}
END_TEST

/* ---- arms of a comparison -------------------------------------------------------------------------- */

static void digest_param(const nm_network *net, const nm_param *param, char text[NM_DIGEST_ROOM])
{
    nm_digest(&(nm_piece){nm_param_values(net, param), param->count * sizeof(real)}, 1, text);
}

/* With and without batch norm every shared weight starts with the same values. */
START_TEST(paired_arms)
{
    nm_network *net[2];
    char word[] = "batchnorm", *words[] = {word};
    for (int i = 0; i < 2; i++) {
        nm_strings without = {i, words};
        ck_assert_done(nm_network_build(ctx, parse_model(SMALL_MODEL), &without, &net[i]));
        nm_network_initialise(net[i], 3);
    }
    int shared = 0;
    for (int i = 0; i < net[1]->params; i++) {
        const nm_param *param = &net[1]->param[i];
        int other = nm_network_find_param(net[0], param->name);
        if (other < 0)
            continue;
        char a[NM_DIGEST_ROOM], b[NM_DIGEST_ROOM];
        digest_param(net[1], param, a);
        digest_param(net[0], &net[0]->param[other], b);
        ck_assert_msg(strcmp(a, b) == 0, "%s starts differently", param->name);
        shared++;
    }
    ck_assert_int_ge(shared, 4); /* three weights and the last bias at least */
    ck_assert_int_lt(nm_network_find_param(net[1], "c1.batchnorm/scale"), 0);
    nm_network_initialise(net[1], 4);
    char a[NM_DIGEST_ROOM], b[NM_DIGEST_ROOM];
    digest_param(net[1], &net[1]->param[nm_network_find_param(net[1], "c1/weight")], a);
    digest_param(net[0], &net[0]->param[nm_network_find_param(net[0], "c1/weight")], b);
    ck_assert_str_ne(a, b); /* the comparison can fail */
    nm_network_free(net[0]);
    nm_network_free(net[1]);
}
END_TEST

/* ---- divergence, freezing, starting from a checkpoint ------------------------------------------------- */

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

START_TEST(frozen_and_taken_over)
{
    nm_train_result r;
    ck_assert_done(train_with(SMALL_MODEL, in_folder("a"), false, NULL, SETTINGS("train.steps=6"), &r));
    free_result(&r);
    char from[600];
    snprintf(from, sizeof from, "train.init_from=%s", in_folder("a/last.h5"));
    ck_assert_done(
        train_with(SMALL_MODEL, in_folder("b"), true, NULL,
                   SETTINGS(from, "train.freeze=[c1/*, d1/weight]", "train.steps=6", "train.seed=9"), &r));
    free_result(&r);
    nm_network *net[2];
    for (int i = 0; i < 2; i++) {
        nm_checkpoint *c;
        nm_train_settings settings;
        ck_assert_done(nm_checkpoint_open(ctx, in_folder(i ? "b/last.h5" : "a/last.h5"), &c));
        ck_assert_done(nm_checkpoint_network(ctx, c, &net[i], &settings));
        nm_options_free(nm_train_options, &settings);
        nm_checkpoint_free(c);
    }
    for (int i = 0; i < net[0]->params; i++) {
        const nm_param *p = &net[0]->param[i];
        bool frozen = strncmp(p->name, "c1/", 3) == 0 || strcmp(p->name, "d1/weight") == 0;
        bool same = memcmp(nm_param_values(net[0], p), nm_param_values(net[1], &net[1]->param[i]),
                           p->count * sizeof(real)) == 0;
        ck_assert_msg(same == frozen, "%s", p->name);
    }
    nm_network_free(net[0]);
    nm_network_free(net[1]);
}
END_TEST

static void set_up(TCase *tcase)
{
    tcase_add_checked_fixture(tcase, set_up_folder, tear_down_folder);
}

SUITE_WITH("train", set_up, a_run_and_its_files, same_bits_for_any_thread_count, stopping_changes_nothing,
           seconds_go_on, more_steps, killing_changes_nothing, killing_changes_nothing_without_batchnorm,
           one_process_a_run, nothing_is_replaced, full_disk, resume_refuses_what_does_not_go_on,
           wrong_settings, all_errors_at_once, paired_arms, divergence, frozen_and_taken_over)
