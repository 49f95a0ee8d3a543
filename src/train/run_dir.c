/* The run directory. */
#include "run_dir.h"

#include "alloc.h"
#include "file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static const char header[] = "epoch,step,lr,train_loss,train_accuracy,test_loss,test_accuracy,seconds\n";

char *nm_run_dir_file(const nm_run_dir *run, const char *name)
{
    return nm_format(run->ctx, "%s/%s", run->path, name);
}

static bool exists(const nm_run_dir *run, const char *name)
{
    char *path = nm_run_dir_file(run, name);
    struct stat st;
    bool there = path && lstat(path, &st) == 0;
    nm_free(path);
    return there;
}

/* ---- opening --------------------------------------------------------------------------- */

/* The folder and those above it. */
static nm_status make_folder(nm_context *ctx, const char *path)
{
    char *part = nm_strdup(ctx, path);
    if (!part)
        return NM_FAILED;
    nm_status status = NM_OK;
    for (char *c = part + 1; status == NM_OK; c++) {
        char end = *c;
        if (end != '/' && end != '\0')
            continue;
        *c = '\0';
        struct stat st;
        if (mkdir(part, 0777) != 0 && errno != EEXIST)
            status = nm_fail(ctx, NM_FAILED, "%s: cannot make the run directory: %s", path, strerror(errno));
        else if (stat(part, &st) != 0 || !S_ISDIR(st.st_mode))
            status =
                nm_fail(ctx, NM_INVALID, "%s: expected a folder for the run; '%s' is a file", path, part);
        *c = end;
        if (end == '\0')
            break;
    }
    nm_free(part);
    return status;
}

static nm_status take_lock(nm_run_dir *run)
{
    char *path = nm_run_dir_file(run, "lock");
    if (!path)
        return NM_FAILED;
    nm_status status = NM_OK;
    run->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (run->lock < 0) {
        status =
            nm_fail(run->ctx, NM_FAILED, "%s: cannot write in the run directory: %s", path, strerror(errno));
    } else if (flock(run->lock, LOCK_EX | LOCK_NB) != 0) {
        char holder[32] = "";
        ssize_t got = read(run->lock, holder, sizeof holder - 1);
        holder[got > 0 ? strcspn(holder, "\n") : 0] = '\0';
        status = errno == EWOULDBLOCK || got >= 0
                     ? nm_fail(run->ctx, NM_INVALID, "%s: in use by process %s: one process a run directory",
                               run->path, *holder ? holder : "(unknown)")
                     : nm_fail(run->ctx, NM_FAILED, "%s: cannot be locked: %s", path, strerror(errno));
    } else {
        char own[32];
        int length = snprintf(own, sizeof own, "%ld\n", (long)getpid());
        if (ftruncate(run->lock, 0) != 0 || pwrite(run->lock, own, (size_t)length, 0) != length)
            status = nm_fail(run->ctx, NM_FAILED, "%s: cannot write: %s", path, strerror(errno));
    }
    nm_free(path);
    return status;
}

/* Nothing that somebody else put there may be replaced: without a lock file the folder has never been a
 * run's. */
static nm_status check_foreign(const nm_run_dir *run)
{
    static const char *const ours[] = {"model.yaml", "metrics.csv", "watch.csv", "last.h5", "best.h5"};
    if (exists(run, "lock"))
        return NM_OK;
    for (size_t i = 0; i < sizeof ours / sizeof *ours; i++)
        if (exists(run, ours[i]))
            return nm_fail(
                run->ctx, NM_INVALID,
                "%s: not a run directory, but it has a %s, which would be replaced: choose another folder",
                run->path, ours[i]);
    return NM_OK;
}

/* Calls `each` for every file of the folder. */
static void each_file(const nm_run_dir *run, void (*each)(void *arg, const char *name), void *arg)
{
    DIR *folder = opendir(run->path);
    struct dirent *entry;
    while (folder && (entry = readdir(folder)))
        each(arg, entry->d_name);
    if (folder)
        closedir(folder);
}

/* What a process that was killed while it wrote has left. The lock is ours: nobody is writing now. */
static void remove_temporary(void *arg, const char *name)
{
    const nm_run_dir *run = arg;
    if (!strstr(name, ".tmp-"))
        return;
    char *path = nm_run_dir_file(run, name);
    if (path)
        unlink(path);
    nm_free(path);
}

static nm_status read_old_metrics(nm_run_dir *run)
{
    char *path = nm_run_dir_file(run, "metrics.csv"), *text = NULL;
    size_t size = 0;
    nm_status status = !path                        ? NM_FAILED
                       : exists(run, "metrics.csv") ? nm_file_read(run->ctx, path, &text, &size)
                                                    : NM_OK;
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
        if (sscanf(line, "%*[^,],%llu,%*[^,],%*[^,],%*[^,],%*[^,],%*[^,],%lf", &step, &seconds) == 2) {
            run->old_steps[run->old_rows] = step;
            run->old_seconds[run->old_rows++] = seconds;
        }
    }
    nm_free(text);
    return status;
}

static nm_status open_folder(nm_run_dir *run, const char *path, bool resume)
{
    if (!(run->path = nm_strdup(run->ctx, path)))
        return NM_FAILED;
    for (size_t n = strlen(run->path); n > 1 && run->path[n - 1] == '/'; n--)
        run->path[n - 1] = '\0';
    if (!*run->path)
        return nm_fail(run->ctx, NM_INVALID, "the run directory has an empty name");
    NM_TRY(make_folder(run->ctx, run->path));
    NM_TRY(check_foreign(run));
    NM_TRY(take_lock(run));
    run->has_last = exists(run, "last.h5");
    if (run->has_last && !resume)
        return nm_fail(run->ctx, NM_INVALID,
                       "%s: holds a run already: --resume goes on with it; or choose another folder",
                       run->path);
    each_file(run, remove_temporary, run);
    return resume ? read_old_metrics(run) : NM_OK;
}

nm_status nm_run_dir_open(nm_context *ctx, const char *path, bool resume, nm_run_dir **out)
{
    *out = NULL;
    nm_run_dir *run = nm_alloc(ctx, 1, sizeof *run);
    if (!run)
        return NM_FAILED;
    *run = (nm_run_dir){.ctx = ctx, .lock = -1};
    nm_status status = open_folder(run, path, resume);
    if (status == NM_OK)
        *out = run;
    else
        nm_run_dir_close(run);
    return status;
}

void nm_run_dir_close(nm_run_dir *run)
{
    if (!run)
        return;
    if (run->lock >= 0)
        close(run->lock); /* and with it the lock */
    nm_free(run->path);
    nm_free(run->old_steps);
    nm_free(run->old_seconds);
    nm_free(run);
}

/* ---- model.yaml, metrics.csv ------------------------------------------------------------ */

static nm_status replace(const nm_run_dir *run, const char *name, const char *text, size_t size)
{
    char *path = nm_run_dir_file(run, name);
    nm_status status = path ? nm_file_replace(run->ctx, path, &(nm_piece){text, size}, 1) : NM_FAILED;
    nm_free(path);
    return status;
}

nm_status nm_run_dir_model(const nm_run_dir *run, const char *text)
{
    return replace(run, "model.yaml", text, strlen(text));
}

/* ",value"; a NaN has no sign here. */
static int number(char *text, size_t size, double value)
{
    return isnan(value) ? snprintf(text, size, ",nan") : snprintf(text, size, ",%.9g", value);
}

nm_status nm_run_dir_metrics(const nm_run_dir *run, const nm_history_row *history, const double *seconds,
                             int rows)
{
    enum { LINE = 160 };
    size_t room = sizeof header + (size_t)rows * LINE, used = sizeof header - 1;
    char *text = nm_alloc(run->ctx, room, 1);
    if (!text)
        return NM_FAILED;
    memcpy(text, header, used);
    for (int i = 0; i < rows; i++) {
        const nm_history_row *row = &history[i];
        const double values[] = {row->lr, row->train_loss, row->train_accuracy, row->test_loss,
                                 row->test_accuracy};
        used += (size_t)snprintf(text + used, room - used, "%u,%llu", (unsigned)row->epoch,
                                 (unsigned long long)row->step);
        for (int v = 0; v < 5; v++)
            used += (size_t)number(text + used, room - used, values[v]);
        used += (size_t)snprintf(text + used, room - used, ",%.3f\n", seconds[i]);
    }
    nm_status status = replace(run, "metrics.csv", text, used);
    nm_free(text);
    return status;
}

double nm_run_dir_seconds(const nm_run_dir *run, uint64_t step)
{
    for (int i = 0; i < run->old_rows; i++)
        if (run->old_steps[i] == step)
            return run->old_seconds[i];
    return 0;
}

/* ---- checkpoints ------------------------------------------------------------------------- */

/* The number in "step-NNNNNNNN.h5" (eight digits or more), or -1. */
static long long step_of(const char *name)
{
    char *end;
    if (strncmp(name, "step-", 5) != 0 || name[5] < '0' || name[5] > '9')
        return -1;
    long long step = strtoll(name + 5, &end, 10);
    return end - (name + 5) >= 8 && strcmp(end, ".h5") == 0 ? step : -1;
}

typedef struct newest {
    long long below; /* looking for the largest number below this */
    long long found;
} newest;

static void find_newest(void *arg, const char *name)
{
    newest *n = arg;
    long long step = step_of(name);
    if (step >= 0 && step < n->below && step > n->found)
        n->found = step;
}

static void delete_older(const nm_run_dir *run, long long than)
{
    for (newest n = {.below = than};; n.below = n.found) {
        n.found = -1;
        each_file(run, find_newest, &n);
        if (n.found < 0)
            return;
        char name[40];
        snprintf(name, sizeof name, "step-%08lld.h5", n.found);
        char *path = nm_run_dir_file(run, name);
        if (path)
            unlink(path);
        nm_free(path);
    }
}

/* Keeps the newest `keep` of the files up to this step, and whatever a run that was further on has left. */
static void rotate(const nm_run_dir *run, long long step, int keep)
{
    newest n = {.below = step + 1};
    for (int i = 0; i < keep; i++) {
        n.found = -1;
        each_file(run, find_newest, &n);
        if (n.found < 0)
            return;
        n.below = n.found;
    }
    delete_older(run, n.below);
}

nm_status nm_run_dir_save(const nm_run_dir *run, const nm_network *net, const nm_train_state *state, int keep)
{
    char *last = nm_run_dir_file(run, "last.h5");
    char *numbered = nm_format(run->ctx, "%s/step-%08llu.h5", run->path, (unsigned long long)state->step);
    nm_status status = last && numbered ? NM_OK : NM_FAILED;
    if (status == NM_OK)
        status = nm_checkpoint_save(run->ctx, keep > 0 ? numbered : last, net, state);
    if (status == NM_OK && keep > 0) {
        rotate(run, (long long)state->step, keep);
        status = nm_file_link(run->ctx, numbered, last);
    }
    nm_free(numbered);
    nm_free(last);
    return status;
}

nm_status nm_run_dir_save_best(const nm_run_dir *run, const nm_network *net, const nm_train_state *state)
{
    char *path = nm_run_dir_file(run, "best.h5");
    nm_status status = path ? nm_checkpoint_save(run->ctx, path, net, state) : NM_FAILED;
    nm_free(path);
    return status;
}
