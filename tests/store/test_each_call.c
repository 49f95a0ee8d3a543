/* What keeps files, with each of its calls of the system failing in turn, and with each allocation:
 * it fails as a failure of the machine with a message, or does without; the files that were there
 * stay whole, and the same work is done afterwards. */
#include "call_faults.h"
#include "checkpoint_support.h"
#include "run_files.h"
#include "sanitized.h"

/* ---- the work ----------------------------------------------------------------------------- */

static saved kept;
static const char old_text[] = "what was there", new_text[] = "what is new, and longer";

static nm_status replace_file(void)
{
    return nm_file_replace(ctx, in_folder("file"), &(nm_bytes){new_text, sizeof new_text}, 1);
}

static nm_status link_file(void)
{
    return nm_file_link(ctx, in_folder("other"), in_folder("file"));
}

static nm_status read_file(void)
{
    char *bytes;
    size_t size;
    NM_TRY(nm_file_read(ctx, in_folder("other"), &bytes, &size));
    ck_assert_uint_eq(size, sizeof new_text);
    ck_assert_mem_eq(bytes, new_text, size);
    nm_free(bytes);
    return NM_OK;
}

static nm_status save(nm_run_dir *run, int keep)
{
    static const double seconds[] = {1, 2};
    NM_TRY(nm_run_dir_model(run, "name: n\n"));
    NM_TRY(nm_run_dir_metrics(run, kept.state.history, seconds, 0));
    NM_TRY(nm_run_dir_save(run, kept.net, &kept.state, keep));
    NM_TRY(nm_run_dir_metrics(run, kept.state.history, seconds, 2));
    return nm_run_dir_save_best(run, kept.net, &kept.state);
}

static nm_status open_and_save(const char *name, bool resume, int keep)
{
    nm_run_dir *run;
    bool there;
    char path[512];
    snprintf(path, sizeof path, "%s", in_folder(name));
    NM_TRY(nm_run_dir_has_checkpoint(ctx, path, &there));
    NM_TRY(nm_run_dir_open(ctx, path, resume, &run));
    nm_status status = save(run, keep);
    nm_run_dir_close(run);
    return status;
}

static nm_status new_run(void)
{
    return open_and_save("made/for/run", false, 0);
}

static nm_status fresh_run(void)
{
    nm_run_dir *run;
    NM_TRY(nm_run_dir_open_fresh(ctx, in_folder("stem"), &run));
    nm_status status = nm_run_dir_model(run, "name: n\n");
    nm_run_dir_close(run);
    return status;
}

static nm_status resumed_run(void)
{
    return open_and_save("run", true, 1);
}

/* last.h5 is gone, and the newest checkpoint damaged. */
static nm_status run_without_last(void)
{
    nm_run_dir *run;
    NM_TRY(nm_run_dir_open(ctx, in_folder("run"), true, &run));
    ck_assert_str_eq(run->last, "step-00000004.h5");
    nm_run_dir_close(run);
    return NM_OK;
}

static nm_status save_checkpoint(void)
{
    return nm_checkpoint_save(ctx, in_folder("run/last.h5"), kept.net, &kept.state);
}

static nm_status load_checkpoint(void)
{
    nm_checkpoint *c;
    NM_TRY(nm_checkpoint_open(ctx, in_folder("a.h5"), &c));
    nm_train_state state = {
        .optimizer = "adam", .slots = 2, .slot_names = slot_names, .slot = {kept.state.slot[0], kept.state.slot[1]}};
    nm_status status = nm_checkpoint_load(ctx, c, kept.net, false, NULL);
    if (status == NM_OK)
        status = nm_checkpoint_load_state(ctx, c, kept.net, &state);
    nm_free(state.history);
    nm_free(state.changes);
    nm_checkpoint_free(c);
    return status;
}

static void prepare(void)
{
    remove_tree(in_folder("made"));
    remove_tree(in_folder("stem-1"));
    remove_tree(in_folder("run"));
    write_content(in_folder("file"), old_text, sizeof old_text);
    write_content(in_folder("other"), new_text, sizeof new_text);
    ck_assert_int_eq(mkdir(in_folder("run"), 0777), 0);
    write_content(in_folder("run/lock"), "norma          1\n", 17);
    write_content(in_folder("run/.norma-999999999-0123456789abcdef.tmp"), "", 0);
    write_content(in_folder("run/metrics.csv"), "epoch,step\n1,5,0.1,1,1,1,1,2.5\n", 31);
    size_t size;
    char *bytes = content(in_folder("a.h5"), &size);
    write_content(in_folder("run/step-00000004.h5"), bytes, size);
    write_content(in_folder("run/last.h5"), bytes, size);
    nm_free(bytes);
}

static void prepare_without_last(void)
{
    prepare();
    ck_assert_int_eq(unlink(in_folder("run/last.h5")), 0);
    size_t size;
    char *bytes = content(in_folder("a.h5"), &size);
    write_content(in_folder("run/step-00000009.h5"), bytes, size / 2);
    nm_free(bytes);
}

static const struct {
    const char *name;
    nm_status (*run)(void);
    void (*prepare)(void);
} works[] = {{"replace", replace_file, prepare},
             {"link", link_file, prepare},
             {"read", read_file, prepare},
             {"new run", new_run, prepare},
             {"fresh run", fresh_run, prepare},
             {"resumed run", resumed_run, prepare},
             {"save", save_checkpoint, prepare},
             {"load", load_checkpoint, prepare},
             {"without last", run_without_last, prepare_without_last}};
enum { WORKS = sizeof works / sizeof *works };

/* ---- what must hold ------------------------------------------------------------------------- */

/* A file is the old one or the new one; and all checkpoints of this state have the same bytes. */
static bool has(const char *name, const char *bytes, size_t size)
{
    size_t found;
    char *text = content(in_folder(name), &found);
    bool same = found == size && memcmp(text, bytes, size) == 0;
    nm_free(text);
    return same;
}

static void check_whole(const char *what)
{
    bool last = access(in_folder("run/last.h5"), F_OK) == 0;
    ck_assert_msg(has("file", old_text, sizeof old_text) || has("file", new_text, sizeof new_text), "%s: a torn file",
                  what);
    size_t size;
    char *bytes = content(in_folder("a.h5"), &size);
    ck_assert_msg(has(last ? "run/last.h5" : "run/step-00000004.h5", bytes, size), "%s: a torn checkpoint", what);
    nm_free(bytes);
}

/* Runs work w with what `fault`, or the allocations' counter, says. */
static void try_work(int w, const char *what)
{
    works[w].prepare();
    memset(fault.seen, 0, sizeof fault.seen);
    fault.on = true;
    nm_status status = works[w].run();
    fault.on = false;
    nm_alloc_fail_at(0);
    ck_assert_msg(status == NM_OK || (status == NM_FAILED && nm_error_count(ctx) > 0), "%s: %s: status %d: %s",
                  works[w].name, what, status, nm_error_count(ctx) ? nm_error_message(ctx, 0) : "no message");
    nm_errors_clear(ctx);
    check_whole(what);
    if (status == NM_OK)
        return;
    status = works[w].run == new_run && access(in_folder("made/for/run/last.h5"), F_OK) == 0 ? NM_OK : works[w].run();
    ck_assert_msg(status == NM_OK, "%s: %s: not done afterwards: %s", works[w].name, what, nm_error_message(ctx, 0));
}

static void begin(void)
{
    nm_context_set_threads(ctx, 1);
    kept = make_saved();
    ck_assert_done(nm_checkpoint_save(ctx, in_folder("a.h5"), kept.net, &kept.state));
}

/* Every call of one name in work w. */
static void try_each(int w, call which, int error)
{
    bool bytes = which == READ || which == WRITE || which == PWRITE;
    if ((error == 0 && !bytes) || (error == EACCES && which != OPEN) ||
        (which >= H5_GROUP && works[w].run != save_checkpoint))
        return;
    for (int k = 1;; k += SANITIZED && k > 8 ? 5 : 1) {
        char what[80];
        snprintf(what, sizeof what, "call %d, %d of them, error %d", (int)which, k, error);
        fault.which = which;
        fault.error = error;
        fault.at = k;
        try_work(w, what);
        if (fault.seen[which] < k)
            return;
    }
}

START_TEST(each_call)
{
    static const int errors[] = {EIO, EACCES, 0};
    begin();
    for (size_t e = 0; e < sizeof errors / sizeof *errors; e++)
        for (int which = 0; which < CALLS; which++)
            try_each(_i, (call)which, errors[e]);
    free_saved(&kept);
}
END_TEST

/* The first k - 1 allocations are given, and no other; how many were asked for. */
static long try_allocation(int w, long k)
{
    char what[80];
    works[w].prepare();
    snprintf(what, sizeof what, "allocation %ld and all behind", k);
    nm_alloc_fail_at(k);
    nm_status status = works[w].run();
    long made = nm_alloc_count();
    nm_alloc_fail_at(0);
    nm_errors_clear(ctx);
    ck_assert_msg(status == (made >= k ? NM_FAILED : NM_OK), "%s: %s: status %d", works[w].name, what, status);
    check_whole(what);
    return made;
}

START_TEST(each_allocation)
{
    begin();
    fault.at = 0;
    long all = try_allocation(_i, 1000000);
    for (long k = 1; k <= all; k += 1 + all / (SANITIZED ? 20 : 60))
        try_allocation(_i, k);
    free_saved(&kept);
}
END_TEST

/* That calls can fail here at all. */
START_TEST(a_call_fails)
{
    begin();
    fault.which = RENAME;
    fault.error = EIO;
    fault.at = 1;
    fault.on = true;
    ck_assert_int_eq(replace_file(), NM_FAILED);
    fault.on = false;
    assert_message(WORDS("file", "cannot write", strerror(EIO), "unchanged"));
    free_saved(&kept);
}
END_TEST

static void set_up(TCase *tcase)
{
    with_folder(tcase);
    tcase_add_loop_test(tcase, each_call, 0, WORKS);
    tcase_add_loop_test(tcase, each_allocation, 0, WORKS);
}

SUITE_WITH("each_call", set_up, a_call_fails)
