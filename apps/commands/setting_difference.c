/* Two model files, setting by setting. */
#include "alloc.h"
#include "difference.h"
#include "document.h"

#include <string.h>

enum { MOST_SETTINGS = 4096, DEEPEST = 32 };

typedef struct comparing {
    nm_context *ctx;
    setting_differences *out;
} comparing;

/* A value on one line, as YAML where it has parts. */
static char *value_of(nm_context *ctx, const nm_yaml *node)
{
    char *text = NULL;
    if (node->kind == NM_YAML_SCALAR)
        return nm_strdup(ctx, node->text);
    if (nm_yaml_write(ctx, node, &text) != NM_OK)
        return NULL;
    for (char *c = text; *c; c++)
        *c = *c != '\n' ? *c : c[1] ? ' ' : '\0';
    return text;
}

static nm_status add(const comparing *c, const char *path, const nm_yaml *a, const nm_yaml *b)
{
    setting_differences *all = c->out;
    if (all->count == MOST_SETTINGS)
        return NM_OK;
    if (all->count == all->capacity) {
        int capacity = 2 * all->count + 16;
        setting_difference *more = nm_alloc(c->ctx, (size_t)capacity, sizeof *more);
        if (!more)
            return NM_FAILED;
        if (all->count)
            memcpy(more, all->setting, (size_t)all->count * sizeof *more);
        nm_free(all->setting);
        all->setting = more;
        all->capacity = capacity;
    }
    setting_difference *s = &all->setting[all->count++];
    *s = (setting_difference){nm_strdup(c->ctx, path), a ? value_of(c->ctx, a) : NULL, b ? value_of(c->ctx, b) : NULL};
    return s->path && (s->a || !a) && (s->b || !b) ? NM_OK : NM_FAILED;
}

static nm_status compare_nodes(const comparing *c, const char *path, const nm_yaml *a, const nm_yaml *b, int depth);

static nm_status compare_below(const comparing *c, const char *path, const char *key, const nm_yaml *a,
                               const nm_yaml *b, int depth)
{
    char *below = *path ? nm_format(c->ctx, "%s.%s", path, key) : nm_strdup(c->ctx, key);
    nm_status status = below ? compare_nodes(c, below, a, b, depth + 1) : NM_FAILED;
    nm_free(below);
    return status;
}

static nm_status compare_maps(const comparing *c, const char *path, const nm_yaml *a, const nm_yaml *b, int depth)
{
    for (int i = 0; i < a->count; i++)
        NM_TRY(compare_below(c, path, a->keys[i]->text, a->items[i], nm_yaml_get(b, a->keys[i]->text), depth));
    for (int i = 0; i < b->count; i++)
        if (!nm_yaml_get(a, b->keys[i]->text))
            NM_TRY(compare_below(c, path, b->keys[i]->text, NULL, b->items[i], depth));
    return NM_OK;
}

/* The item of this name, or where it has none the one at the same place. */
static const nm_yaml *partner(const nm_yaml *list, const nm_yaml *item, int place)
{
    const char *name = nm_yaml_text(item, "name", NULL);
    for (int i = 0; name && i < list->count; i++) {
        const char *other = nm_yaml_text(list->items[i], "name", NULL);
        if (other && strcmp(name, other) == 0)
            return list->items[i];
    }
    return name || place >= list->count || nm_yaml_text(list->items[place], "name", NULL) ? NULL : list->items[place];
}

static nm_status compare_items(const comparing *c, const char *path, const nm_yaml *a, const nm_yaml *b, int depth)
{
    for (int side = 0; side < 2; side++) {
        const nm_yaml *list = side ? b : a, *other = side ? a : b;
        for (int i = 0; i < list->count; i++) {
            const nm_yaml *item = list->items[i], *same = partner(other, item, i);
            const char *name = nm_yaml_text(item, "name", NULL);
            if (side && same)
                continue; /* compared from the other side */
            char *key = name ? nm_format(c->ctx, "[%s]", name) : nm_format(c->ctx, "[%d]", i);
            nm_status status =
                key ? compare_below(c, path, key, side ? NULL : item, side ? item : same, depth) : NM_FAILED;
            nm_free(key);
            NM_TRY(status);
        }
    }
    return NM_OK;
}

static nm_status compare_nodes(const comparing *c, const char *path, const nm_yaml *a, const nm_yaml *b, int depth)
{
    if (!a || !b || a->kind != b->kind || depth == DEEPEST)
        return add(c, path, a, b);
    if (a->kind == NM_YAML_SCALAR)
        return strcmp(a->text, b->text) == 0 ? NM_OK : add(c, path, a, b);
    if (a->kind == NM_YAML_MAP)
        return compare_maps(c, path, a, b, depth);
    return compare_items(c, path, a, b, depth);
}

nm_status compare_settings(nm_context *ctx, const char *name_a, const char *a, const char *name_b, const char *b,
                           setting_differences *out)
{
    nm_yaml *in_a = NULL, *in_b = NULL;
    *out = (setting_differences){0};
    if (strcmp(a, b) == 0)
        return NM_OK;
    nm_status status = nm_yaml_parse(ctx, name_a, a, strlen(a), &in_a);
    if (status == NM_OK)
        status = nm_yaml_parse(ctx, name_b, b, strlen(b), &in_b);
    if (status == NM_OK)
        status = compare_nodes(&(comparing){ctx, out}, "", in_a, in_b, 0);
    nm_yaml_free(in_a);
    nm_yaml_free(in_b);
    if (status != NM_OK)
        free_settings(out);
    return status;
}

void free_settings(setting_differences *s)
{
    for (int i = 0; i < s->count; i++) {
        nm_free(s->setting[i].path);
        nm_free(s->setting[i].a);
        nm_free(s->setting[i].b);
    }
    nm_free(s->setting);
    *s = (setting_differences){0};
}
