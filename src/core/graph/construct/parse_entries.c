/* The entries of a model file's layers: their types and names. */
#include "parse.h"

#include "alloc.h"
#include "lookup.h"
#include "printable.h"

#include <stdio.h>
#include <string.h>

/* What comes behind takes more than linear time in the number of layers. */
enum { NAME_SIZE = 200, MOST_LAYERS = 10000 };

static bool is_meta(const char *key)
{
    return strcmp(key, "name") == 0 || strcmp(key, "from") == 0 || strcmp(key, "share") == 0;
}

nm_status nm_check_name(nm_context *ctx, const nm_yaml *name, const char *whose)
{
    if (name->kind != NM_YAML_SCALAR || !*name->text || strchr(name->text, '/') || strcmp(name->text, ".") == 0)
        return nm_yaml_fail(ctx, name, "%s name must be a word without '/'", whose);
    if (!nm_text_is_printable(name->text, ""))
        return nm_yaml_fail(ctx, name, "%s name must be of printable characters; found '%s'", whose, name->text);
    return NM_OK;
}

nm_status nm_entry_read(nm_context *ctx, const nm_yaml *item, nm_entry *entry)
{
    *entry = (nm_entry){.at = item};
    if (item->kind == NM_YAML_SCALAR && *item->text) { /* "- relu" */
        entry->type = item;
        return NM_OK;
    }
    if (item->kind != NM_YAML_MAP)
        return nm_yaml_fail(ctx, item, "a layer must be written as {TYPE: {options}}");
    for (int i = 0; i < item->count; i++) {
        if (is_meta(item->keys[i]->text))
            continue;
        if (entry->type)
            return nm_yaml_fail(ctx, item->keys[i], "a layer has one type; found '%s' and '%s'", entry->type->text,
                                item->keys[i]->text);
        entry->type = item->keys[i];
        entry->options = item->items[i];
    }
    if (!entry->type)
        return nm_yaml_fail(ctx, item, "a layer without a type: expected {TYPE: {options}}");
    const nm_yaml *name = nm_yaml_get(item, "name");
    if (name)
        NM_TRY(nm_check_name(ctx, name, "a layer's"));
    entry->name = name ? name->text : NULL;
    return NM_OK;
}

/* Names that are taken, and the k of the last name that was made of each. */
typedef struct namer {
    nm_context *ctx;
    nm_lookup taken;
} namer;

/* "c1.relu", or the first of "c1.relu.2", "c1.relu.3", … that is free: none becomes free again, so
 * the search goes on where the last one ended. */
static nm_status make_name(namer *n, char *name, const char *last, const char *type)
{
    int used = snprintf(name, NAME_SIZE, "%s%s%s", last, *last ? "." : "", type);
    if (used >= NAME_SIZE - 12) /* the number must fit behind it */
        return NM_OK;           /* no type is called so: it is refused by that */
    int *k = nm_lookup_find(&n->taken, name);
    while (k && nm_lookup_find(&n->taken, name))
        snprintf(name + used, (size_t)(NAME_SIZE - used), ".%d", ++*k);
    return nm_lookup_add(n->ctx, &n->taken, name, 1);
}

static nm_status take_name(namer *n, const nm_entry *entry, char *text)
{
    nm_status status = NM_OK;
    if (strlen(entry->name) >= NAME_SIZE / 2)
        status = nm_yaml_fail(n->ctx, entry->at, "a layer's name is longer than %d characters", NAME_SIZE / 2 - 1);
    snprintf(text, NAME_SIZE / 2, "%s", entry->name);
    if (nm_lookup_find(&n->taken, text))
        return nm_yaml_fail(n->ctx, entry->at, "two layers are called '%s'", text);
    NM_TRY(nm_lookup_add(n->ctx, &n->taken, text, 1));
    return status;
}

static nm_status name_entries(namer *n, const nm_yaml *layers, char **names)
{
    char *text = (char *)(names + layers->count + 1);
    const char *last = "";
    nm_status status = NM_OK;
    for (int i = 0; i < layers->count && !(status != NM_OK && nm_errors_full(n->ctx)); i++, text += NAME_SIZE) {
        nm_entry entry;
        names[i] = text;
        nm_status one = nm_entry_read(n->ctx, layers->items[i], &entry);
        if (one == NM_OK && entry.name)
            one = take_name(n, &entry, text);
        else if (one == NM_OK)
            one = make_name(n, text, last, entry.type->text);
        if (one != NM_OK)
            status = nm_failed_status(n->ctx);
        else if (entry.name)
            last = text;
    }
    return status;
}

nm_status nm_entry_names(nm_context *ctx, const nm_yaml *layers, char ***out)
{
    namer n = {.ctx = ctx};
    if (layers->count > MOST_LAYERS)
        return nm_yaml_fail(ctx, layers, "found %d layers; expected at most %d", layers->count, MOST_LAYERS);
    char **names = nm_alloc(ctx, (size_t)layers->count + 1, sizeof *names + NAME_SIZE);
    if (!names)
        return NM_FAILED;
    nm_status status = name_entries(&n, layers, names);
    nm_lookup_free(&n.taken);
    if (status != NM_OK) {
        nm_free(names);
        return status;
    }
    *out = names;
    return NM_OK;
}
