/* Finding and opening data sets. */
#include "dataset.h"

#include "alloc.h"
#include "classes.h"
#include "sources.h"

#include <errno.h>
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
    snprintf(word, sizeof word, "%.*s", (int)(length < sizeof word ? length : sizeof word - 1), name);
    int count = 0, known = 0;
    while (nm_source_types()[known])
        known++;
    const char **names = nm_alloc(ctx, (size_t)known + 1, sizeof *names);
    if (!names)
        return NM_FAILED;
    for (; count < known; count++)
        names[count] = nm_source_types()[count]->name;
    nm_status status = nm_fail(ctx, NM_INVALID, "unknown data set '%s'%s ('norma data' tells more)", word,
                               nm_did_you_mean(hint, word, names, count));
    nm_free(names);
    return status;
}

/* The places where a folder is looked for, in order; NULL where a variable is unset. */
enum { PLACES = 3 };

static nm_status name_places(nm_context *ctx, const char *folder, char *out[PLACES])
{
    const char *own = getenv("NORMA_DATA"), *xdg = getenv("XDG_DATA_HOME"), *home = getenv("HOME");
    bool has_own = own && *own, has_xdg = xdg && *xdg, has_home = home && *home;
    if (has_own)
        out[0] = nm_format(ctx, "%s/%s", own, folder);
    if (has_xdg || has_home)
        out[1] = has_xdg ? nm_format(ctx, "%s/norma/%s", xdg, folder)
                         : nm_format(ctx, "%s/.local/share/norma/%s", home, folder);
    out[2] = nm_format(ctx, "/usr/share/datasets/%s", folder);
    return (out[0] || !has_own) && (out[1] || !(has_xdg || has_home)) && out[2] ? NM_OK : NM_FAILED;
}

static nm_status search_places(nm_context *ctx, const nm_source_type *type, char **path)
{
    char *looked[PLACES] = {0};
    nm_status status = name_places(ctx, type->folder ? type->folder : type->name, looked);
    for (int i = 0; i < PLACES && !*path && status == NM_OK; i++)
        if (looked[i] && access(looked[i], F_OK) == 0 && !(*path = nm_strdup(ctx, looked[i])))
            status = NM_FAILED;
    if (!*path && status == NM_OK)
        status = nm_fail(ctx, NM_INVALID,
                         "data set %s was not found; looked in %s%s%s%s%s (and --data %s:PATH takes another "
                         "folder); to get it: %s",
                         type->name, looked[0] ? looked[0] : "$NORMA_DATA (not set)", ", ", looked[1] ? looked[1] : "",
                         looked[1] ? ", " : "", looked[2], type->name, type->fetch);
    for (int i = 0; i < PLACES; i++)
        nm_free(looked[i]);
    return status;
}

/* A relative path may be right elsewhere: in the folder that a run was started in, as a checkpoint
 * has it. */
static nm_status check_given(nm_context *ctx, const nm_source_type *type, const char *path)
{
    if (type->generated || type->part_in_path || access(path, F_OK) == 0 || errno != ENOENT)
        return NM_OK;
    if (*path == '/')
        return nm_fail(ctx, NM_INVALID, "%s: No such file or directory; --data %s:PATH names another place", path,
                       type->name);
    char *here = getcwd(NULL, 0);
    nm_status status =
        nm_fail(ctx, NM_INVALID,
                "%s: No such file or directory; this path is relative to the folder that norma runs in, %s; "
                "--data %s:PATH names another place",
                path, here ? here : "which cannot be told", type->name);
    free(here);
    return status;
}

static nm_status locate(nm_context *ctx, const nm_source_type *type, const char *given, char **path)
{
    *path = NULL;
    if (type->needs_path && (!given || !*given))
        return nm_fail(ctx, NM_INVALID, "data set %s needs a path: %s:PATH", type->name, type->name);
    if (given)
        NM_TRY(check_given(ctx, type, given));
    if (!given && !type->generated)
        return search_places(ctx, type, path);
    *path = nm_strdup(ctx, given ? given : "generated");
    return *path ? NM_OK : NM_FAILED;
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

/* Reports classes that training cannot learn. */
static nm_status report_absent(nm_context *ctx, const nm_dataset *data)
{
    bool *present = nm_alloc(ctx, (size_t)data->classes + 1, sizeof *present);
    if (!present)
        return NM_FAILED;
    for (size_t i = 0; i < (size_t)data->train.count * nm_label_places(&data->train); i++)
        if (data->train.labels[i] >= 0)
            present[data->train.labels[i]] = true;
    int absent = 0, first = 0;
    for (int c = data->classes - 1; c >= 0; c--)
        if (!present[c]) {
            absent++;
            first = c;
        }
    bool from_one = absent == 1 && first == 0 && strcmp(data->class_names[0], "0") == 0;
    if (absent > 0)
        nm_log(ctx, "%s: %d of %d classes %s no training sample, the first is '%s'%s", data->found, absent,
               data->classes, absent == 1 ? "has" : "have", data->class_names[first],
               from_one ? ": labels count from 0; do these count from 1?" : "");
    nm_free(present);
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
    if (status == NM_OK && data->train.labels && data->train.count > 0)
        status = report_absent(ctx, data);
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
        if (names)
            NM_TRY(nm_class_name_check(ctx, data->found ? data->found : data->name, i, names[i]));
        if (!(data->class_names[i] = nm_strdup(ctx, names ? names[i] : number)))
            return NM_FAILED;
    }
    return NM_OK;
}

int nm_largest_label(const nm_samples *s)
{
    int most = -1;
    for (size_t i = 0; s->labels && i < (size_t)s->count * nm_label_places(s); i++)
        most = s->labels[i] > most ? s->labels[i] : most;
    return most;
}

nm_status nm_samples_make(nm_context *ctx, nm_samples *samples, int count, nm_shape shape)
{
    samples->count = count;
    samples->shape = shape;
    samples->pixels = nm_alloc(ctx, (size_t)count + 1, nm_shape_size(shape));
    samples->labels = nm_alloc(ctx, (size_t)count * nm_label_places(samples) + 1, sizeof *samples->labels);
    return samples->pixels && samples->labels ? NM_OK : NM_FAILED;
}
