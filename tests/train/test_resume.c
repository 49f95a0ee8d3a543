/* What a run refuses to go on with, and what it reports: other data, classes, batches, layers. */
#include "h5.h"
#include "resume_changes_table.h"
#include "train_support.h"

#include <stdlib.h>

static char logged[4096];

static void keep_log(void *arg, const char *line)
{
    (void)arg;
    strncat(logged, line, sizeof logged - strlen(logged) - 2);
    strcat(logged, "\n");
}

static void start(const char *const *settings)
{
    nm_train_result r;
    ck_assert_done(train_with(SMALL_MODEL, in_folder("run"), false, NULL, settings, &r));
    free_result(&r);
}

static void refused(const char *const *settings, const char *const *words)
{
    nm_train_result r;
    char before[65];
    strcpy(before, digest_of(in_folder("run/last.h5")));
    ck_assert_int_eq(train_with(SMALL_MODEL, in_folder("run"), true, NULL, settings, &r), NM_INVALID);
    assert_message(words);
    ck_assert_str_eq(digest_of(in_folder("run/last.h5")), before);
}

/* Exchanges two bytes of a file; again puts them back. */
static void swap_bytes(const char *path, long a, long b)
{
    size_t size;
    char *bytes = content(path, &size);
    ck_assert_int_ne(bytes[a], bytes[b]);
    char first = bytes[a];
    bytes[a] = bytes[b];
    bytes[b] = first;
    write_content(path, bytes, size);
    nm_free(bytes);
}

/* Exchanges leave mean and deviation as they were. */
START_TEST(other_pixels_or_labels)
{
    static const struct {
        const char *file;
        long a, b;
    } changes[] = {{"data/mnist/train-labels-idx1-ubyte", 8, 9},
                   {"data/mnist/train-images-idx3-ubyte", 16, 17},
                   {"data/mnist/t10k-labels-idx1-ubyte", 9, 10},
                   {"data/mnist/t10k-images-idx3-ubyte", 16, 1700}};
    nm_train_result r;
    start(SETTINGS("train.steps=2"));
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        swap_bytes(in_folder(changes[i].file), changes[i].a, changes[i].b);
        refused(SETTINGS("train.steps=4"), WORDS("last.h5", "other data", "pixels or labels", "--data"));
        swap_bytes(in_folder(changes[i].file), changes[i].a, changes[i].b);
    }
    ck_assert_done(train_with(SMALL_MODEL, in_folder("run"), true, NULL, SETTINGS("train.steps=4"), &r));
    free_result(&r);
}
END_TEST

static void write_classes(const char *path, const char *classes)
{
    static uint8_t x[20 * 784];
    int64_t y[20];
    for (int i = 0; i < 20; i++) {
        x[784 * i + 30 * (i % 10)] = 200;
        y[i] = i % 10;
    }
    nm_h5 *h5;
    ck_assert_done(nm_h5_new(ctx, path, &h5));
    ck_assert_done(nm_h5_write(h5, "/train/x", NM_H5_U8, 3, (size_t[]){20, 28, 28}, x));
    ck_assert_done(nm_h5_write(h5, "/train/y", NM_H5_I64, 1, (size_t[]){20}, y));
    ck_assert_done(nm_h5_write_text(h5, "/classes", classes));
    ck_assert_done(nm_h5_save(h5, path, false));
    nm_h5_free(h5);
}

START_TEST(other_classes)
{
    static const struct {
        const char *classes, *words;
    } cases[] = {{"a\nb\nc\nd\ne\nf\ng\nh\nj\ni", "class 8, 'i' then and 'j' here"},
                 {"a\nb\nc\nd\ne\nf\ng\nh\ni\nk", "class 9, 'j' then and 'k' here"},
                 {"aa\nb\nc\nd\ne\nf\ng\nh\ni\nj", "class 0, 'a' then and 'aa' here"}};
    char setting[600];
    snprintf(setting, sizeof setting, "train.data=hdf5:%s", in_folder("d.h5"));
    write_classes(in_folder("d.h5"), "a\nb\nc\nd\ne\nf\ng\nh\ni\nj");
    start(SETTINGS(setting, "train.steps=2"));
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        write_classes(in_folder("d.h5"), cases[i].classes);
        refused(SETTINGS(setting), WORDS("other data", cases[i].words));
    }
}
END_TEST

/* The number of steps an epoch stays; the batches do not. */
START_TEST(other_batches_and_layers)
{
    start(SETTINGS("train.steps=2"));
    refused(SETTINGS("train.batch=33"), WORDS("batch 32", "has 33"));
    refused(SETTINGS("train.limit=319"), WORDS("samples", "321", "319"));
    refused(SETTINGS("train.binary=true"), WORDS("'binary'"));
    refused(SETTINGS("train.data=digits"), WORDS("data set is 'mnist'", "'digits'"));
    nm_train_result r;
    char model[sizeof SMALL_MODEL + 8], *at;
    strcpy(model, SMALL_MODEL);
    at = strstr(model, "- relu\n");
    memcpy(at, "- tanh\n", 7);
    ck_assert_int_eq(train_with(model, in_folder("run"), true, NULL, NULL, &r), NM_INVALID);
    assert_message(WORDS("another model", "relu", "tanh"));
    ck_assert_int_eq(train_with(SMALL_MODEL, in_folder("run"), true, NULL, SETTINGS("loss=focal"), &r), NM_INVALID);
    assert_message(WORDS("another model", "softmax_ce", "focal"));
}
END_TEST

static void copy_run(const char *from, const char *to)
{
    char command[1400];
    snprintf(command, sizeof command, "rm -rf '%s/%s' && cp -r '%s/%s' '%s/%s'", folder, to, folder, from, folder, to);
    ck_assert_int_eq(system(command), 0);
}

static nm_status train_allowing(const char *run, const char *const *settings, const char *const *allow,
                                nm_train_result *result)
{
    return train_request(SMALL_MODEL, (nm_train_request){.run = run, .resume = true, .allow_change = allow}, settings,
                         result);
}

static void assert_noted(const char *checkpoint, const char *name)
{
    nm_h5 *h5;
    char *text;
    ck_assert_done(nm_h5_open(ctx, checkpoint, true, &h5));
    ck_assert_done(nm_h5_read_text(h5, "/train/changes", &text));
    ck_assert_msg(strncmp(text, "step 2: ", 8) == 0 && strstr(text, name), "%s", text);
    nm_free(text);
    nm_h5_free(h5);
}

/* Each alone; what is refused stays refused with --allow-change, what is allowed is noted. */
START_TEST(every_change)
{
    nm_train_result r;
    start(SETTINGS("train.steps=2"));
    for (size_t i = 0; i < sizeof resume_changes / sizeof *resume_changes; i++) {
        const change *c = &resume_changes[i];
        const char *const settings[] = {"train.steps=3", c->setting, NULL};
        const char *const allow[] = {c->name ? c->name : "x", NULL};
        copy_run("run", "again");
        nm_status alone = train_with(SMALL_MODEL, in_folder("again"), true, NULL, settings, &r);
        ck_assert_msg((alone == NM_OK) == (c->rule == NM_RESUME_FREE), "%s: status %d, %s", c->setting, alone,
                      nm_error_message(ctx, 0));
        if (alone == NM_OK) {
            free_result(&r);
            continue;
        }
        ck_assert_msg(strstr(nm_error_message(ctx, 0), c->name) != NULL, "%s: %s", c->setting,
                      nm_error_message(ctx, 0));
        nm_errors_clear(ctx);
        nm_status allowed = train_allowing(in_folder("again"), settings, allow, &r);
        ck_assert_msg((allowed == NM_OK) == (c->rule == NM_RESUME_ALLOWED), "%s: status %d, %s", c->setting, allowed,
                      nm_error_message(ctx, 0));
        nm_errors_clear(ctx);
        if (allowed != NM_OK)
            continue;
        free_result(&r);
        assert_noted(in_folder("again/last.h5"), c->name);
    }
}
END_TEST

START_TEST(changed_options_are_told)
{
    nm_train_result r;
    nm_context_set_log(ctx, keep_log, NULL);
    start(SETTINGS("train.steps=2"));
    logged[0] = '\0';
    ck_assert_done(train_allowing(
        in_folder("run"), SETTINGS("train.steps=3", "d1.dropout.rate=0.5", "loss={softmax_ce: {label_smoothing: 0.1}}"),
        SETTINGS("d1.dropout.rate", "softmax_ce.label_smoothing"), &r));
    free_result(&r);
    ck_assert_msg(strstr(logged, "rate was 0.2;") && strstr(logged, "going on with 0.5") &&
                      strstr(logged, "label_smoothing was 0; going on with 0.1"),
                  "%s", logged);
}
END_TEST

/* Parameters are taken over at a run's start alone. What it was begun with is no news. */
START_TEST(init_from_is_told)
{
    nm_train_result r;
    char setting[600];
    snprintf(setting, sizeof setting, "train.init_from=%s", in_folder("run/last.h5"));
    start(SETTINGS("train.steps=2"));
    nm_context_set_log(ctx, keep_log, NULL);
    logged[0] = '\0';
    ck_assert_done(train_with(SMALL_MODEL, in_folder("run"), true, NULL, SETTINGS("train.steps=3", setting), &r));
    free_result(&r);
    ck_assert_msg(strstr(logged, "'init_from' has no effect: the run goes on from its own last.h5"), "%s", logged);
    logged[0] = '\0';
    ck_assert_done(train_with(SMALL_MODEL, in_folder("run"), true, NULL, SETTINGS("train.steps=4", setting), &r));
    free_result(&r);
    ck_assert_msg(!strstr(logged, "init_from"), "%s", logged);
}
END_TEST

/* A file from before digests were kept. */
START_TEST(no_digest_is_told)
{
    static const char *const slots[] = {"momentum"};
    nm_train_result r;
    nm_checkpoint *c;
    nm_network *net;
    start(SETTINGS("train.steps=2"));
    ck_assert_done(nm_checkpoint_open(ctx, in_folder("run/last.h5"), &c));
    ck_assert_uint_eq(strlen(nm_checkpoint_data_digest(c)), 64);
    ck_assert_done(nm_checkpoint_network(ctx, c, &net));
    nm_train_state state = {.optimizer = "sgd", .slots = 1, .slot_names = slots, .data = "mnist"};
    state.slot[0] = nm_alloc(ctx, net->weight_count, sizeof(real));
    ck_assert_done(nm_checkpoint_load_state(ctx, c, net, &state));
    ck_assert_done(nm_checkpoint_save(ctx, in_folder("run/last.h5"), net, &state));
    nm_free(state.slot[0]);
    nm_free(state.history);
    nm_network_free(net);
    nm_checkpoint_free(c);

    nm_context_set_log(ctx, keep_log, NULL);
    logged[0] = '\0';
    ck_assert_done(train_with(SMALL_MODEL, in_folder("run"), true, NULL, SETTINGS("train.steps=3"), &r));
    free_result(&r);
    ck_assert_msg(strstr(logged, "no digest of the data"), "%s", logged);
    ck_assert_done(nm_checkpoint_open(ctx, in_folder("run/last.h5"), &c));
    ck_assert_ptr_nonnull(nm_checkpoint_data_digest(c));
    nm_checkpoint_free(c);
}
END_TEST

SUITE_WITH("resume", with_folder, other_pixels_or_labels, other_classes, other_batches_and_layers, every_change,
           changed_options_are_told, init_from_is_told, no_digest_is_told)
