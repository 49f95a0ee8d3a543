/* norma verify: the trials, each a run in a folder of its own that goes when it has been compared.
 */
#include "verify.h"

#include "alloc.h"
#include "difference.h"
#include "file.h"

#include <ftw.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* What the checkpoints of two runs may take on the disk. */
static const double most_bytes = 512e6;

/* ---- setting up ------------------------------------------------------------------------------ */

/* Numbers of a checkpoint: parameters, and two slots for each at most. */
static nm_status measure(const verification *v, uint64_t *steps, double *bytes)
{
    nm_yaml *document;
    nm_network *net;
    NM_TRY(nm_yaml_copy(v->ctx, v->document, &document));
    NM_TRY(nm_network_open(v->ctx, document, &nm_train_section, &net));
    *steps = (uint64_t)nm_settings_of(net)->steps;
    *bytes = 3.0 * sizeof(real) * (double)net->weight_count;
    nm_network_free(net);
    return NM_OK;
}

nm_status verify_set_up(verification *v)
{
    double bytes;
    char text[32];
    NM_TRY(measure(v, &v->steps, &bytes));
    double every = 2 * bytes * (double)v->steps / most_bytes;
    v->every = every > 1 ? (int)every + 1 : 1;
    snprintf(text, sizeof text, "%ds", v->every);
    NM_TRY(change_document(v->ctx, v->document, "norma verify", "train.save_every", text));
    snprintf(text, sizeof text, "%" PRIu64, v->steps / (uint64_t)v->every + MOST_STOPS + 2);
    NM_TRY(change_document(v->ctx, v->document, "norma verify", "train.keep", text));
    const char *parent = getenv("TMPDIR");
    v->folder = nm_format(v->ctx, "%s/norma-verify-XXXXXX", parent && *parent ? parent : "/tmp");
    if (!v->folder)
        return NM_FAILED;
    if (mkdtemp(v->folder))
        return NM_OK;
    nm_status status =
        nm_fail(v->ctx, NM_FAILED, "%s: cannot be made: set TMPDIR to a folder that can be written to", v->folder);
    nm_free(v->folder);
    v->folder = NULL;
    return status;
}

static trial *add_trial(verification *v, int threads, int stops)
{
    trial *t = &v->trial[v->trials++];
    *t = (trial){.stops = stops};
    for (int i = 0; i <= stops; i++)
        t->threads[i] = threads;
    int used = snprintf(t->title, sizeof t->title, "%d thread%s", threads, threads == 1 ? "" : "s");
    if (stops)
        snprintf(t->title + used, sizeof t->title - (size_t)used, ", stopped %d times", stops);
    return t;
}

void verify_list(verification *v, int most, bool planted)
{
    int counts[] = {1, 2, 3, most};
    for (int i = 0; i < 4; i++)
        if (i < 3 || most > 3)
            add_trial(v, counts[i], 0);
    add_trial(v, most, MOST_STOPS);
    trial *mixed = add_trial(v, most, MOST_STOPS);
    for (int i = 0; i <= mixed->stops; i++)
        mixed->threads[i] = counts[i];
    snprintf(mixed->title, sizeof mixed->title, "%d, %d, %d, %d threads, stopped %d times", counts[0], counts[1],
             counts[2], counts[3], mixed->stops);
    if (!planted)
        return;
    trial *wrong = add_trial(v, most, MOST_STOPS);
    wrong->planted = true;
    snprintf(wrong->title, sizeof wrong->title, "planted: another l2 in the last part");
}

/* ---- training -------------------------------------------------------------------------------- */

typedef struct progress_watch {
    verification *v;
    uint64_t stop_at;
    int stop;
} progress_watch;

/* After each step. */
static void watch_step(void *arg, const nm_progress *p)
{
    progress_watch *w = arg;
    if (p->epoch == 1 && p->step > w->v->epoch_steps)
        w->v->epoch_steps = p->step;
    if (p->step == w->stop_at || nm_stop_wanted(stop_signal))
        __atomic_store_n(&w->stop, 1, __ATOMIC_RELEASE);
}

/* In the midst of an epoch where there is such a step, and the k-th of as many parts. */
static uint64_t stop_step(const verification *v, int k, int parts)
{
    uint64_t step = v->steps * (uint64_t)(k + 1) / (uint64_t)parts;
    step += v->epoch_steps > 1 && step % v->epoch_steps == 0;
    return step > 0 && step < v->steps ? step : 0;
}

/* The l2 of a planted part: large enough to move a weight in one step. */
static nm_status plant(const verification *v, nm_yaml **document)
{
    NM_TRY(nm_yaml_copy(v->ctx, v->document, document));
    const char *was = nm_yaml_text(nm_yaml_get(*document, "train"), "l2", "0");
    char text[32];
    snprintf(text, sizeof text, "%g", strtod(was, NULL) + 0.01);
    return change_document(v->ctx, *document, "norma verify --plant", "train.l2", text);
}

static nm_status train_part(verification *v, const trial *t, const char *run, int part, bool *ended)
{
    progress_watch watch = {.v = v, .stop_at = part < t->stops ? t->stop_at[part] : 0};
    nm_train_request request = {.document = v->document,
                                .run = run,
                                .resume = part > 0,
                                .cache = &v->data,
                                .progress = watch_step,
                                .arg = &watch,
                                .stop = &watch.stop};
    nm_train_result result = {0};
    nm_yaml *other = NULL;
    nm_context_set_threads(v->ctx, t->threads[part]);
    nm_status status = t->planted && part == t->stops ? plant(v, &other) : NM_OK;
    if (other)
        request.document = other;
    if (status == NM_OK)
        status = nm_train(v->ctx, &request, &result);
    nm_yaml_free(other);
    if (status == NM_OK && result.diverged)
        status = nm_fail(v->ctx, NM_DIVERGED,
                         "%s: diverged at step %" PRIu64 ": a smaller rate (--set train.lr=X) goes "
                         "further",
                         t->title, result.step);
    *ended = nm_stop_wanted(stop_signal);
    nm_train_result_free(&result);
    return status;
}

/* ---- comparing ------------------------------------------------------------------------------- */

static nm_status digest_last(const verification *v, const char *run, trial *t)
{
    char *path = nm_format(v->ctx, "%s/last.h5", run), *bytes = NULL;
    size_t size;
    nm_status status = path ? nm_file_read(v->ctx, path, &bytes, &size) : NM_FAILED;
    if (status == NM_OK)
        nm_digest(&(nm_bytes){bytes, size}, 1, t->digest);
    nm_free(bytes);
    nm_free(path);
    return status;
}

/* The first that differs: a checkpoint, which says more, or a row. */
static nm_status describe(const verification *v, const run_difference *d, trial *t)
{
    if (d->file && d->missing)
        t->difference = nm_format(v->ctx, "%s is in one run only", d->file);
    else if (d->file)
        t->difference = first_difference(v->ctx, &d->at);
    else if (d->column)
        t->difference = nm_format(v->ctx, "step %" PRIu64 ", row %d of metrics.csv, %s: %s and %s", d->row_step,
                                  d->row + 1, d->column, d->a, d->b);
    else if (d->row >= 0)
        t->difference = nm_format(v->ctx, "metrics.csv: %d and %d rows", d->rows_a, d->rows_b);
    else
        t->difference = nm_format(v->ctx, "watch.csv, line %d", d->watch_line);
    return t->difference ? NM_OK : NM_FAILED;
}

static nm_status compare_with_first(const verification *v, const char *run, trial *t)
{
    run_difference d;
    char *first = nm_format(v->ctx, "%s/0", v->folder);
    nm_status status = first ? compare_runs(v->ctx, first, run, &d) : NM_FAILED;
    nm_free(first);
    NM_TRY(status);
    t->files = d.files;
    t->rows = d.rows_b;
    if (runs_differ(&d))
        status = describe(v, &d, t);
    free_run_difference(&d);
    return status;
}

/* ---- the trials ------------------------------------------------------------------------------ */

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *where)
{
    (void)st, (void)type, (void)where;
    return remove(path);
}

static void remove_folder(const char *path)
{
    (void)nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static nm_status train_and_compare(verification *v, trial *t, const char *run, bool *ended)
{
    for (int k = 0; k < t->stops; k++)
        t->stop_at[k] = stop_step(v, k, t->stops + 1);
    *ended = false;
    for (int part = 0; part <= t->stops && !*ended; part++)
        if (part == t->stops || t->stop_at[part])
            NM_TRY(train_part(v, t, run, part, ended));
    if (*ended)
        return NM_OK;
    NM_TRY(digest_last(v, run, t));
    return compare_with_first(v, run, t);
}

nm_status verify_trial(verification *v, int i, bool *ended)
{
    char *run = nm_format(v->ctx, "%s/%d", v->folder, i);
    nm_status status = run ? train_and_compare(v, &v->trial[i], run, ended) : NM_FAILED;
    if (run && i > 0)
        remove_folder(run);
    nm_free(run);
    return status;
}

void verify_clear(verification *v)
{
    if (v->folder)
        remove_folder(v->folder);
    for (int i = 0; i < v->trials; i++)
        nm_free(v->trial[i].difference);
    nm_free(v->folder);
    nm_yaml_free(v->document);
    nm_data_cache_free(&v->data);
}
