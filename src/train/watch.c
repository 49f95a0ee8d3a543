/* watch.csv: step,layer,unit,p15,p50,p85. */
#include "watch.h"

#include "alloc.h"
#include "csv.h"
#include "file.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char header[] = "step,layer,unit,p15,p50,p85\n";

typedef struct watched {
    const char *layer;
    int node;   /* whose output the layer reads */
    bool input; /* it is an input of the network */
    int unit;
    nm_shape shape;
} watched;

struct nm_watch {
    nm_context *ctx;
    int count;
    watched *units;
    int kept, *nodes; /* nodes whose output must stay */
    double *values;   /* holds one unit's values over a batch */
    char *path;
    FILE *file;
};

static nm_status find_unit(nm_context *ctx, const nm_network *net, const char *text, watched *out)
{
    const nm_yaml *at = nm_yaml_get(nm_yaml_get(net->document, "train"), "watch");
    const char *slash = strrchr(text, '/');
    char name[256];
    char *end = NULL;
    long unit = slash ? strtol(slash + 1, &end, 10) : -1;
    if (!slash || slash[1] < '0' || slash[1] > '9' || *end || (size_t)(slash - text) >= sizeof name)
        return nm_yaml_fail(ctx, at, "train: option 'watch': expected LAYER/UNIT, found '%s'", text);
    snprintf(name, sizeof name, "%.*s", (int)(slash - text), text);
    int node = nm_network_find(net, name);
    if (node < net->inputs)
        return nm_yaml_fail(ctx, at, "train: option 'watch': %s '%s'",
                            node < 0 ? "there is no layer" : "nothing is read by the input", name);
    int from = net->node[node].from[0];
    *out = (watched){net->node[node].name, from, from < net->inputs, (int)unit, net->node[node].in[0]};
    if (unit >= out->shape.c)
        return nm_yaml_fail(ctx, at, "train: option 'watch': '%s' reads units 0 to %d, found %ld", name,
                            out->shape.c - 1, unit);
    return NM_OK;
}

nm_status nm_watch_new(nm_context *ctx, const nm_network *net, const nm_strings *units, int batch, nm_watch **out)
{
    *out = NULL;
    if (units->count == 0)
        return NM_OK;
    nm_watch *w = nm_alloc(ctx, 1, sizeof *w);
    if (!w)
        return NM_FAILED;
    w->ctx = ctx;
    w->units = nm_alloc(ctx, (size_t)units->count, sizeof *w->units);
    w->nodes = nm_alloc(ctx, (size_t)units->count, sizeof *w->nodes);
    nm_status status = w->units && w->nodes ? NM_OK : NM_FAILED;
    size_t most = 0;
    for (int i = 0; i < units->count && status == NM_OK; i++) {
        status = find_unit(ctx, net, units->values[i], &w->units[i]);
        if (!w->units[i].input)
            w->nodes[w->kept++] = w->units[i].node;
        size_t places = (size_t)w->units[i].shape.h * (size_t)w->units[i].shape.w;
        most = places > most ? places : most;
    }
    w->count = units->count;
    if (status == NM_OK && !(w->values = nm_alloc(ctx, most * (size_t)batch, sizeof *w->values)))
        status = NM_FAILED;
    if (status == NM_OK)
        *out = w;
    else
        nm_watch_free(w);
    return status;
}

const int *nm_watch_nodes(const nm_watch *w, int *count)
{
    *count = w ? w->kept : 0;
    return w ? w->nodes : NULL;
}

void nm_watch_free(nm_watch *w)
{
    if (!w)
        return;
    if (w->file)
        fclose(w->file);
    nm_free(w->path);
    nm_free(w->units);
    nm_free(w->nodes);
    nm_free(w->values);
    nm_free(w);
}

/* ---- the file ---------------------------------------------------------------------------- */

/* The length of the part of `text` that stays: the header and the whole rows up to `step`. */
static size_t kept_part(const char *text, size_t size, uint64_t step)
{
    if (size < sizeof header - 1 || memcmp(text, header, sizeof header - 1) != 0)
        return 0;
    size_t kept = sizeof header - 1;
    while (kept < size) {
        const char *end = memchr(text + kept, '\n', size - kept);
        if (!end || strtoull(text + kept, NULL, 10) > step)
            break;
        kept = (size_t)(end - text) + 1;
    }
    return kept;
}

nm_status nm_watch_open(nm_watch *w, const nm_run_dir *run, uint64_t step)
{
    if (!w)
        return NM_OK;
    if (!(w->path = nm_run_dir_file(run, "watch.csv")))
        return NM_FAILED;
    char *old = NULL;
    nm_bytes block = {header, sizeof header - 1};
    size_t size = 0;
    if (step > 0 && access(w->path, F_OK) == 0) {
        NM_TRY(nm_file_read(w->ctx, w->path, &old, &size));
        size_t kept = kept_part(old, size, step);
        if (kept)
            block = (nm_bytes){old, kept};
    }
    nm_status status = nm_file_replace(w->ctx, w->path, &block, 1);
    nm_free(old);
    NM_TRY(status);
    w->file = fopen(w->path, "ae");
    return w->file ? NM_OK : nm_fail(w->ctx, NM_FAILED, "%s: cannot open: %s", w->path, strerror(errno));
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Between the two nearest ranks (the definition of R's type 7). */
static double percentile(const double *sorted, size_t count, double p)
{
    double at = p * (double)(count - 1);
    size_t low = (size_t)at, high = low + 1 < count ? low + 1 : low;
    return sorted[low] + (at - (double)low) * (sorted[high] - sorted[low]);
}

static void unit_row(nm_watch *w, const watched *u, const real *x, uint64_t step, int n)
{
    size_t count = (size_t)n * (size_t)u->shape.h * (size_t)u->shape.w;
    for (size_t i = 0; i < count; i++)
        w->values[i] = (double)x[i * (size_t)u->shape.c + (size_t)u->unit];
    qsort(w->values, count, sizeof *w->values, ascending);
    fprintf(w->file, "%llu,", (unsigned long long)step);
    nm_csv_put(w->file, u->layer);
    fprintf(w->file, ",%d,%.9g,%.9g,%.9g\n", u->unit, percentile(w->values, count, 0.15),
            percentile(w->values, count, 0.5), percentile(w->values, count, 0.85));
}

void nm_watch_row(nm_watch *w, const nm_plan *plan, const nm_batch *batch, uint64_t step)
{
    for (int i = 0; w && w->file && i < w->count; i++) {
        const watched *u = &w->units[i];
        unit_row(w, u, u->input ? batch->x[u->node] : nm_plan_output(plan, u->node), step, batch->n);
    }
}

nm_status nm_watch_flush(nm_watch *w)
{
    if (!w || !w->file)
        return NM_OK;
    if (fflush(w->file) != 0 || ferror(w->file) || fsync(fileno(w->file)) != 0)
        return nm_fail(w->ctx, NM_FAILED, "%s: cannot write: %s", w->path, strerror(errno));
    return NM_OK;
}
