/* Models: the public functions of norma.h and tools.h that load and change them. */
#include <norma/tools.h>

#include "alloc.h"
#include "api_types.h"
#include "tune.h"

#include <string.h>

/* ---- loading ---- */

/* Takes the document. */
static nm_status wrap(nm_context *ctx, nm_yaml *document, nm_model **out)
{
    *out = nm_alloc(ctx, 1, sizeof **out);
    if (*out)
        (*out)->document = document;
    else
        nm_yaml_free(document);
    return *out ? NM_OK : NM_FAILED;
}

nm_status nm_model_load(nm_context *ctx, const char *name, nm_model **out)
{
    char *path;
    nm_yaml *document = NULL;
    *out = NULL;
    nm_errors_clear(ctx);
    NM_TRY(nm_model_path(ctx, name, &path));
    nm_status status = nm_yaml_load(ctx, path, &document);
    nm_free(path);
    return status == NM_OK ? wrap(ctx, document, out) : status;
}

nm_status nm_model_parse(nm_context *ctx, const char *text, nm_model **out)
{
    nm_yaml *document;
    *out = NULL;
    nm_errors_clear(ctx);
    NM_TRY(nm_yaml_parse(ctx, "model", text, strlen(text), &document));
    return wrap(ctx, document, out);
}

void nm_model_free(nm_model *model)
{
    if (!model)
        return;
    nm_yaml_free(model->document);
    nm_free(model);
}

/* ---- changing ---- */

nm_status nm_model_set(nm_context *ctx, nm_model *model, const char *key, const char *value)
{
    nm_setting setting = NM_SETTING_INIT;
    setting.key = key;
    setting.value = value;
    return nm_model_set_all(ctx, model, &setting, 1);
}

/* Setting `index` of a caller's array, whose entries have the size that the caller was compiled
 * with. */
static nm_status read_setting(nm_context *ctx, const nm_setting *settings, int index, nm_setting *out)
{
    const char *at = (const char *)settings + (size_t)index * settings->size;
    NM_TRY(nm_sized_read(ctx, "NM_SETTING_INIT", at, out, sizeof *out));
    if (!out->key || !out->value)
        return nm_fail(ctx, NM_INVALID, "setting %d: key and value must be given", index);
    return NM_OK;
}

/* All that can be applied are, so that every error is found; given: [count]. */
static nm_status apply_all(nm_context *ctx, nm_yaml *document, const nm_setting *settings, int count,
                           const char **given)
{
    nm_status status = NM_OK;
    for (int i = 0; i < count; i++) {
        nm_setting s;
        NM_TRY(read_setting(ctx, settings, i, &s));
        given[i] = s.key;
        nm_status one = nm_settings_change(ctx, document, &(nm_change){s.key, s.value, s.origin, s.verbatim});
        status = one != NM_OK ? one : status;
    }
    return status;
}

nm_status nm_model_set_all(nm_context *ctx, nm_model *model, const nm_setting *settings, int count)
{
    nm_errors_clear(ctx);
    if (count < 1)
        return NM_OK;
    const char **given = nm_alloc(ctx, (size_t)count, sizeof *given);
    nm_yaml *changed = NULL;
    nm_status status = given ? nm_yaml_copy(ctx, model->document, &changed) : NM_FAILED;
    if (status == NM_OK)
        status = apply_all(ctx, changed, settings, count, given);
    if (status == NM_OK) {
        nm_settings_settle(changed, given, count);
        nm_yaml *old = model->document;
        model->document = changed;
        changed = old;
    }
    nm_yaml_free(changed);
    nm_free(given);
    return status;
}

nm_status nm_model_tune(nm_context *ctx, nm_model *model, int *measured, int *known)
{
    nm_errors_clear(ctx);
    return nm_tune(ctx, model->document, measured, known);
}

const nm_option *nm_train_option(int index)
{
    int count = 0;
    while (nm_train_options[count].name)
        count++;
    return index >= 0 && index < count ? &nm_train_options[index] : NULL;
}
