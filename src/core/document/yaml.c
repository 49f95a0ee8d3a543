/* A tree of YAML: reading a file, messages, finding values. */
#include "document.h"

#include "alloc.h"
#include "file.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void nm_yaml_place(const nm_yaml *at, char *text, size_t size)
{
    if (at && at->origin)
        snprintf(text, size, "%s", at->origin);
    else if (at && at->line > 0)
        snprintf(text, size, "%s:%d:%d", at->file, at->line, at->column);
    else
        snprintf(text, size, "%s", at && at->file ? at->file : "");
}

nm_status nm_yaml_fail(nm_context *ctx, const nm_yaml *at, const char *fmt, ...)
{
    char text[1536];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    char place[512];
    nm_yaml_place(at, place, sizeof place);
    return nm_fail(ctx, NM_INVALID, "%s%s%s", place, *place ? ": " : "", text);
}

nm_status nm_yaml_load(nm_context *ctx, const char *path, nm_yaml **out)
{
    char *text;
    size_t size;
    *out = NULL;
    NM_TRY(nm_file_read_most(ctx, path, NM_YAML_MOST, "a model file", &text, &size));
    nm_status status = nm_yaml_parse(ctx, path, text, size, out);
    nm_free(text);
    return status;
}

void nm_yaml_free(nm_yaml *node)
{
    if (!node)
        return;
    for (int i = 0; i < node->count; i++) {
        if (node->keys)
            nm_yaml_free(node->keys[i]);
        nm_yaml_free(node->items[i]);
    }
    nm_free(node->keys);
    nm_free(node->items);
    nm_free(node->text);
    nm_free(node->origin);
    nm_free(node);
}

nm_yaml *nm_yaml_get(const nm_yaml *map, const char *key)
{
    if (map && map->kind == NM_YAML_MAP)
        for (int i = 0; i < map->count; i++)
            if (strcmp(map->keys[i]->text, key) == 0)
                return map->items[i];
    return NULL;
}

const char *nm_yaml_text(const nm_yaml *map, const char *key, const char *otherwise)
{
    const nm_yaml *node = nm_yaml_get(map, key);
    return node && node->kind == NM_YAML_SCALAR ? node->text : otherwise;
}

bool nm_yaml_is_null(const nm_yaml *value)
{
    return value->kind == NM_YAML_SCALAR && !value->quoted &&
           (!*value->text || strcmp(value->text, "~") == 0 || strcmp(value->text, "null") == 0);
}
