/* The run directory. */
#include "run_dir.h"

#include "alloc.h"
#include "file.h"
#include "printable.h"
#include "process.h"
#include "run_files.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

char *nm_run_dir_file(const nm_run_dir *run, const char *name)
{
    return nm_format(run->ctx, "%s/%s", run->path, name);
}

/* ---- opening --------------------------------------------------------------------------- */

/* What a process that was killed while it wrote has left; not what another one, such as a plot, is
 * writing now. Another program may have the number of the first: it began after the file was
 * written. */
static void remove_temporary(void *arg, const char *name)
{
    const nm_run_dir *run = arg;
    long process;
    if (!nm_file_is_temporary(name, &process))
        return;
    struct stat st;
    char *path = nm_run_dir_file(run, name);
    bool there = path && lstat(path, &st) == 0;
    double written = there ? (double)st.st_mtim.tv_sec + 1e-9 * (double)st.st_mtim.tv_nsec : 0;
    if (there && (process == (long)getpid() || !nm_process_lives_since(process, written)))
        unlink(path);
    nm_free(path);
}

typedef struct foreign_search {
    const nm_run_dir *run;
    bool was_run;
    int unreadable; /* errno, where it may be a checkpoint of the run */
    char name[64];  /* of a file that is in the way */
} foreign_search;

static void find_foreign(void *arg, const char *name)
{
    static const char *const ours[] = {"model.yaml", "metrics.csv", "watch.csv", "last.h5", "best.h5"};
    foreign_search *s = arg;
    bool hit = nm_run_step_of(name) >= 0 && !(s->was_run && nm_run_is_checkpoint(s->run, name));
    int why = hit && s->was_run ? errno : 0;
    hit = hit && why != ENOENT; /* it has just gone */
    for (size_t i = 0; i < sizeof ours / sizeof *ours && !s->was_run; i++)
        hit = hit || strcmp(name, ours[i]) == 0;
    if (hit) {
        s->unreadable = why;
        snprintf(s->name, sizeof s->name, "%s", name);
    }
}

/* Nothing that somebody else put there may be replaced. */
static nm_status check_foreign(const nm_run_dir *run, nm_run_lock_state lock)
{
    foreign_search search = {.run = run, .was_run = lock == NM_LOCK_OURS};
    if (lock == NM_LOCK_FOREIGN)
        strcpy(search.name, "lock");
    else
        NM_TRY(nm_run_each_file(run, find_foreign, &search));
    if (!*search.name)
        return NM_OK;
    if (search.unreadable)
        return nm_fail(run->ctx, NM_FAILED, "%s/%s: cannot be read: %s", run->path, search.name,
                       strerror(search.unreadable));
    return nm_fail(run->ctx, NM_INVALID,
                   "%s: %s a '%s' that is not norma's and would be replaced: choose another folder", run->path,
                   search.was_run ? "holds" : "not a run directory, but it has", search.name);
}

static nm_status read_old_metrics(nm_run_dir *run)
{
    char *path = nm_run_dir_file(run, "metrics.csv"), *text = NULL;
    size_t size = 0;
    bool there = false;
    nm_status status = path ? nm_run_has(run, "metrics.csv", &there) : NM_FAILED;
    if (there)
        status = nm_file_read(run->ctx, path, &text, &size);
    nm_free(path);
    size_t lines = 1;
    for (size_t i = 0; i < size; i++)
        lines += text[i] == '\n';
    if (status == NM_OK) {
        run->old_steps = nm_alloc(run->ctx, lines, sizeof *run->old_steps);
        run->old_seconds = nm_alloc(run->ctx, lines, sizeof *run->old_seconds);
        if (!run->old_steps || !run->old_seconds)
            status = NM_FAILED;
    }
    for (char *line = text, *end; status == NM_OK && line && *line; line = end) {
        end = line + strcspn(line, "\n");
        end += *end == '\n';
        unsigned long long step;
        double seconds;
        if (sscanf(line, "%*[^,\n],%llu,%*[^,\n],%*[^,\n],%*[^,\n],%*[^,\n],%*[^,\n],%lf", &step, &seconds) == 2 &&
            step <= 1ull << 53 && seconds >= 0 && seconds <= 1e12) { /* what a run writes: others are passed over */
            run->diverged = strstr(line, ",nan,nan,nan,nan,") && strstr(line, ",nan,nan,nan,nan,") < end ? step : 0;
            run->old_steps[run->old_rows] = step;
            run->old_seconds[run->old_rows++] = seconds;
        }
    }
    nm_free(text);
    return status;
}

/* The folder is there. */
static nm_status open_folder(nm_run_dir *run, bool resume)
{
    nm_run_lock_state lock;
    NM_TRY(nm_run_lock_look(run->ctx, run->path, &lock));
    NM_TRY(check_foreign(run, lock));
    NM_TRY(nm_run_lock_take(run->ctx, run->path, &run->lock));
    NM_TRY(nm_run_find_last(run, resume));
    if (lock == NM_LOCK_OURS)
        NM_TRY(nm_run_each_file(run, remove_temporary, run));
    return resume ? read_old_metrics(run) : NM_OK;
}

static nm_status make_and_open(nm_run_dir *run, const char *path, bool resume)
{
    if (!(run->path = nm_strdup(run->ctx, path)))
        return NM_FAILED;
    for (size_t n = strlen(run->path); n > 1 && run->path[n - 1] == '/'; n--)
        run->path[n - 1] = '\0';
    if (!*run->path)
        return nm_fail(run->ctx, NM_INVALID, "the run directory has an empty name: give --run DIR");
    NM_TRY(nm_folder_make(run->ctx, run->path, false, &run->folders));
    return open_folder(run, resume);
}

void nm_run_name(const char *name, char *out, size_t size)
{
    enum { MOST = 150 }; /* bytes; names of files have at most 255 */
    size_t used = 0, most = size - 1 < MOST ? size - 1 : MOST;
    while (*name) {
        const char *start = name;
        int c = nm_utf8_next(&name);
        bool unfit = !nm_is_printable(c) || c == '/' || (used == 0 && c == '.');
        size_t bytes = unfit ? 1 : (size_t)(name - start);
        if (used + bytes > most)
            break;
        memcpy(out + used, unfit ? "_" : start, bytes);
        used += bytes;
    }
    out[used] = '\0';
    if (!used)
        snprintf(out, size, "network");
}

static nm_status make_fresh(nm_run_dir *run, const char *stem)
{
    enum { MOST = 1000000 };
    for (int i = 1; i < MOST; i++) {
        nm_free(run->path);
        if (!(run->path = nm_format(run->ctx, "%s-%d", stem, i)))
            return NM_FAILED;
        NM_TRY(nm_folder_make(run->ctx, run->path, true, &run->folders));
        if (run->folders > 0)
            return open_folder(run, false);
    }
    return nm_fail(run->ctx, NM_INVALID, "%s-1 to %s-%d are there already: name a folder with --run", stem, stem,
                   MOST - 1);
}

/* By `path`, or by `stem` where that is NULL. */
static nm_status open_either(nm_context *ctx, const char *path, const char *stem, bool resume, nm_run_dir **out)
{
    *out = NULL;
    nm_run_dir *run = nm_alloc(ctx, 1, sizeof *run);
    if (!run)
        return NM_FAILED;
    *run = (nm_run_dir){.ctx = ctx, .lock.fd = -1};
    nm_status status = path ? make_and_open(run, path, resume) : make_fresh(run, stem);
    if (status == NM_OK)
        *out = run;
    else
        nm_run_dir_close(run);
    return status;
}

nm_status nm_run_dir_open(nm_context *ctx, const char *path, bool resume, nm_run_dir **out)
{
    return open_either(ctx, path, NULL, resume, out);
}

nm_status nm_run_dir_open_fresh(nm_context *ctx, const char *stem, nm_run_dir **out)
{
    return open_either(ctx, NULL, stem, false, out);
}

void nm_run_dir_close(nm_run_dir *run)
{
    if (!run)
        return;
    if (run->path) {
        nm_run_lock_release(&run->lock, run->path, run->lock.made && !run->begun);
        if (!run->begun)
            nm_folder_remove(run->path, run->folders);
    }
    nm_free(run->path);
    nm_free(run->old_steps);
    nm_free(run->old_seconds);
    nm_free(run);
}
