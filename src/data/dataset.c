/* Finding and opening data sets. */
#include "dataset.h"

#include "alloc.h"
#include "sources.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const nm_source_type *find_source(const char *name, size_t length)
{
    for (const nm_source_type *const *t = nm_source_types(); *t; t++)
        if (strlen((*t)->name) == length && memcmp((*t)->name, name, length) == 0)
            return *t;
    return NULL;
}

static nm_status unknown_name(nm_context *ctx, const char *name, size_t length)
{
    char word[128], hint[NM_HINT];
    snprintf(word, sizeof word, "%.*s", (int)length, name);
    const char *names[32];
    int count = 0;
    for (const nm_source_type *const *t = nm_source_types(); *t && count < 32; t++)
        names[count++] = (*t)->name;
    return nm_fail(ctx, NM_INVALID, "unknown data set '%s'%s ('norma data' tells more)", word,
                   nm_did_you_mean(hint, word, names, count));
}

/* The places where NAME is looked for, in order; empty strings where a variable is unset. */
enum { PLACES = 3, PATH_ROOM = 4096 };

static void places(const char *name, char out[PLACES][PATH_ROOM])
{
    const char *own = getenv("NORMA_DATA"), *xdg = getenv("XDG_DATA_HOME"), *home = getenv("HOME");
    memset(out, 0, PLACES * PATH_ROOM);
    if (own && *own)
        snprintf(out[0], PATH_ROOM, "%s/%s", own, name);
    if (xdg && *xdg)
        snprintf(out[1], PATH_ROOM, "%s/norma/%s", xdg, name);
    else if (home && *home)
        snprintf(out[1], PATH_ROOM, "%s/.local/share/norma/%s", home, name);
    snprintf(out[2], PATH_ROOM, "/usr/share/datasets/%s", name);
}

static nm_status not_found(nm_context *ctx, const nm_source_type *type, char looked[PLACES][PATH_ROOM])
{
    return nm_fail(ctx, NM_INVALID,
                   "data set %s was not found; looked in %s%s%s%s%s (and --data %s:PATH takes another "
                   "folder); to get it: %s",
                   type->name, *looked[0] ? looked[0] : "$NORMA_DATA (not set)", ", ", looked[1],
                   *looked[1] ? ", " : "", looked[2], type->name, type->fetch);
}

static nm_status locate(nm_context *ctx, const nm_source_type *type, const char *given, char **path)
{
    *path = NULL;
    if (given) {
        *path = nm_strdup(ctx, given);
        return *path ? NM_OK : NM_FAILED;
    }
    if (type->needs_path)
        return nm_fail(ctx, NM_INVALID, "data set %s needs a path: %s:PATH", type->name, type->name);
    if (type->generated) {
        *path = nm_strdup(ctx, "generated");
        return *path ? NM_OK : NM_FAILED;
    }
    char(*looked)[PATH_ROOM] = nm_alloc(ctx, PLACES, PATH_ROOM);
    if (!looked)
        return NM_FAILED;
    places(type->name, looked);
    nm_status status = NM_OK;
    for (int i = 0; i < PLACES && !*path && status == NM_OK; i++)
        if (*looked[i] && access(looked[i], F_OK) == 0 && !(*path = nm_strdup(ctx, looked[i])))
            status = NM_FAILED;
    if (!*path && status == NM_OK)
        status = not_found(ctx, type, looked);
    nm_free(looked);
    return status;
}

static nm_status check_labels(nm_context *ctx, const nm_dataset *data, const nm_samples *samples, const char *split)
{
    size_t places = nm_label_places(samples);
    for (size_t i = 0; samples->labels && i < (size_t)samples->count * places; i++)
        if ((samples->labels[i] < 0 || samples->labels[i] >= data->classes) &&
            !(samples->pixel_labels && samples->labels[i] == NM_NO_LABEL))
            return nm_fail(ctx, NM_INVALID, "%s: %s sample %zu has label %d; expected 0 to %d", data->found, split,
                           i / places, samples->labels[i], data->classes - 1);
    return NM_OK;
}

nm_status nm_dataset_open(nm_context *ctx, const char *spec, const nm_data_form *form, nm_dataset **out)
{
    *out = NULL;
    size_t length = strcspn(spec, ":");
    const nm_source_type *type = find_source(spec, length);
    if (!type)
        return unknown_name(ctx, spec, length);
    nm_dataset *data = nm_alloc(ctx, 1, sizeof *data);
    if (!data)
        return NM_FAILED;
    nm_status status = locate(ctx, type, spec[length] ? spec + length + 1 : NULL, &data->found);
    if (status == NM_OK && !(data->name = nm_strdup(ctx, type->name)))
        status = NM_FAILED;
    if (status == NM_OK)
        status = type->open(ctx, data->found, form ? form : &(nm_data_form){0}, data);
    if (status == NM_OK)
        status = check_labels(ctx, data, &data->train, "training");
    if (status == NM_OK)
        status = check_labels(ctx, data, &data->test, "test");
    if (status == NM_OK)
        *out = data;
    else
        nm_dataset_free(data);
    return status;
}

void nm_dataset_free(nm_dataset *data)
{
    if (!data)
        return;
    for (int i = 0; data->class_names && i < data->classes; i++)
        nm_free(data->class_names[i]);
    nm_free(data->class_names);
    nm_free(data->train.pixels);
    nm_free(data->train.labels);
    nm_free(data->test.pixels);
    nm_free(data->test.labels);
    nm_free(data->name);
    nm_free(data->found);
    nm_free(data);
}

nm_status nm_dataset_set_classes(nm_context *ctx, nm_dataset *data, const char *const *names, int count)
{
    data->class_names = nm_alloc(ctx, (size_t)count + 1, sizeof *data->class_names);
    if (!data->class_names)
        return NM_FAILED;
    data->classes = count;
    for (int i = 0; i < count; i++) {
        char number[16];
        snprintf(number, sizeof number, "%d", i);
        if (!(data->class_names[i] = nm_strdup(ctx, names ? names[i] : number)))
            return NM_FAILED;
    }
    return NM_OK;
}

nm_status nm_samples_make(nm_context *ctx, nm_samples *samples, int count, nm_shape shape)
{
    samples->count = count;
    samples->shape = shape;
    samples->pixels = nm_alloc(ctx, (size_t)count + 1, nm_shape_size(shape));
    samples->labels = nm_alloc(ctx, (size_t)count * nm_label_places(samples) + 1, sizeof *samples->labels);
    return samples->pixels && samples->labels ? NM_OK : NM_FAILED;
}
