/* The files of a run: names, model.yaml, metrics.csv, checkpoints. */
#include "run_files.h"

#include "alloc.h"
#include "file.h"
#include "h5.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char header[] = "epoch,step,lr,train_loss,train_accuracy,test_loss,test_accuracy,seconds\n";

/* ---- names -------------------------------------------------------------------------------- */

void nm_run_step_name(long long step, char *name, size_t size)
{
    snprintf(name, size, "step-%08lld.h5", step);
}

long long nm_run_step_of(const char *name)
{
    char again[64];
    long long step = strncmp(name, "step-", 5) == 0 ? strtoll(name + 5, NULL, 10) : -1;
    if (step < 0)
        return -1;
    nm_run_step_name(step, again, sizeof again);
    return strcmp(name, again) == 0 ? step : -1; /* exactly as it is written */
}

/* For what has to go on without memory; false, with errno: the system takes no path of such length.
 */
static bool make_path(const nm_run_dir *run, const char *name, char path[PATH_MAX])
{
    int length = snprintf(path, PATH_MAX, "%s/%s", run->path, name);
    bool fits = length >= 0 && length < PATH_MAX;
    errno = fits ? 0 : ENAMETOOLONG;
    return fits;
}

bool nm_run_is_checkpoint(const nm_run_dir *run, const char *name)
{
    char path[PATH_MAX], head[sizeof NM_H5_MARK - 1];
    FILE *f = make_path(run, name, path) ? nm_file_stream(path) : NULL;
    bool ours = f && fread(head, 1, sizeof head, f) == sizeof head && memcmp(head, NM_H5_MARK, sizeof head) == 0;
    int why =
        (f && !ferror(f)) || errno == EISDIR || errno == EINVAL ? 0 : errno; /* a folder, a pipe: known not to be */
    if (f)
        fclose(f);
    errno = why;
    return ours;
}

nm_status nm_run_each_file(const nm_run_dir *run, void (*each)(void *arg, const char *name), void *arg)
{
    DIR *folder = opendir(run->path);
    if (!folder)
        return nm_fail(run->ctx, NM_FAILED, "%s: cannot open: %s", run->path, strerror(errno));
    struct dirent *entry;
    for (errno = 0; (entry = readdir(folder)); errno = 0)
        each(arg, entry->d_name);
    int why = errno;
    closedir(folder);
    return why ? nm_fail(run->ctx, NM_FAILED, "%s: cannot read: %s", run->path, strerror(why)) : NM_OK;
}

nm_status nm_run_has(const nm_run_dir *run, const char *name, bool *there)
{
    char *path = nm_run_dir_file(run, name);
    struct stat st;
    *there = path && lstat(path, &st) == 0;
    nm_status status = path ? NM_OK : NM_FAILED;
    if (path && !*there && errno != ENOENT)
        status = nm_fail(run->ctx, NM_FAILED, "%s: %s: whether it is there cannot be told, so nothing is touched", path,
                         strerror(errno));
    nm_free(path);
    return status;
}

typedef struct newest {
    long long below; /* looking for the largest number below this */
    long long found;
} newest;

static void find_newest(void *arg, const char *name)
{
    newest *n = arg;
    long long step = nm_run_step_of(name);
    if (step >= 0 && step < n->below && step > n->found)
        n->found = step;
}

nm_status nm_run_newest(const nm_run_dir *run, long long below, long long *found)
{
    newest n = {.below = below, .found = -1};
    nm_status status = nm_run_each_file(run, find_newest, &n);
    *found = n.found;
    return status;
}

/* ---- model.yaml, metrics.csv ------------------------------------------------------------ */

static nm_status replace(const nm_run_dir *run, const char *name, const char *text, size_t size)
{
    char *path = nm_run_dir_file(run, name);
    nm_status status = path ? nm_file_replace(run->ctx, path, &(nm_bytes){text, size}, 1) : NM_FAILED;
    nm_free(path);
    return status;
}

nm_status nm_run_dir_model(nm_run_dir *run, const char *text)
{
    char *path = nm_run_dir_file(run, "model.yaml");
    nm_status status = path ? replace(run, "model.yaml", text, strlen(text)) : NM_FAILED;
    /* It is there as well where only the folder could not be synced: then its lock stays with it.
     */
    run->begun = status == NM_OK || (path && access(path, F_OK) == 0);
    nm_free(path);
    return status;
}

/* ",value"; a NaN has no sign here. */
static int number(char *text, size_t size, double value)
{
    return isnan(value) ? snprintf(text, size, ",nan") : snprintf(text, size, ",%.9g", value);
}

nm_status nm_run_dir_metrics(const nm_run_dir *run, const nm_history_row *history, const double *seconds, int rows)
{
    enum { LINE = 160 };
    size_t capacity = sizeof header + (size_t)rows * LINE, used = sizeof header - 1;
    char *text = nm_alloc(run->ctx, capacity, 1);
    if (!text)
        return NM_FAILED;
    memcpy(text, header, used);
    for (int i = 0; i < rows; i++) {
        const nm_history_row *row = &history[i];
        const double values[] = {row->lr, row->train_loss, row->train_accuracy, row->test_loss, row->test_accuracy};
        used += (size_t)snprintf(text + used, capacity - used, "%u,%llu", (unsigned)row->epoch,
                                 (unsigned long long)row->step);
        for (int v = 0; v < 5; v++)
            used += (size_t)number(text + used, capacity - used, values[v]);
        used += (size_t)snprintf(text + used, capacity - used, ",%.3f\n", seconds[i]);
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

uint64_t nm_run_dir_diverged(const nm_run_dir *run)
{
    return run->diverged;
}

/* ---- checkpoints ------------------------------------------------------------------------- */

/* What stays is told: nothing depends on its going. No memory is asked for, lest it stay for want
 * of some. */
static void remove_checkpoint(const nm_run_dir *run, const char *name)
{
    char path[PATH_MAX];
    bool ours = nm_run_is_checkpoint(run, name);
    int why = errno;
    if (ours && make_path(run, name, path))
        why = unlink(path) == 0 ? 0 : errno;
    if (why && why != ENOENT)
        nm_log(run->ctx, "%s/%s: cannot be removed: %s; it stays", run->path, name, strerror(why));
}

/* Keeps the newest `keep` of the files up to this step, and whatever a run that was further on has
 * left. */
static nm_status rotate(const nm_run_dir *run, long long step, int keep)
{
    long long at = step + 1;
    for (int i = 0; at >= 0; i++) {
        char name[64];
        NM_TRY(nm_run_newest(run, at, &at));
        nm_run_step_name(at, name, sizeof name);
        if (at >= 0 && i >= keep)
            remove_checkpoint(run, name);
    }
    return NM_OK;
}

nm_status nm_run_dir_save(const nm_run_dir *run, const nm_network *net, const nm_train_state *state, int keep)
{
    char *last = nm_run_dir_file(run, "last.h5");
    char *numbered = nm_format(run->ctx, "%s/step-%08llu.h5", run->path, (unsigned long long)state->step);
    nm_status status = last && numbered ? NM_OK : NM_FAILED;
    if (status == NM_OK)
        status = nm_checkpoint_save(run->ctx, keep > 0 ? numbered : last, net, state);
    if (status == NM_OK && keep > 0)
        status = rotate(run, (long long)state->step, keep);
    if (status == NM_OK && keep > 0)
        status = nm_file_link(run->ctx, numbered, last);
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
