/* Two checkpoints, array by array. */
#include "alloc.h"
#include "difference.h"
#include "escaped.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct pair {
    nm_context *ctx;
    const char *name_a, *name_b;
    nm_contents *a, *b;
    checkpoint_difference *out;
} pair;

/* ---- what differs -------------------------------------------------------------------------- */

/* A new entry at the end; the first call makes room for all that there can be. */
static array_difference *new_entry(const pair *p, const char *path)
{
    checkpoint_difference *d = p->out;
    if (!d->array && !(d->array = nm_alloc(p->ctx, (size_t)(p->a->count + p->b->count) + 16, sizeof *d->array)))
        return NULL;
    array_difference *entry = &d->array[d->count];
    *entry = (array_difference){.path = nm_strdup(p->ctx, path)};
    d->count += entry->path != NULL;
    return entry->path ? entry : NULL;
}

static nm_status add_remark(const pair *p, const char *path, char *remark)
{
    array_difference *entry = remark ? new_entry(p, path) : NULL;
    if (!entry) {
        nm_free(remark);
        return NM_FAILED;
    }
    entry->remark = remark;
    return NM_OK;
}

static const char *or_none(const char *text)
{
    return text ? text : "none";
}

static bool same_text(const char *a, const char *b)
{
    return strcmp(or_none(a), or_none(b)) == 0;
}

/* The texts of `note`, an attribute, or where it is NULL of the object at `path`. */
static nm_status read_texts(const pair *p, const char *path, const char *note, char **a, char **b)
{
    *a = *b = NULL;
    NM_TRY(nm_contents_text(p->a, path, note, a));
    return nm_contents_text(p->b, path, note, b);
}

static nm_status compare_texts(const pair *p, const char *path, const char *note)
{
    char *a, *b, label[64];
    nm_status status = read_texts(p, path, note, &a, &b);
    if (status == NM_OK && !same_text(a, b)) {
        bool short_ones = strlen(or_none(a)) < 70 && strlen(or_none(b)) < 70;
        snprintf(label, sizeof label, "attribute %s", note ? note : "");
        status = add_remark(p, note ? label : path,
                            short_ones ? nm_format(p->ctx, "'%s' and '%s'", or_none(a), or_none(b))
                                       : nm_strdup(p->ctx, "other text"));
    }
    nm_free(a);
    nm_free(b);
    return status;
}

/* By its settings, which are told apart from what they led to. */
static nm_status compare_model_files(const pair *p)
{
    char *a, *b;
    nm_status status = read_texts(p, "/model_yaml", NULL, &a, &b);
    if (status == NM_OK && a && b)
        status = compare_settings(p->ctx, p->name_a, a, p->name_b, b, &p->out->settings);
    if (status == NM_OK && p->out->settings.count == 0 && !same_text(a, b))
        status = add_remark(p, "/model_yaml", nm_strdup(p->ctx, "the same settings in other words"));
    nm_free(a);
    nm_free(b);
    return status;
}

static bool same_shape(const nm_h5_shape *a, const nm_h5_shape *b)
{
    return a->type == b->type && a->rank == b->rank && memcmp(a->dims, b->dims, (size_t)a->rank * sizeof *a->dims) == 0;
}

static nm_status compare_objects(const pair *p, const nm_stored *a, const nm_stored *b)
{
    char in_a[NM_H5_DESCRIPTION], in_b[NM_H5_DESCRIPTION];
    p->out->compared++;
    if (a->problem || b->problem)
        return nm_fail(p->ctx, NM_INVALID, "%s: %s", a->problem ? p->name_a : p->name_b,
                       a->problem ? a->problem : b->problem);
    if (!same_shape(&a->shape, &b->shape))
        return add_remark(
            p, a->path,
            nm_format(p->ctx, "%s, and %s", nm_h5_describe(&a->shape, in_a), nm_h5_describe(&b->shape, in_b)));
    if (!same_text(a->layout, b->layout) || !same_text(a->kind, b->kind))
        return add_remark(p, a->path,
                          nm_format(p->ctx, "layout %s and kind %s, and %s and %s", or_none(a->layout),
                                    or_none(a->kind), or_none(b->layout), or_none(b->kind)));
    if (a->shape.type == NM_H5_TEXT)
        return strcmp(a->path, "/model_yaml") == 0 ? compare_model_files(p) : compare_texts(p, a->path, NULL);
    array_difference d = {0};
    NM_TRY(compare_numbers(p->a, a, p->b, b, &d));
    if (d.different == 0)
        return NM_OK;
    array_difference *entry = new_entry(p, a->path);
    if (!entry)
        return NM_FAILED;
    d.path = entry->path;
    *entry = d;
    return NM_OK;
}

static nm_status compare_all(const pair *p)
{
    static const char *const notes[] = {"format", "norma_version", "real", "isa", "openblas_core"};
    for (int i = 0; i < p->a->count; i++) {
        const nm_stored *a = &p->a->object[i], *b = nm_contents_find(p->b, a->path);
        NM_TRY(b ? compare_objects(p, a, b) : add_remark(p, a->path, nm_strdup(p->ctx, "only in A")));
    }
    for (int i = 0; i < p->b->count; i++)
        if (!nm_contents_find(p->a, p->b->object[i].path))
            NM_TRY(add_remark(p, p->b->object[i].path, nm_strdup(p->ctx, "only in B")));
    for (size_t i = 0; i < sizeof notes / sizeof *notes; i++, p->out->compared++)
        NM_TRY(compare_texts(p, "/", notes[i]));
    return compare_texts(p, "/optimizer", "type"); /* none in both, where there is no optimizer */
}

/* ---- in the network's order ---------------------------------------------------------------- */

enum { PARAMETERS, SLOTS, HISTORY, TRAINING, OTHERS };

static const char *const folders[] = {"/model/", "/optimizer/", "/history/", "/train/"};

static int folder_of(const char *path)
{
    int f = PARAMETERS;
    while (f < OTHERS && strncmp(path, folders[f], strlen(folders[f])) != 0)
        f++;
    return f;
}

/* The number of the parameter that a path of /model or /optimizer belongs to. */
static int parameter_of(const nm_network *net, const char *path, int folder)
{
    const char *name = path + strlen(folders[folder]);
    for (int i = 0; i < net->params; i++) {
        size_t length = strlen(net->param[i].name);
        if (strncmp(name, net->param[i].name, length) == 0 && (name[length] == '\0' || name[length] == '/'))
            return i;
    }
    return net->params;
}

typedef struct ranked {
    int folder, parameter, place;
    array_difference entry;
} ranked;

static int compare_ranks(const void *x, const void *y)
{
    const ranked *a = x, *b = y;
    if (a->folder != b->folder)
        return a->folder - b->folder;
    return a->parameter != b->parameter ? a->parameter - b->parameter : a->place - b->place;
}

/* Without a network (it cannot be built here) the order of the names stays, within each folder. */
static nm_status sort(const pair *p)
{
    checkpoint_difference *d = p->out;
    nm_checkpoint *checkpoint = NULL;
    nm_network *net = NULL;
    if (d->count < 2)
        return NM_OK;
    if (nm_checkpoint_open(p->ctx, p->name_a, &checkpoint) != NM_OK ||
        nm_checkpoint_network(p->ctx, checkpoint, &net) != NM_OK)
        nm_errors_clear(p->ctx);
    nm_checkpoint_free(checkpoint);
    ranked *all = nm_alloc(p->ctx, (size_t)d->count, sizeof *all);
    for (int i = 0; all && i < d->count; i++) {
        int folder = folder_of(d->array[i].path);
        int parameter = net && folder <= SLOTS ? parameter_of(net, d->array[i].path, folder) : 0;
        all[i] = (ranked){folder, parameter, i, d->array[i]};
    }
    if (all)
        qsort(all, (size_t)d->count, sizeof *all, compare_ranks);
    for (int i = 0; all && i < d->count; i++)
        d->array[i] = all[i].entry;
    nm_network_free(net);
    nm_free(all);
    return all ? NM_OK : NM_FAILED;
}

/* ---- the whole ----------------------------------------------------------------------------- */

static void read_step(const nm_contents *c, int64_t *step)
{
    if (!nm_contents_find(c, "/train/step") || !nm_contents_whole(c, "/train/step", NULL, step))
        *step = -1;
}

static nm_status compare_opened(pair *p)
{
    NM_TRY(nm_contents_open(p->ctx, p->name_a, true, &p->a));
    NM_TRY(nm_contents_open(p->ctx, p->name_b, true, &p->b));
    NM_TRY(nm_contents_list(p->a));
    NM_TRY(nm_contents_list(p->b));
    const char *problem = p->a->problem ? p->a->problem : p->b->problem;
    if (problem)
        return nm_fail(p->ctx, NM_INVALID, "%s: %s", p->a->problem ? p->name_a : p->name_b, problem);
    read_step(p->a, &p->out->step_a);
    read_step(p->b, &p->out->step_b);
    NM_TRY(compare_all(p));
    return sort(p);
}

nm_status compare_checkpoints(nm_context *ctx, const char *a, const char *b, checkpoint_difference *out)
{
    *out = (checkpoint_difference){0};
    pair p = {.ctx = ctx, .name_a = a, .name_b = b, .out = out};
    nm_status status = compare_opened(&p);
    nm_contents_free(p.a);
    nm_contents_free(p.b);
    if (status != NM_OK)
        free_checkpoint_difference(out);
    return status;
}

void free_checkpoint_difference(checkpoint_difference *d)
{
    for (int i = 0; i < d->count; i++) {
        nm_free(d->array[i].path);
        nm_free(d->array[i].remark);
    }
    nm_free(d->array);
    free_settings(&d->settings);
    *d = (checkpoint_difference){0};
}

const char *shown_path(const array_difference *d)
{
    return escaped(folder_of(d->path) == PARAMETERS ? d->path + strlen(folders[PARAMETERS]) : d->path);
}

/* "layer c1, weight", or of a slot "layer c1, momentum of weight". */
static char *place_text(nm_context *ctx, const char *path)
{
    int folder = folder_of(path);
    const char *layer = folder <= SLOTS ? path + strlen(folders[folder]) : "", *name = strchr(layer, '/');
    const char *slot = name ? strchr(name + 1, '/') : NULL;
    if (!name)
        return nm_strdup(ctx, escaped(path));
    char *layer_text = nm_format(ctx, "%.*s", (int)(name - layer), layer);
    char *name_text = nm_format(ctx, "%.*s", (int)strcspn(name + 1, "/"), name + 1), *text = NULL;
    if (layer_text && name_text)
        text = slot ? nm_format(ctx, "layer %s, %s of %s", escaped(layer_text), escaped(slot + 1), escaped(name_text))
                    : nm_format(ctx, "layer %s, %s", escaped(layer_text), escaped(name_text));
    nm_free(layer_text);
    nm_free(name_text);
    return text;
}

char *first_difference(nm_context *ctx, const checkpoint_difference *d)
{
    const array_difference *first = &d->array[0];
    char step[96] = "", type[NM_H5_DESCRIPTION], element[NM_H5_DESCRIPTION], *text = NULL;
    char *place = place_text(ctx, first->path);
    if (d->step_a >= 0 && d->step_a == d->step_b)
        snprintf(step, sizeof step, "step %" PRId64 ", ", d->step_a);
    else if (d->step_a >= 0 && d->step_b >= 0)
        snprintf(step, sizeof step, "steps %" PRId64 " and %" PRId64 ", ", d->step_a, d->step_b);
    if (place && first->remark)
        text = nm_format(ctx, "%s%s: %s", step, place, escaped(first->remark));
    else if (place) {
        element_text(&first->shape, first->first, element, sizeof element);
        text = nm_format(ctx, "%s%s (%s)%s%s: %s and %s", step, place, nm_h5_describe(&first->shape, type),
                         *element ? ", element " : "", element, first->a, first->b);
    }
    nm_free(place);
    return text;
}
