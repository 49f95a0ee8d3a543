/* Changing a YAML tree and writing it as text. */
#include "alloc.h"
#include "document.h"

#include <string.h>
#include <yaml.h>

static nm_status copy_into(nm_context *ctx, const nm_yaml *from, const char *file, nm_yaml *to)
{
    *to = (nm_yaml){.kind = from->kind, .file = file, .line = from->line, .column = from->column,
                    .quoted = from->quoted};
    if (from->text && !(to->text = nm_strdup(ctx, from->text)))
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

/* Puts `value` at `key`, in place of what stood there. The map owns both then. */
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
    *word = (nm_yaml){.kind = NM_YAML_SCALAR, .file = map->file, .text = memcpy(text, key, length)};
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

static void set_place(nm_yaml *node, const char *file)
{
    node->file = file;
    node->line = node->column = 0;
    for (int i = 0; i < node->count; i++) {
        if (node->keys)
            set_place(node->keys[i], file);
        set_place(node->items[i], file);
    }
}

nm_status nm_yaml_set(nm_context *ctx, nm_yaml *root, const char *path, const char *value)
{
    if (root->kind != NM_YAML_MAP)
        return nm_yaml_fail(ctx, root, "expected a map of keys");
    nm_yaml *tree = NULL;
    NM_TRY(nm_yaml_parse(ctx, path, value, strlen(value), &tree));
    if (tree->kind == NM_YAML_MAP && tree->count == 0) { /* an empty text stands for an empty string */
        tree->kind = NM_YAML_SCALAR;
        tree->quoted = true;
        nm_free(tree->items);
        nm_free(tree->keys);
        tree->items = tree->keys = NULL;
        if (!(tree->text = nm_strdup(ctx, ""))) {
            nm_yaml_free(tree);
            return NM_FAILED;
        }
    }
    set_place(tree, root->file);
    nm_yaml *map = root;
    const char *dot;
    nm_status status = NM_OK;
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

/* ---- writing -------------------------------------------------------------------------- */

typedef struct sink {
    nm_context *ctx;
    char *text;
    size_t size, room;
} sink;

static int take(void *arg, unsigned char *bytes, size_t size)
{
    sink *s = arg;
    if (s->size + size + 1 > s->room) {
        size_t room = 2 * (s->size + size + 1);
        char *more = nm_alloc(s->ctx, room, 1);
        if (!more)
            return 0;
        if (s->text)
            memcpy(more, s->text, s->size);
        nm_free(s->text);
        s->text = more;
        s->room = room;
    }
    memcpy(s->text + s->size, bytes, size);
    s->size += size;
    return 1;
}

/* A map or list of scalars alone is written on one line. */
static bool flat(const nm_yaml *node, int depth)
{
    for (int i = 0; i < node->count; i++)
        if (node->items[i]->kind != NM_YAML_SCALAR && (depth == 0 || !flat(node->items[i], depth - 1)))
            return false;
    return true;
}

static bool emit(yaml_emitter_t *emitter, const nm_yaml *node, int depth)
{
    yaml_event_t event;
    if (node->kind == NM_YAML_SCALAR) {
        yaml_scalar_style_t style = node->quoted ? YAML_DOUBLE_QUOTED_SCALAR_STYLE : YAML_PLAIN_SCALAR_STYLE;
        return yaml_scalar_event_initialize(&event, NULL, NULL, (yaml_char_t *)node->text, (int)strlen(node->text),
                                            1, 1, style) &&
               yaml_emitter_emit(emitter, &event);
    }
    bool list = node->kind == NM_YAML_LIST, on_one_line = depth > 0 && flat(node, 2);
    if (list)
        yaml_sequence_start_event_initialize(&event, NULL, NULL, 1,
                                             on_one_line ? YAML_FLOW_SEQUENCE_STYLE : YAML_BLOCK_SEQUENCE_STYLE);
    else
        yaml_mapping_start_event_initialize(&event, NULL, NULL, 1,
                                            on_one_line ? YAML_FLOW_MAPPING_STYLE : YAML_BLOCK_MAPPING_STYLE);
    if (!yaml_emitter_emit(emitter, &event))
        return false;
    for (int i = 0; i < node->count; i++)
        if ((!list && !emit(emitter, node->keys[i], depth + 1)) || !emit(emitter, node->items[i], depth + 1))
            return false;
    if (list)
        yaml_sequence_end_event_initialize(&event);
    else
        yaml_mapping_end_event_initialize(&event);
    return yaml_emitter_emit(emitter, &event);
}

nm_status nm_yaml_write(nm_context *ctx, const nm_yaml *root, char **text)
{
    *text = NULL;
    sink s = {.ctx = ctx};
    yaml_emitter_t emitter;
    if (!yaml_emitter_initialize(&emitter))
        return nm_fail_memory(ctx, sizeof emitter);
    yaml_emitter_set_output(&emitter, take, &s);
    yaml_emitter_set_unicode(&emitter, 1);
    yaml_emitter_set_width(&emitter, 120);
    yaml_event_t event;
    bool done = yaml_stream_start_event_initialize(&event, YAML_UTF8_ENCODING) &&
                yaml_emitter_emit(&emitter, &event) &&
                yaml_document_start_event_initialize(&event, NULL, NULL, NULL, 1) &&
                yaml_emitter_emit(&emitter, &event) && emit(&emitter, root, 0) &&
                yaml_document_end_event_initialize(&event, 1) && yaml_emitter_emit(&emitter, &event) &&
                yaml_stream_end_event_initialize(&event) && yaml_emitter_emit(&emitter, &event);
    yaml_emitter_delete(&emitter);
    if (!done || !s.text) {
        nm_free(s.text);
        return nm_fail(ctx, NM_FAILED, "the model could not be written as YAML text");
    }
    s.text[s.size] = '\0';
    *text = s.text;
    return NM_OK;
}
