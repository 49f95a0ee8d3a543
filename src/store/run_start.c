/* From which checkpoint a run goes on. What cannot be gone on from is never started over. */
#include "run_files.h"

#include "alloc.h"
#include "file.h"

#include <limits.h>
#include <string.h>
#include <sys/stat.h>

/* What the digest in the file does not confirm is logged and passed over. */
static nm_status verify(nm_run_dir *run, const char *name, bool *whole)
{
    char *path = nm_run_dir_file(run, name);
    int first = nm_error_count(run->ctx);
    nm_checkpoint *c = NULL;
    nm_status status = path ? nm_checkpoint_open(run->ctx, path, &c) : NM_FAILED;
    nm_free(path);
    nm_checkpoint_free(c);
    *whole = status == NM_OK;
    if (*whole)
        strcpy(run->last, name);
    if (status != NM_INVALID)
        return status;
    nm_log(run->ctx, "%s; it is passed over", nm_error_message(run->ctx, first));
    nm_errors_drop(run->ctx, first);
    return NM_OK;
}

/* The numbered ones come first, also where best.h5 is newer: its history may end with the row of a
 * run's end, which is no part of the state, and from a numbered one the run comes to the same bits.
 * run->last stays empty where none is whole. */
static nm_status find_whole(nm_run_dir *run, bool best)
{
    char name[sizeof run->last];
    long long step = LLONG_MAX;
    bool whole = false;
    while (!whole) {
        NM_TRY(nm_run_newest(run, step, &step));
        if (step < 0)
            break;
        nm_run_step_name(step, name, sizeof name);
        NM_TRY(verify(run, name, &whole));
    }
    return whole || !best ? NM_OK : verify(run, "best.h5", &whole);
}

/* Rows without a checkpoint: a new run would replace them. The header alone is what a process that
 * was killed before its first checkpoint has left. */
static nm_status check_rows(const nm_run_dir *run)
{
    bool there;
    NM_TRY(nm_run_has(run, "metrics.csv", &there));
    if (!there)
        return NM_OK;
    char *path = nm_run_dir_file(run, "metrics.csv"), *text = NULL;
    size_t size = 0;
    nm_status status = path ? nm_file_read(run->ctx, path, &text, &size) : NM_FAILED;
    nm_free(path);
    NM_TRY(status);
    const char *end = memchr(text, '\n', size);
    bool rows = end && (size_t)(end + 1 - text) < size;
    nm_free(text);
    if (!rows)
        return NM_OK;
    return nm_fail(run->ctx, NM_INVALID,
                   "%s: its metrics.csv has rows, but no checkpoint is there (last.h5, best.h5, step-NNNNNNNN.h5): "
                   "there is nothing to go on from, and starting at step 0 would replace them; choose another folder "
                   "(--run), or put a checkpoint back",
                   run->path);
}

static nm_status look(const nm_run_dir *run, bool *last, bool *best, long long *newest)
{
    NM_TRY(nm_run_has(run, "last.h5", last));
    NM_TRY(nm_run_has(run, "best.h5", best));
    return nm_run_newest(run, LLONG_MAX, newest);
}

/* last.h5 is lost: what is left is told, or gone on from. */
static nm_status start_without_last(nm_run_dir *run, bool resume, bool best, long long newest)
{
    char name[sizeof run->last] = "best.h5";
    if (newest >= 0)
        nm_run_step_name(newest, name, sizeof name);
    if (!resume)
        return nm_fail(run->ctx, NM_INVALID,
                       "%s: last.h5 is missing, but %s is there: --resume goes on from the newest checkpoint that is "
                       "whole; or choose another folder",
                       run->path, name);
    NM_TRY(find_whole(run, best));
    if (!*run->last)
        return nm_fail(
            run->ctx, NM_INVALID,
            "%s: last.h5 is missing, but %s is there, which is damaged, as are all others: the run cannot go on; "
            "choose another folder (--run)",
            run->path, name);
    run->has_last = true;
    nm_log(run->ctx, "%s: last.h5 is missing: it goes on from %s, the newest whole checkpoint", run->path, run->last);
    return NM_OK;
}

nm_status nm_run_find_last(nm_run_dir *run, bool resume)
{
    bool last, best;
    long long newest;
    NM_TRY(look(run, &last, &best, &newest));
    if (last && !resume)
        return nm_fail(run->ctx, NM_INVALID,
                       "%s: holds a run already: --resume goes on with it; or choose another folder", run->path);
    run->has_last = last;
    if (last)
        strcpy(run->last, "last.h5");
    else if (best || newest >= 0)
        return start_without_last(run, resume, best, newest);
    return last ? NM_OK : check_rows(run);
}

nm_status nm_run_dir_has_checkpoint(nm_context *ctx, const char *path, bool *there)
{
    nm_run_dir run = {.ctx = ctx};
    bool last, best;
    long long newest;
    struct stat st;
    *there = false;
    if (stat(path, &st) != 0 || !S_ISDIR(st.st_mode)) /* opening it will say what is wrong */
        return NM_OK;
    if (!(run.path = nm_strdup(ctx, path)))
        return NM_FAILED;
    nm_status status = look(&run, &last, &best, &newest);
    *there = status == NM_OK && (last || best || newest >= 0);
    nm_free(run.path);
    return status;
}
