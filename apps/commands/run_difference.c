/* Two runs: their settings, the rows of metrics.csv, their checkpoints. */
#include "alloc.h"
#include "difference.h"
#include "file.h"
#include "number_text.h"
#include "run_files.h"
#include "table.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- settings ------------------------------------------------------------------------------ */

static nm_status read_model(nm_context *ctx, const char *run, char **path, char **text)
{
    size_t size;
    *text = NULL;
    if (!(*path = nm_format(ctx, "%s/model.yaml", run)))
        return NM_FAILED;
    if (access(*path, F_OK) != 0)
        return nm_fail(ctx, NM_INVALID, "%s: %s: expected the folder of a run, which has one", *path, strerror(errno));
    return nm_file_read(ctx, *path, text, &size);
}

static nm_status compare_models(nm_context *ctx, const char *a, const char *b, setting_differences *out)
{
    char *path_a = NULL, *path_b = NULL, *text_a = NULL, *text_b = NULL;
    nm_status status = read_model(ctx, a, &path_a, &text_a);
    if (status == NM_OK)
        status = read_model(ctx, b, &path_b, &text_b);
    if (status == NM_OK)
        status = compare_settings(ctx, path_a, text_a, path_b, text_b, out);
    nm_free(path_a);
    nm_free(path_b);
    nm_free(text_a);
    nm_free(text_b);
    return status;
}

/* ---- rows ---------------------------------------------------------------------------------- */

static const char *const columns[] = {"epoch",          "step",      "lr",           "train_loss",
                                      "train_accuracy", "test_loss", "test_accuracy"};

/* The column in which two rows differ, seconds aside; -1: they do not. */
static int differing_column(const double *a, const double *b)
{
    for (int c = 0; c < COL_SECONDS; c++)
        if (memcmp(&a[c], &b[c], sizeof *a) != 0 && (a[c] == a[c] || b[c] == b[c]))
            return c;
    return -1;
}

static void compare_tables(const table *a, const table *b, run_difference *out)
{
    int common = a->rows < b->rows ? a->rows : b->rows, row = 0, column = -1;
    while (row < common && (column = differing_column(a->row[row], b->row[row])) < 0)
        row++;
    out->rows_a = a->rows;
    out->rows_b = b->rows;
    out->row = row < common || a->rows != b->rows ? row : -1;
    if (out->row < 0)
        return;
    const table *longer = row < a->rows ? a : b;
    out->row_step = (uint64_t)longer->row[row][COL_STEP];
    if (row == common)
        return;
    out->column = columns[column];
    nm_number_text(a->row[row][column], out->a);
    nm_number_text(b->row[row][column], out->b);
}

static nm_status read_rows(nm_context *ctx, const char *run, table *out)
{
    char *path = nm_format(ctx, "%s/metrics.csv", run);
    *out = (table){0};
    if (!path)
        return NM_FAILED;
    bool there = access(path, F_OK) == 0 || errno != ENOENT; /* a run of a few steps has none yet */
    nm_free(path);
    return there ? read_metrics(ctx, run, out) : NM_OK;
}

static nm_status compare_rows(nm_context *ctx, const char *a, const char *b, run_difference *out)
{
    table in_a = {0}, in_b = {0};
    nm_status status = read_rows(ctx, a, &in_a);
    if (status == NM_OK)
        status = read_rows(ctx, b, &in_b);
    if (status == NM_OK)
        compare_tables(&in_a, &in_b, out);
    free_table(&in_a);
    free_table(&in_b);
    return status;
}

/* ---- watched units ------------------------------------------------------------------------- */

/* "" where there is no such file; nm_free. */
static nm_status read_watch(nm_context *ctx, const char *run, char **text)
{
    size_t size;
    char *path = nm_format(ctx, "%s/watch.csv", run);
    *text = NULL;
    if (!path)
        return NM_FAILED;
    bool there = access(path, F_OK) == 0 || errno != ENOENT;
    nm_status status = there ? nm_file_read(ctx, path, text, &size) : NM_OK;
    if (!there && !(*text = nm_strdup(ctx, "")))
        status = NM_FAILED;
    nm_free(path);
    return status;
}

static nm_status compare_watch(nm_context *ctx, const char *a, const char *b, run_difference *out)
{
    char *in_a = NULL, *in_b = NULL;
    nm_status status = read_watch(ctx, a, &in_a);
    if (status == NM_OK)
        status = read_watch(ctx, b, &in_b);
    if (status == NM_OK && strcmp(in_a, in_b) != 0) {
        out->watch_line = 1;
        for (size_t i = 0; in_a[i] == in_b[i]; i++)
            out->watch_line += in_a[i] == '\n';
    }
    nm_free(in_a);
    nm_free(in_b);
    return status;
}

/* ---- checkpoints --------------------------------------------------------------------------- */

static bool has_file(nm_context *ctx, const char *run, const char *name)
{
    char *path = nm_format(ctx, "%s/%s", run, name);
    bool there = path && access(path, F_OK) == 0;
    nm_free(path);
    return there;
}

static int compare_steps(const void *x, const void *y)
{
    const long long *a = x, *b = y;
    return (*a > *b) - (*a < *b);
}

/* The steps of which A has a file; nm_free. */
static nm_status list_steps(nm_context *ctx, const char *run, long long **steps, int *count)
{
    DIR *folder = opendir(run);
    int capacity = 0;
    *steps = NULL;
    *count = 0;
    if (!folder)
        return nm_fail(ctx, NM_INVALID, "%s: %s: expected the folder of a run", run, strerror(errno));
    for (const struct dirent *e; (e = readdir(folder));) {
        long long step = nm_run_step_of(e->d_name);
        if (step < 0)
            continue;
        if (*count == capacity) {
            capacity = 2 * capacity + 64;
            long long *more = nm_alloc(ctx, (size_t)capacity, sizeof *more);
            if (more && *count)
                memcpy(more, *steps, (size_t)*count * sizeof *more);
            nm_free(*steps);
            *steps = more;
            if (!more)
                break;
        }
        (*steps)[(*count)++] = step;
    }
    closedir(folder);
    if (*steps)
        qsort(*steps, (size_t)*count, sizeof **steps, compare_steps);
    return *steps || capacity == 0 ? NM_OK : NM_FAILED;
}

/* One file of both runs; a file that neither has is equal. */
static nm_status compare_file(nm_context *ctx, const char *a, const char *b, const char *name, run_difference *out)
{
    bool in_a = has_file(ctx, a, name), in_b = has_file(ctx, b, name);
    if (!in_a && !in_b)
        return NM_OK;
    out->files++;
    out->missing = !in_a ? "A" : !in_b ? "B" : NULL;
    if (!out->missing) {
        char *path_a = nm_format(ctx, "%s/%s", a, name), *path_b = nm_format(ctx, "%s/%s", b, name);
        nm_status status = path_a && path_b ? compare_checkpoints(ctx, path_a, path_b, &out->at) : NM_FAILED;
        nm_free(path_a);
        nm_free(path_b);
        NM_TRY(status);
        if (out->at.count == 0) {
            free_checkpoint_difference(&out->at);
            return NM_OK;
        }
    }
    return (out->file = nm_strdup(ctx, name)) ? NM_OK : NM_FAILED;
}

/* The steps that both have, in their order, then where both runs stand. */
static nm_status compare_files(nm_context *ctx, const char *a, const char *b, run_difference *out)
{
    long long *steps;
    int count;
    char name[64];
    NM_TRY(list_steps(ctx, a, &steps, &count));
    nm_status status = NM_OK;
    for (int i = 0; i < count && status == NM_OK && !out->file; i++) {
        nm_run_step_name(steps[i], name, sizeof name);
        if (has_file(ctx, b, name))
            status = compare_file(ctx, a, b, name, out);
    }
    nm_free(steps);
    if (status == NM_OK && !out->file)
        status = compare_file(ctx, a, b, "last.h5", out);
    if (status == NM_OK && !out->file)
        status = compare_file(ctx, a, b, "best.h5", out);
    return status;
}

/* ---- the whole ----------------------------------------------------------------------------- */

nm_status compare_runs(nm_context *ctx, const char *a, const char *b, run_difference *out)
{
    *out = (run_difference){.row = -1};
    nm_status status = compare_models(ctx, a, b, &out->settings);
    if (status == NM_OK)
        status = compare_rows(ctx, a, b, out);
    if (status == NM_OK)
        status = compare_watch(ctx, a, b, out);
    if (status == NM_OK)
        status = compare_files(ctx, a, b, out);
    if (status != NM_OK)
        free_run_difference(out);
    return status;
}

void free_run_difference(run_difference *d)
{
    free_settings(&d->settings);
    free_checkpoint_difference(&d->at);
    nm_free(d->file);
    *d = (run_difference){.row = -1};
}

bool runs_differ(const run_difference *d)
{
    return d->row >= 0 || d->watch_line || d->file;
}
