/* Changes of a model's document, as the command line asks for them. */
#include "parse.h"

#include "alloc.h"

#include <string.h>

/* "- relu" becomes "- {relu: {}}", so that an option can be set. */
static nm_status expand_entry(nm_context *ctx, nm_yaml **item)
{
    nm_yaml *old = *item, *fresh = NULL;
    if (old->kind != NM_YAML_SCALAR)
        return NM_OK;
    char *text = nm_format(ctx, "{%s: {}}", old->text);
    nm_status status = text ? nm_yaml_parse(ctx, old->file, text, strlen(text), &fresh) : NM_FAILED;
    nm_free(text);
    NM_TRY(status);
    nm_yaml *places[] = {fresh, fresh->keys[0], fresh->items[0]};
    for (int i = 0; i < 3; i++) {
        places[i]->file = old->file;
        places[i]->line = old->line;
        places[i]->column = old->column;
    }
    nm_yaml_free(old);
    *item = fresh;
    return NM_OK;
}

static nm_status set_option(nm_context *ctx, nm_yaml *layers, int index, const char *option, const nm_change *change)
{
    NM_TRY(expand_entry(ctx, &layers->items[index]));
    nm_entry entry;
    NM_TRY(nm_entry_read(ctx, layers->items[index], &entry));
    char *path = nm_format(ctx, "%s.%s", entry.type->text, option);
    nm_change below = *change;
    below.path = path;
    below.origin = change->origin ? change->origin : change->path;
    nm_status status = path ? nm_yaml_change(ctx, layers->items[index], &below) : NM_FAILED;
    nm_free(path);
    return status;
}

/* The layer called by the first `length` characters of `path`, or -1; *near is one whose name is
 * like it. */
static nm_status find_layer(nm_context *ctx, const nm_yaml *layers, const char *path, size_t length, int *found,
                            char near[NM_HINT])
{
    char **names, *word = nm_format(ctx, "%.*s", (int)length, path);
    *found = -1;
    *near = '\0';
    nm_status status = word ? nm_entry_names(ctx, layers, &names) : NM_FAILED;
    if (status == NM_OK) {
        for (int i = 0; i < layers->count && *found < 0; i++)
            if (strcmp(names[i], word) == 0)
                *found = i;
        nm_did_you_mean(near, word, (const char *const *)names, layers->count);
        nm_free(names);
    }
    nm_free(word);
    return status;
}

nm_status nm_document_change(nm_context *ctx, nm_yaml *document, const nm_change *change)
{
    const char *path = change->path, *last = strrchr(path, '.');
    size_t first = strcspn(path, "."), length = last ? (size_t)(last - path) : first;
    const nm_yaml *layers = nm_yaml_get(document, "layers");
    char hint[NM_HINT] = "";
    if (last && layers && layers->kind == NM_YAML_LIST) {
        int found;
        NM_TRY(find_layer(ctx, layers, path, length, &found, hint));
        if (found >= 0)
            return set_option(ctx, nm_yaml_get(document, "layers"), found, last + 1, change);
    }
    for (int k = 0; k < NM_TOP_KEYS; k++)
        if (strlen(nm_top_keys[k]) == first && memcmp(path, nm_top_keys[k], first) == 0)
            return nm_yaml_change(ctx, document, change);
    return nm_fail(ctx, NM_INVALID, "%s: %s has no layer or key '%.*s'%s; expected LAYER.OPTION or train.KEY",
                   change->origin ? change->origin : path, document->file, (int)length, path, hint);
}

nm_status nm_document_set(nm_context *ctx, nm_yaml *document, const char *path, const char *value)
{
    return nm_document_change(ctx, document, &(nm_change){.path = path, .value = value});
}
