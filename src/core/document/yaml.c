/* YAML text to a tree, through libyaml's document API. */
#include "document.h"

#include "alloc.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <yaml.h>

/* Deeper files are refused: the tree is walked by recursion. */
enum { MAX_DEPTH = 64, MAX_NODES = 1 << 17, MAX_FILE = 16 << 20 };

typedef struct reader {
    nm_context *ctx;
    yaml_document_t *document;
    const char *file;
    int nodes;
} reader;

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

static nm_yaml *new_node(reader *r, nm_yaml_kind kind, yaml_mark_t mark)
{
    nm_yaml *node = nm_alloc(r->ctx, 1, sizeof *node);
    if (node)
        *node = (nm_yaml){.kind = kind, .file = r->file, .line = (int)mark.line + 1, .column = (int)mark.column + 1};
    return node;
}

static nm_status read_node(reader *r, int index, int depth, nm_yaml **out);

static nm_status read_list(reader *r, yaml_node_t *from, int depth, nm_yaml *node)
{
    int count = (int)(from->data.sequence.items.top - from->data.sequence.items.start);
    node->items = nm_alloc(r->ctx, (size_t)count + 1, sizeof *node->items);
    if (!node->items)
        return NM_FAILED;
    while (node->count < count) { /* counted before it is read: freeing must reach a half-read item */
        int i = node->count++;
        NM_TRY(read_node(r, from->data.sequence.items.start[i], depth + 1, &node->items[i]));
    }
    return NM_OK;
}

static nm_status key_twice(nm_context *ctx, const nm_yaml *map, const nm_yaml *key)
{
    int first = 0;
    for (int i = 0; i < map->count; i++)
        if (strcmp(map->keys[i]->text, key->text) == 0)
            first = map->keys[i]->line;
    return nm_yaml_fail(ctx, key, "key '%s' is given twice, first in line %d: keep one of them", key->text, first);
}

static nm_status read_map(reader *r, yaml_node_t *from, int depth, nm_yaml *node)
{
    int count = (int)(from->data.mapping.pairs.top - from->data.mapping.pairs.start);
    node->items = nm_alloc(r->ctx, (size_t)count + 1, sizeof *node->items);
    node->keys = nm_alloc(r->ctx, (size_t)count + 1, sizeof *node->keys);
    if (!node->items || !node->keys)
        return NM_FAILED;
    nm_status status = NM_OK;
    for (int i = 0; i < count; i++) {
        yaml_node_pair_t pair = from->data.mapping.pairs.start[i];
        nm_yaml *key = NULL;
        nm_status read = read_node(r, pair.key, depth + 1, &key);
        if (read != NM_OK) {
            nm_yaml_free(key);
            return read;
        }
        if (key->kind != NM_YAML_SCALAR || nm_yaml_get(node, key->text)) {
            status = key->kind != NM_YAML_SCALAR ? nm_yaml_fail(r->ctx, key, "a key must be a word")
                                                 : key_twice(r->ctx, node, key);
            nm_yaml_free(key);
            continue;
        }
        node->keys[node->count] = key;
        node->count++;
        NM_TRY(read_node(r, pair.value, depth + 1, &node->items[node->count - 1]));
    }
    return status;
}

static nm_status read_node(reader *r, int index, int depth, nm_yaml **out)
{
    yaml_node_t *from = yaml_document_get_node(r->document, index);
    nm_yaml_kind kind = from->type == YAML_SEQUENCE_NODE  ? NM_YAML_LIST
                        : from->type == YAML_MAPPING_NODE ? NM_YAML_MAP
                                                          : NM_YAML_SCALAR;
    nm_yaml *node = new_node(r, kind, from->start_mark);
    if (!node)
        return NM_FAILED;
    *out = node;
    if (depth > MAX_DEPTH || ++r->nodes > MAX_NODES)
        return nm_yaml_fail(r->ctx, node, "nested too deeply or too large (aliases count each time)");
    if (kind == NM_YAML_LIST)
        return read_list(r, from, depth, node);
    if (kind == NM_YAML_MAP)
        return read_map(r, from, depth, node);
    if (strlen((const char *)from->data.scalar.value) != from->data.scalar.length)
        return nm_yaml_fail(r->ctx, node, "a zero byte within text");
    node->quoted = from->data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
    node->text = nm_strdup(r->ctx, (const char *)from->data.scalar.value);
    return node->text ? NM_OK : NM_FAILED;
}

/* The file's name is owned by the root, behind its node. */
static nm_status adopt_name(nm_context *ctx, const char *file, nm_yaml **root, const char **name)
{
    size_t size = strlen(file) + 1;
    char *block = nm_alloc(ctx, 1, sizeof(nm_yaml) + size);
    if (!block)
        return NM_FAILED;
    memcpy(block + sizeof(nm_yaml), file, size);
    *root = (nm_yaml *)block;
    *name = block + sizeof(nm_yaml);
    return NM_OK;
}

/* Moves the root's content into the block that carries the name. */
static void settle_root(nm_yaml *root, nm_yaml *content)
{
    if (content) {
        *root = *content;
        nm_free(content);
    }
}

static nm_status read_document(nm_context *ctx, yaml_document_t *document, const char *name, nm_yaml *root)
{
    *root = (nm_yaml){.kind = NM_YAML_MAP, .file = name, .line = 1, .column = 1};
    if (!yaml_document_get_root_node(document))
        return NM_OK;
    reader r = {ctx, document, name, 0};
    nm_yaml *content = NULL;
    nm_status status = read_node(&r, 1, 0, &content);
    settle_root(root, content);
    return status;
}

static nm_status not_yaml(nm_context *ctx, const char *file, const char *text, size_t size, const yaml_parser_t *parser)
{
    const char *problem = parser->problem ? parser->problem : "unreadable", *context = parser->context;
    char advice[160], place[64] = "";
    nm_yaml_advice(text, size, problem, parser->problem_mark.line, advice, sizeof advice);
    if (context && parser->context_mark.line != parser->problem_mark.line)
        snprintf(place, sizeof place, " that begins in line %zu", parser->context_mark.line + 1);
    return nm_fail(ctx, NM_INVALID, "%s:%zu:%zu: not YAML: %s%s%s%s%s%s", file, parser->problem_mark.line + 1,
                   parser->problem_mark.column + 1, problem, context ? ", " : "", context ? context : "", place,
                   *advice ? ": " : "", advice);
}

nm_status nm_yaml_parse(nm_context *ctx, const char *file, const char *text, size_t size, nm_yaml **out)
{
    *out = NULL;
    nm_yaml *root;
    const char *name;
    NM_TRY(adopt_name(ctx, file, &root, &name));
    yaml_parser_t parser;
    if (!yaml_parser_initialize(&parser)) {
        nm_free(root);
        return nm_fail_memory(ctx, sizeof parser);
    }
    yaml_parser_set_input_string(&parser, (const unsigned char *)text, size);
    yaml_document_t document;
    nm_status status;
    if (yaml_parser_load(&parser, &document)) {
        status = read_document(ctx, &document, name, root);
        yaml_document_delete(&document);
    } else {
        status = not_yaml(ctx, file, text, size, &parser);
    }
    yaml_parser_delete(&parser);
    if (status != NM_OK) {
        nm_yaml_free(root);
        return status;
    }
    *out = root;
    return NM_OK;
}

nm_status nm_yaml_load(nm_context *ctx, const char *path, nm_yaml **out)
{
    *out = NULL;
    FILE *f = fopen(path, "rb");
    if (!f)
        return nm_fail(ctx, errno == ENOENT ? NM_INVALID : NM_FAILED, "%s: cannot open: %s", path, strerror(errno));
    char *text = nm_alloc(ctx, MAX_FILE, 1);
    size_t size = text ? fread(text, 1, MAX_FILE, f) : 0;
    nm_status status = NM_FAILED;
    if (text && ferror(f))
        status = nm_fail(ctx, NM_FAILED, "%s: cannot read: %s", path, strerror(errno));
    else if (text && size == MAX_FILE)
        status = nm_fail(ctx, NM_INVALID, "%s: larger than %d MB: not a model file", path, MAX_FILE >> 20);
    else if (text)
        status = nm_yaml_parse(ctx, path, text, size, out);
    fclose(f);
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
