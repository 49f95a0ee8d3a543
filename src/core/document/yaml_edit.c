/* Changing a YAML tree. */
#include "alloc.h"
#include "document.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

static nm_status copy_into(nm_context *ctx, const nm_yaml *from, const char *file, nm_yaml *to)
{
    *to =
        (nm_yaml){.kind = from->kind, .file = file, .line = from->line, .column = from->column, .quoted = from->quoted};
    if (from->text && !(to->text = nm_strdup(ctx, from->text)))
        return NM_FAILED;
    if (from->origin && !(to->origin = nm_strdup(ctx, from->origin)))
        return NM_FAILED;
    if (from->kind == NM_YAML_SCALAR)
        return NM_OK;
    to->items = nm_alloc(ctx, (size_t)from->count + 1, sizeof *to->items);
    to->keys = from->keys ? nm_alloc(ctx, (size_t)from->count + 1, sizeof *to->keys) : NULL;
    if (!to->items || (from->keys && !to->keys))
        return NM_FAILED;
    for (; to->count < from->count; to->count++) {
        nm_yaml **slots[2] = {&to->items[to->count], to->keys ? &to->keys[to->count] : NULL};
        const nm_yaml *sources[2] = {from->items[to->count], from->keys ? from->keys[to->count] : NULL};
        for (int i = 0; i < 2 && slots[i]; i++) {
            *slots[i] = nm_alloc(ctx, 1, sizeof **slots[i]);
            nm_status status = *slots[i] ? copy_into(ctx, sources[i], file, *slots[i]) : NM_FAILED;
            if (status != NM_OK) {
                to->count++; /* so that freeing reaches the half-made entry */
                return status;
            }
        }
    }
    return NM_OK;
}

nm_status nm_yaml_copy(nm_context *ctx, const nm_yaml *node, nm_yaml **out)
{
    *out = NULL;
    const char *file = node->file ? node->file : "";
    size_t size = strlen(file) + 1;
    char *block = nm_alloc(ctx, 1, sizeof(nm_yaml) + size);
    if (!block)
        return NM_FAILED;
    char *name = memcpy(block + sizeof(nm_yaml), file, size); /* behind the root: freed with it */
    nm_status status = copy_into(ctx, node, name, (nm_yaml *)block);
    if (status != NM_OK)
        nm_yaml_free((nm_yaml *)block);
    else
        *out = (nm_yaml *)block;
    return status;
}

/* Puts `value` at `key`, in place of what stood there. The map owns both then; a new key has the
 * value's origin. */
static nm_status map_put(nm_context *ctx, nm_yaml *map, const char *key, size_t length, nm_yaml *value)
{
    for (int i = 0; i < map->count; i++)
        if (strlen(map->keys[i]->text) == length && memcmp(map->keys[i]->text, key, length) == 0) {
            nm_yaml_free(map->items[i]);
            map->items[i] = value;
            return NM_OK;
        }
    nm_yaml **keys = nm_alloc(ctx, (size_t)map->count + 2, sizeof *keys);
    nm_yaml **items = nm_alloc(ctx, (size_t)map->count + 2, sizeof *items);
    nm_yaml *word = nm_alloc(ctx, 1, sizeof *word);
    char *text = nm_alloc(ctx, length + 1, 1);
    if (!keys || !items || !word || !text) {
        nm_free(keys);
        nm_free(items);
        nm_free(word);
        nm_free(text);
        nm_yaml_free(value);
        return NM_FAILED;
    }
    *word = (nm_yaml){.kind = NM_YAML_SCALAR,
                      .file = map->file,
                      .text = memcpy(text, key, length),
                      .origin = value->origin ? nm_strdup(ctx, value->origin) : NULL};
    for (int i = 0; i < map->count; i++) {
        keys[i] = map->keys[i];
        items[i] = map->items[i];
    }
    keys[map->count] = word;
    items[map->count] = value;
    nm_free(map->keys);
    nm_free(map->items);
    map->keys = keys;
    map->items = items;
    map->count++;
    return NM_OK;
}

/* The map at the first `length` characters of `key` below `map`; made where there is none, and in
 * place of a scalar. */
static nm_status map_below(nm_context *ctx, nm_yaml *map, const char *key, size_t length, nm_yaml **out)
{
    nm_yaml *old = NULL;
    for (int i = 0; i < map->count; i++)
        if (strlen(map->keys[i]->text) == length && memcmp(map->keys[i]->text, key, length) == 0)
            old = map->items[i];
    if (old && old->kind == NM_YAML_MAP) {
        *out = old;
        return NM_OK;
    }
    nm_yaml *fresh = nm_alloc(ctx, 1, sizeof *fresh);
    if (!fresh)
        return NM_FAILED;
    *fresh = (nm_yaml){.kind = NM_YAML_MAP, .file = map->file};
    *out = fresh;
    return map_put(ctx, map, key, length, fresh);
}

/* Values that came from elsewhere: of this file now, but at no line of it. */
static nm_status set_place(nm_context *ctx, nm_yaml *node, const char *file, const char *origin)
{
    node->file = file;
    node->line = node->column = 0;
    if (origin && !(node->origin = nm_strdup(ctx, origin)))
        return NM_FAILED;
    for (int i = 0; i < node->count; i++) {
        if (node->keys)
            NM_TRY(set_place(ctx, node->keys[i], file, origin));
        NM_TRY(set_place(ctx, node->items[i], file, origin));
    }
    return NM_OK;
}

/* Puts `tree` at the dotted path and owns it from now on, also where that fails. */
static nm_status put_at_path(nm_context *ctx, nm_yaml *root, const char *path, nm_yaml *tree, const char *origin)
{
    nm_yaml *map = root;
    const char *dot;
    nm_status status = set_place(ctx, tree, root->file, origin);
    while (status == NM_OK && (dot = strchr(path, '.'))) {
        status = map_below(ctx, map, path, (size_t)(dot - path), &map);
        path = dot + 1;
    }
    if (status != NM_OK) {
        nm_yaml_free(tree);
        return status;
    }
    return map_put(ctx, map, path, strlen(path), tree);
}

/* Words that would be read as something else without quotes. */
static bool needs_quotes(const char *text, bool string)
{
    static const char *const nothing[] = {"", "~", "null"}, *const truths[] = {"true", "false", "yes",
                                                                               "no",   "on",    "off"};
    for (size_t i = 0; i < sizeof nothing / sizeof *nothing; i++)
        if (strcasecmp(text, nothing[i]) == 0)
            return true;
    for (size_t i = 0; string && i < sizeof truths / sizeof *truths; i++)
        if (strcasecmp(text, truths[i]) == 0)
            return true;
    char *end;
    (void)strtod(text, &end);
    return string && !*end;
}

/* YAML text is UTF-8: what is not could not be written. */
static bool is_utf8(const char *text)
{
    const unsigned char *c = (const unsigned char *)text;
    while (*c) {
        int more = *c < 0x80                 ? 0
                   : *c >= 0xc2 && *c < 0xe0 ? 1
                   : (*c & 0xf0) == 0xe0     ? 2
                   : *c >= 0xf0 && *c < 0xf5 ? 3
                                             : -1;
        bool overlong = (*c == 0xe0 && c[1] < 0xa0) || (*c == 0xf0 && c[1] < 0x90);
        bool beyond = (*c == 0xed && c[1] > 0x9f) || (*c == 0xf4 && c[1] > 0x8f); /* surrogates, above U+10FFFF */
        if (more < 0 || overlong || beyond)
            return false;
        for (c++; more > 0; more--, c++)
            if ((*c & 0xc0) != 0x80)
                return false;
    }
    return true;
}

static nm_status make_word(nm_context *ctx, const char *text, bool string, nm_yaml **out)
{
    nm_yaml *word = nm_alloc(ctx, 1, sizeof *word);
    if (!word)
        return NM_FAILED;
    *word = (nm_yaml){.kind = NM_YAML_SCALAR, .quoted = needs_quotes(text, string), .text = nm_strdup(ctx, text)};
    if (!word->text) {
        nm_free(word);
        return NM_FAILED;
    }
    *out = word;
    return NM_OK;
}

nm_status nm_yaml_set(nm_context *ctx, nm_yaml *root, const char *path, const char *value)
{
    if (root->kind != NM_YAML_MAP)
        return nm_yaml_fail(ctx, root, "expected a map of keys");
    nm_yaml *tree = NULL;
    if (*value)
        NM_TRY(nm_yaml_parse(ctx, path, value, strlen(value), &tree));
    else
        NM_TRY(make_word(ctx, "", true, &tree)); /* for the parser an empty text is an empty map */
    return put_at_path(ctx, root, path, tree, NULL);
}

nm_status nm_yaml_change(nm_context *ctx, nm_yaml *root, const nm_change *change)
{
    const char *value = change->value, *origin = change->origin ? change->origin : change->path;
    if (root->kind != NM_YAML_MAP)
        return nm_yaml_fail(ctx, root, "expected a map of keys");
    if (!is_utf8(value))
        return nm_fail(ctx, NM_INVALID, "%s: expected UTF-8 text; found '%s'", origin, value);
    nm_yaml *tree = NULL;
    bool as_yaml = *value && (strchr("[{\"'", *value) || strncmp(value, "- ", 2) == 0);
    if (as_yaml && !change->verbatim)
        NM_TRY(nm_yaml_parse(ctx, origin, value, strlen(value), &tree));
    else
        NM_TRY(make_word(ctx, value, change->verbatim, &tree));
    return put_at_path(ctx, root, change->path, tree, change->origin);
}

void nm_yaml_remove(nm_yaml *map, const char *key)
{
    for (int i = 0; map && map->kind == NM_YAML_MAP && i < map->count; i++)
        if (strcmp(map->keys[i]->text, key) == 0) {
            nm_yaml_free(map->keys[i]);
            nm_yaml_free(map->items[i]);
            map->count--;
            for (int j = i; j < map->count; j++) {
                map->keys[j] = map->keys[j + 1];
                map->items[j] = map->items[j + 1];
            }
            return;
        }
}
