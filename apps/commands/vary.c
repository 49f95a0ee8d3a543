/* Variants of a model. */
#include "vary.h"

#include "alloc.h"
#include "layer.h"

#include <stdio.h>
#include <string.h>

nm_status vary_read(nm_context *ctx, const char *text, varied *out)
{
    *out = (varied){.text = nm_strdup(ctx, text)};
    if (!out->text)
        return NM_FAILED;
    char *equals = strchr(out->text, '=');
    if (!equals || equals == out->text || !equals[1])
        return nm_fail(ctx, NM_INVALID, "--vary takes KEY=A,B…; found '%s'", text);
    *equals = '\0';
    out->key = out->text;
    int depth = 0;
    char *start = equals + 1;
    for (char *c = start;; c++) {
        depth += (*c == '[' || *c == '{') - (*c == ']' || *c == '}');
        if (*c && (*c != ',' || depth > 0))
            continue;
        bool last = !*c;
        *c = '\0';
        if (c == start || out->values == MOST_VALUES)
            return nm_fail(ctx, NM_INVALID, "--vary %s: expected 1 to %d values with commas between them; found '%s'",
                           out->key, MOST_VALUES, text);
        out->value[out->values++] = start;
        start = c + 1;
        if (last)
            return NM_OK;
    }
}

void vary_free(varied *v)
{
    nm_free(v->text);
    *v = (varied){0};
}

/* ---- one variant --------------------------------------------------------------------------- */

static bool is_on(const char *value)
{
    return strcmp(value, "on") == 0 || strcmp(value, "true") == 0 || strcmp(value, "yes") == 0;
}
static bool is_off(const char *value)
{
    return strcmp(value, "off") == 0 || strcmp(value, "false") == 0 || strcmp(value, "no") == 0;
}

/* Adds a layer type to train.without, or takes it away from there. */
static nm_status leave_out(nm_context *ctx, nm_yaml *document, const char *type, bool out)
{
    nm_train_settings settings = {0};
    nm_status status = nm_options_read(ctx, nm_train_options, &settings, nm_yaml_get(document, "train"), NULL, "train");
    if (status != NM_OK) {
        nm_options_free(nm_train_options, &settings);
        return status;
    }
    char *list = nm_strdup(ctx, out ? type : "");
    for (int i = 0; list && i < settings.without.count; i++) {
        if (nm_type_find(ctx, NM_LAYER, settings.without.values[i]) == nm_type_find(ctx, NM_LAYER, type))
            continue;
        char *longer = nm_format(ctx, *list ? "%s,%s" : "%s", settings.without.values[i], list);
        nm_free(list);
        list = longer;
    }
    nm_options_free(nm_train_options, &settings);
    status = !list ? NM_FAILED : NM_OK;
    if (list && (*list || nm_yaml_get(nm_yaml_get(document, "train"), "without")))
        status = nm_document_set(ctx, document, "train.without", list);
    nm_free(list);
    return status;
}

/* KEY is a layer type (on or off), a key of train:, or a path as --set takes it. */
static nm_status change(nm_context *ctx, nm_yaml *document, const char *key, const char *value)
{
    char path[160], origin[160];
    snprintf(origin, sizeof origin, "--vary %s", key);
    if (nm_type_find(ctx, NM_LAYER, key)) {
        if (!is_on(value) && !is_off(value))
            return nm_fail(ctx, NM_INVALID, "--vary %s: expected on or off; found '%s'", key, value);
        return leave_out(ctx, document, key, is_off(value));
    }
    snprintf(path, sizeof path, "train.%s", key);
    for (char *c = path; *c; c++)
        *c = *c == '-' ? '_' : *c;
    const char *given = nm_option_find(nm_train_options, path + strlen("train.")) ? path : key;
    if (given == path || strchr(key, '.')) {
        NM_TRY(change_document(ctx, document, origin, given, value));
        nm_settings_settle(document, &given, 1);
        return NM_OK;
    }
    const char *names[128];
    int count = 0;
    for (int i = 0; nm_train_options[i].name && count < 100; i++)
        names[count++] = nm_train_options[i].name;
    names[count++] = "batchnorm";
    char hint[NM_HINT];
    return nm_fail(ctx, NM_INVALID, "--vary %s: expected a layer type, a key of train: or LAYER.OPTION%s", key,
                   nm_did_you_mean(hint, key, names, count));
}

nm_status vary_make(nm_context *ctx, const varied *keys, int count, int index, const nm_yaml *base, char **label,
                    nm_yaml **document)
{
    *label = NULL;
    NM_TRY(nm_yaml_copy(ctx, base, document));
    nm_status status = NM_OK;
    int below = 1;
    for (int k = 1; k < count; k++)
        below *= keys[k].values;
    for (int k = 0; k < count && status == NM_OK; k++) {
        const char *value = keys[k].value[index / below % keys[k].values];
        below /= k + 1 < count ? keys[k + 1].values : 1;
        char *longer = nm_format(ctx, "%s%s%s=%s", *label ? *label : "", *label ? " " : "", keys[k].key, value);
        nm_free(*label);
        *label = longer;
        status = longer ? change(ctx, *document, keys[k].key, value) : NM_FAILED;
    }
    if (status != NM_OK) {
        nm_free(*label);
        nm_yaml_free(*document);
        *label = NULL;
        *document = NULL;
    }
    return status;
}
