/* Checkpoints: every kind of damage is reported and changes nothing. */
#include "checkpoint_support.h"
#include "h5.h"

#include <errno.h>
#include <signal.h>
#include <sys/resource.h>

static void refuses(const char *path, const char *const *words)
{
    nm_checkpoint *c = (nm_checkpoint *)1;
    ck_assert_int_eq(nm_checkpoint_open(ctx, path, &c), NM_INVALID);
    ck_assert_ptr_null(c);
    assert_message(words);
}

START_TEST(every_bit_counts)
{
    saved s = make_saved();
    ck_assert_done(nm_checkpoint_save(ctx, in_folder("a.h5"), s.net, &s.state));
    free_saved(&s);
    size_t size;
    char *bytes = content(in_folder("a.h5"), &size);
    nm_rng r = nm_rng_stream(1, "test", "bits");
    for (int k = 0; k < 700; k++) {
        size_t at = k < 512 ? (size_t)k : nm_rng_below(&r, (uint32_t)size);
        char bit = (char)(1 << nm_rng_below(&r, 8));
        bytes[at] = (char)(bytes[at] ^ bit);
        write_content(in_folder("b.h5"), bytes, size);
        bytes[at] = (char)(bytes[at] ^ bit);
        refuses(in_folder("b.h5"), WORDS("b.h5"));
    }
    nm_free(bytes);
}
END_TEST

START_TEST(damage_is_told)
{
    saved s = make_saved();
    ck_assert_done(nm_checkpoint_save(ctx, in_folder("a.h5"), s.net, &s.state));
    free_saved(&s);
    size_t size;
    char *bytes = content(in_folder("a.h5"), &size);
    static const size_t lengths[] = {0, 1, 15, 16, 100, 511, 512, 513, 1000};
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        write_content(in_folder("b.h5"), bytes, lengths[i]);
        refuses(in_folder("b.h5"), WORDS("b.h5", lengths[i] < 16 ? "not a file" : "cut"));
    }
    write_content(in_folder("b.h5"), bytes, size - 1);
    refuses(in_folder("b.h5"), WORDS("b.h5", "cut", "expected", "found"));
    bytes[size / 2] ^= 4;
    write_content(in_folder("b.h5"), bytes, size);
    refuses(in_folder("b.h5"), WORDS("b.h5", "damaged", "expected SHA-256", "found"));
    write_content(in_folder("b.h5"), bytes + 512, size - 512);
    refuses(in_folder("b.h5"), WORDS("b.h5", "HDF5 file that norma did not write"));
    write_content(in_folder("b.h5"), "\x89PNG\r\n\x1a\n and so on", 18);
    refuses(in_folder("b.h5"), WORDS("b.h5", "not a file that norma wrote"));
    refuses(in_folder("c.h5"), WORDS("c.h5", "No such file"));
    refuses(folder, WORDS(folder, "expected a file; found a folder"));
    nm_free(bytes);
}
END_TEST

START_TEST(foreign_and_future)
{
    nm_h5 *h5;
    ck_assert_done(nm_h5_new(ctx, "x", &h5));
    ck_assert_done(nm_h5_note_text(h5, "/", "format", "another format"));
    ck_assert_done(nm_h5_save(h5, in_folder("a.h5"), true));
    nm_h5_free(h5);
    refuses(in_folder("a.h5"), WORDS("a.h5", "expected format 'norma checkpoint'", "found 'another format'"));
    ck_assert_done(nm_h5_new(ctx, "x", &h5));
    ck_assert_done(nm_h5_note_text(h5, "/", "format", "norma checkpoint"));
    ck_assert_done(nm_h5_note_int(h5, "/", "format_version", 99));
    ck_assert_done(nm_h5_note_text(h5, "/", "norma_version", "12.3"));
    ck_assert_done(nm_h5_save(h5, in_folder("a.h5"), true));
    nm_h5_free(h5);
    refuses(in_folder("a.h5"), WORDS("a.h5", "format version 99", "norma 12.3", "at most 1"));
}
END_TEST

START_TEST(names_that_are_not_printable)
{
    saved s = make_saved();
    nm_checkpoint *c;
    s.state.classes = "zero\none\n\x1b[2J";
    ck_assert_done(nm_checkpoint_save(ctx, in_folder("a.h5"), s.net, &s.state));
    refuses(in_folder("a.h5"),
            WORDS("a.h5: /train/classes: expected names of printable characters", "found 'zero\\none\\n\\x1b[2J'"));
    s.state.classes = "zero\none\n\xff";
    ck_assert_done(nm_checkpoint_save(ctx, in_folder("a.h5"), s.net, &s.state));
    refuses(in_folder("a.h5"), WORDS("found 'zero\\none\\n\\xff'"));
    s.state.classes = "zero\nein\u00e9";
    ck_assert_done(nm_checkpoint_save(ctx, in_folder("a.h5"), s.net, &s.state));
    ck_assert_done(nm_checkpoint_open(ctx, in_folder("a.h5"), &c));
    nm_checkpoint_free(c);
    free_saved(&s);
}
END_TEST

/* A checkpoint that nothing is wrong with but the names in its model. */
START_TEST(layers_that_are_not_printable)
{
    static const char model[] =
        "input: {height: 28, width: 28, channels: 1}\nlayers:\n"
        "- {name: \"c1\\nsystem(\\\"touch x\\\")\\n#\", dense: {units: 10}}\nloss: softmax_ce\n";
    nm_h5 *h5;
    nm_checkpoint *c;
    nm_network *net;
    ck_assert_done(nm_h5_new(ctx, "x", &h5));
    ck_assert_done(nm_h5_note_text(h5, "/", "format", "norma checkpoint"));
    ck_assert_done(nm_h5_note_int(h5, "/", "format_version", 1));
    ck_assert_done(nm_h5_note_text(h5, "/", "norma_version", "0.1"));
    ck_assert_done(nm_h5_write_text(h5, "/model_yaml", model));
    ck_assert_done(nm_h5_save(h5, in_folder("a.h5"), true));
    nm_h5_free(h5);
    ck_assert_done(nm_checkpoint_open(ctx, in_folder("a.h5"), &c));
    ck_assert_int_eq(nm_checkpoint_network(ctx, c, &net), NM_INVALID);
    assert_message(WORDS("a layer's name must be of printable characters", "found 'c1\\nsystem(\"touch x\")\\n#'"));
    nm_checkpoint_free(c);
}
END_TEST

#define OTHER_HEAD "input: {height: 28, width: 28, channels: 1}\nlayers:\n"

START_TEST(another_model)
{
    saved s = make_saved();
    ck_assert_done(nm_checkpoint_save(ctx, in_folder("a.h5"), s.net, &s.state));
    nm_checkpoint *c;
    ck_assert_done(nm_checkpoint_open(ctx, in_folder("a.h5"), &c));
    nm_network *other = network(OTHER_HEAD "- {name: c1, conv: {filters: 5, kernel: 3, stride: 2}}\n"
                                           "- {name: d2, dense: {units: 10}}\nloss: softmax_ce\n");
    nm_network_initialise(other, 1);
    real before = other->weights[0];
    ck_assert_int_eq(nm_checkpoint_load(ctx, c, other, false, NULL), NM_INVALID);
    assert_message(WORDS("a.h5", "another model", "'c1/weight': expected 3x3x1x5 (HWIO), found 3x3x1x4 (HWIO)",
                         "'d2/weight' is missing", "its parameter 'logits/weight' has no place"));
    ck_assert(other->weights[0] == before);

    int taken = -1; /* nothing fits but nothing is wrong either */
    ck_assert_done(nm_checkpoint_load(ctx, c, other, true, &taken));
    ck_assert_int_eq(taken, 0);
    nm_network_free(other);

    other = network(OTHER_HEAD "- {name: c1, conv: {filters: 4, kernel: 3, stride: 2}}\n"
                               "- {name: d2, dense: {units: 10}}\nloss: softmax_ce\n");
    nm_network_initialise(other, 99);
    ck_assert_done(nm_checkpoint_load(ctx, c, other, true, &taken));
    ck_assert_int_eq(taken, 2); /* c1's weight and bias */
    int p = nm_network_find_param(other, "c1/weight"), q = nm_network_find_param(s.net, "c1/weight");
    ck_assert_mem_eq(nm_param_values(other, &other->param[p]), nm_param_values(s.net, &s.net->param[q]),
                     s.net->param[q].count * sizeof(real));
    nm_network_free(other);

    s.state.optimizer = "sgd";
    nm_free(s.state.history);
    s.state.history = NULL;
    ck_assert_int_eq(nm_checkpoint_load_state(ctx, c, s.net, &s.state), NM_INVALID);
    assert_message(WORDS("a.h5", "optimizer is 'adam'", "'sgd'"));
    s.state.data = "mnist";
    ck_assert_int_eq(nm_checkpoint_load_state(ctx, c, s.net, &s.state), NM_INVALID);
    assert_message(WORDS("a.h5", "data set is 'digits'", "'mnist'"));
    nm_checkpoint_free(c);
    free_saved(&s);
}
END_TEST

/* ---- disks that fail ----------------------------------------------------------------------- */

static int entries(void)
{
    DIR *d = opendir(folder);
    int count = 0;
    while (readdir(d))
        count++;
    closedir(d);
    return count - 2;
}

/* The limit on file sizes stands for a full disk: the write fails half-way. */
START_TEST(full_disk)
{
    saved s = make_saved();
    ck_assert_done(nm_checkpoint_save(ctx, in_folder("a.h5"), s.net, &s.state));
    char before[NM_DIGEST_SIZE];
    strcpy(before, digest_of(in_folder("a.h5")));
    signal(SIGXFSZ, SIG_IGN);
    struct rlimit old, small;
    getrlimit(RLIMIT_FSIZE, &old);
    small = old;
    small.rlim_cur = 2000;
    setrlimit(RLIMIT_FSIZE, &small);
    s.net->weights[0] += 1;
    ck_assert_int_eq(nm_checkpoint_save(ctx, in_folder("a.h5"), s.net, &s.state), NM_FAILED);
    setrlimit(RLIMIT_FSIZE, &old);
    assert_message(WORDS("a.h5", "cannot write", strerror(EFBIG), "unchanged"));
    ck_assert_str_eq(digest_of(in_folder("a.h5")), before);
    ck_assert_int_eq(entries(), 2); /* it and the data: nothing else is left */
    free_saved(&s);
}
END_TEST

START_TEST(folder_that_is_not_there)
{
    saved s = make_saved();
    ck_assert_int_eq(nm_checkpoint_save(ctx, in_folder("no/a.h5"), s.net, &s.state), NM_FAILED);
    assert_message(WORDS("no/a.h5", "cannot create", strerror(ENOENT)));
    if (geteuid() != 0) { /* root may write anywhere */
        ck_assert_done(nm_checkpoint_save(ctx, in_folder("a.h5"), s.net, &s.state));
        chmod(folder, 0500);
        ck_assert_int_eq(nm_checkpoint_save(ctx, in_folder("a.h5"), s.net, &s.state), NM_FAILED);
        chmod(folder, 0700);
        assert_message(WORDS("a.h5", strerror(EACCES)));
    }
    free_saved(&s);
}
END_TEST

/* Whatever allocation fails, the old file stays and the failure is reported. */
START_TEST(no_memory)
{
    saved s = make_saved();
    ck_assert_done(nm_checkpoint_save(ctx, in_folder("a.h5"), s.net, &s.state));
    char before[NM_DIGEST_SIZE];
    strcpy(before, digest_of(in_folder("a.h5")));
    s.net->weights[0] += 1;
    nm_alloc_fail_at(0);
    ck_assert_done(nm_checkpoint_save(ctx, in_folder("b.h5"), s.net, &s.state));
    long needed = nm_alloc_count();
    for (long k = 1; k <= needed; k += k < 40 ? 1 : 17) {
        nm_alloc_fail_at(k);
        nm_status status = nm_checkpoint_save(ctx, in_folder("a.h5"), s.net, &s.state);
        nm_alloc_fail_at(0);
        ck_assert_int_eq(status, NM_FAILED);
        ck_assert_int_gt(nm_error_count(ctx), 0);
        nm_errors_clear(ctx);
        ck_assert_str_eq(digest_of(in_folder("a.h5")), before);
    }
    for (long k = 1; k <= 60; k++) {
        nm_checkpoint *c = NULL;
        nm_alloc_fail_at(k);
        nm_status status = nm_checkpoint_open(ctx, in_folder("a.h5"), &c);
        if (status == NM_OK)
            status = nm_checkpoint_load(ctx, c, s.net, false, NULL);
        nm_alloc_fail_at(0);
        nm_checkpoint_free(c);
        ck_assert(status == NM_OK || nm_error_count(ctx) > 0);
        nm_errors_clear(ctx);
    }
    free_saved(&s);
}
END_TEST

/* A state with one number changed, and the words of its refusal. */
typedef struct odd_number {
    size_t offset; /* in nm_train_state, or with `row` in the last row of the history */
    bool row, whole;
    double number; /* whole: plus 2^63 */
    const char *words[3];
} odd_number;

#define STATE(field) offsetof(nm_train_state, field), false
#define ROW(field) offsetof(nm_history_row, field), true

/* Digests are right, the numbers are not. */
START_TEST(odd_numbers)
{
    static const odd_number table[] = {
        {STATE(step), true, 5, {"/train/step", "9223372036854775813"}},
        {STATE(steps_per_epoch), true, 0, {"/train/steps_per_epoch"}},
        {STATE(seen), true, 5, {"/train/seen"}},
        {STATE(best_step), true, 5, {"/train/best_step"}},
        {STATE(loss_sum), false, (double)NAN, {"/train/loss_sum", "nan"}},
        {STATE(loss_sum), false, (double)INFINITY, {"/train/loss_sum", "inf"}},
        {STATE(correct), false, -1, {"/train/correct", "-1"}},
        {STATE(correct), false, (double)NAN, {"/train/correct"}},
        {STATE(counted), false, (double)INFINITY, {"/train/counted"}},
        {STATE(best_accuracy), false, 1.5, {"/train/best_accuracy", "1.5"}},
        {ROW(step), true, 5, {"/history/step"}},
        {ROW(lr), false, (double)NAN, {"/history/lr", "nan"}},
        {ROW(lr), false, -0.1, {"/history/lr"}},
        {ROW(train_loss), false, (double)INFINITY, {"/history", "inf"}},
        {ROW(test_accuracy), false, (double)-INFINITY, {"/history"}},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        saved s = make_saved();
        char *field = (table[i].row ? (char *)&s.state.history[1] : (char *)&s.state) + table[i].offset;
        uint64_t count = ((uint64_t)1 << 63) + (uint64_t)(table[i].whole ? table[i].number : 0);
        memcpy(field, table[i].whole ? (const void *)&count : &table[i].number, sizeof count);
        ck_assert_done(nm_checkpoint_save(ctx, in_folder("a.h5"), s.net, &s.state));
        nm_checkpoint *c;
        nm_train_state read = {.optimizer = "adam", .slots = 2, .slot_names = slot_names, .data = "digits"};
        memcpy(read.slot, s.state.slot, sizeof read.slot);
        nm_status status = nm_checkpoint_open(ctx, in_folder("a.h5"), &c);
        if (status == NM_OK)
            status = nm_checkpoint_load_state(ctx, c, s.net, &read);
        ck_assert_int_eq(status, NM_INVALID);
        assert_message(table[i].words);
        nm_errors_clear(ctx);
        nm_checkpoint_free(c);
        free_saved(&s);
    }
}
END_TEST

SUITE_WITH("checkpoint damage", with_folder, every_bit_counts, damage_is_told, names_that_are_not_printable,
           layers_that_are_not_printable, foreign_and_future, another_model, full_disk, folder_that_is_not_there,
           no_memory, odd_numbers)
