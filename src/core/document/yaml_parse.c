/* YAML text to a tree, from libyaml's events. What a text can cost is bounded while it is read:
 * libyaml's own documents take time by the square of the depth and of the number of anchors. */
#include "yaml/yaml_parse.h"

#include "alloc.h"

#include <stdio.h>
#include <string.h>

/* The tree is walked by recursion, and aliases repeat whole trees. */
enum { MOST_DEPTH = 64, MOST_NODES = 1 << 17, MOST_TAGS = 64 };

/* ---- messages ------------------------------------------------------------------------ */

nm_status nm_yaml_not_read(const nm_yaml_reader *r, const char *problem, yaml_mark_t mark)
{
    char advice[160];
    nm_yaml_advice(r->text, r->size, problem, mark.line, advice, sizeof advice);
    return nm_fail(r->ctx, NM_INVALID, "%s:%zu:%zu: not YAML: %s%s%s", r->file, mark.line + 1, mark.column + 1, problem,
                   *advice ? ": " : "", advice);
}

/* libyaml's problem, with what it was within. */
static nm_status parser_failed(const nm_yaml_reader *r)
{
    const yaml_parser_t *parser = &r->parser;
    const char *context = parser->context;
    char problem[512], place[64] = "";
    if (parser->error == YAML_MEMORY_ERROR)
        return nm_fail_memory(r->ctx, 0);
    if (context && parser->context_mark.line != parser->problem_mark.line)
        snprintf(place, sizeof place, " that begins in line %zu", parser->context_mark.line + 1);
    snprintf(problem, sizeof problem, "%s%s%s%s", parser->problem ? parser->problem : "unreadable", context ? ", " : "",
             context ? context : "", place);
    return nm_yaml_not_read(r, problem, parser->problem_mark);
}

static nm_status next_event(nm_yaml_reader *r, yaml_event_t *event)
{
    return yaml_parser_parse(&r->parser, event) ? NM_OK : parser_failed(r);
}

/* ---- nodes --------------------------------------------------------------------------- */

nm_status nm_yaml_new_node(nm_yaml_reader *r, nm_yaml node, int depth, nm_yaml **out)
{
    if (!(*out = nm_alloc(r->ctx, 1, sizeof **out)))
        return NM_FAILED;
    **out = node;
    if (depth > MOST_DEPTH)
        return nm_yaml_fail(r->ctx, *out, "nested too deeply: expected at most %d levels", MOST_DEPTH);
    if (++r->nodes > MOST_NODES)
        return nm_yaml_fail(r->ctx, *out, "too many values: expected at most %d (what aliases repeat counts each time)",
                            MOST_NODES);
    return NM_OK;
}

nm_status nm_yaml_reserve_item(nm_yaml_reader *r, nm_yaml *node, int *capacity)
{
    if (node->count < *capacity)
        return NM_OK;
    int more = *capacity ? 2 * *capacity : 4;
    nm_yaml ***lists[2] = {&node->items, &node->keys};
    for (int i = 0; i < (node->kind == NM_YAML_MAP ? 2 : 1); i++) {
        nm_yaml **list = nm_alloc(r->ctx, (size_t)more, sizeof *list);
        if (!list)
            return NM_FAILED;
        if (node->count)
            memcpy(list, *lists[i], (size_t)node->count * sizeof *list);
        nm_free(*lists[i]);
        *lists[i] = list;
    }
    *capacity = more;
    return NM_OK;
}

/* ---- reading ------------------------------------------------------------------------- */

static nm_status read_node(nm_yaml_reader *r, yaml_event_t *event, int depth, nm_yaml **out);

/* The next node; *end: there is none, the list or map that it would be in has ended. */
static nm_status read_next(nm_yaml_reader *r, int depth, bool *end, nm_yaml **out)
{
    yaml_event_t event;
    NM_TRY(next_event(r, &event));
    *end = event.type == YAML_SEQUENCE_END_EVENT || event.type == YAML_MAPPING_END_EVENT;
    nm_status status = *end ? NM_OK : read_node(r, &event, depth, out);
    yaml_event_delete(&event);
    return status;
}

static nm_status read_list(nm_yaml_reader *r, int depth, nm_yaml *node)
{
    int capacity = 0;
    for (;;) {
        bool end;
        NM_TRY(nm_yaml_reserve_item(r, node, &capacity));
        nm_yaml *item = NULL;
        nm_status status = read_next(r, depth + 1, &end, &item);
        if (item)
            node->items[node->count++] = item; /* freed with the list, also half-read */
        NM_TRY(status);
        if (end)
            return NM_OK;
    }
}

static nm_status read_pairs(nm_yaml_reader *r, int depth, nm_yaml *node)
{
    int capacity = 0;
    for (;;) {
        bool end;
        nm_yaml *key = NULL;
        NM_TRY(nm_yaml_reserve_item(r, node, &capacity));
        nm_status status = read_next(r, depth + 1, &end, &key);
        if (key)
            node->keys[node->count++] = key; /* freed with the map, also half-read */
        NM_TRY(status);
        if (end)
            return NM_OK;
        NM_TRY(read_next(r, depth + 1, &end, &node->items[node->count - 1]));
    }
}

static nm_status read_scalar(nm_yaml_reader *r, const yaml_event_t *event, nm_yaml *node)
{
    const char *text = (const char *)event->data.scalar.value;
    if (strlen(text) != event->data.scalar.length)
        return nm_yaml_fail(r->ctx, node, "a zero byte within text");
    node->quoted = event->data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
    node->text = nm_strdup(r->ctx, text);
    return node->text ? NM_OK : NM_FAILED;
}

static nm_status read_node(nm_yaml_reader *r, yaml_event_t *event, int depth, nm_yaml **out)
{
    bool list = event->type == YAML_SEQUENCE_START_EVENT, map = event->type == YAML_MAPPING_START_EVENT;
    if (event->type == YAML_ALIAS_EVENT)
        return nm_yaml_read_alias(r, event, depth, out);
    nm_yaml fresh = {.kind = list  ? NM_YAML_LIST
                             : map ? NM_YAML_MAP
                                   : NM_YAML_SCALAR,
                     .file = r->file,
                     .line = (int)event->start_mark.line + 1,
                     .column = (int)event->start_mark.column + 1};
    const char *anchor = (const char *)(list  ? event->data.sequence_start.anchor
                                        : map ? event->data.mapping_start.anchor
                                              : event->data.scalar.anchor);
    NM_TRY(nm_yaml_new_node(r, fresh, depth, out));
    if (list)
        NM_TRY(read_list(r, depth, *out));
    else if (map)
        NM_TRY(read_pairs(r, depth, *out));
    else
        NM_TRY(read_scalar(r, event, *out));
    if (map)
        NM_TRY(nm_yaml_check_keys(r, *out));
    return anchor ? nm_yaml_add_anchor(r, anchor, event->start_mark, *out) : NM_OK;
}

/* ---- a document ---------------------------------------------------------------------- */

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

/* Up to the first event of the document's root; *empty: the text has none. */
static nm_status begin_document(nm_yaml_reader *r, bool *empty)
{
    yaml_event_t event;
    NM_TRY(next_event(r, &event)); /* of the stream */
    yaml_event_delete(&event);
    NM_TRY(next_event(r, &event));
    bool tags = event.type == YAML_DOCUMENT_START_EVENT &&
                event.data.document_start.tag_directives.start != event.data.document_start.tag_directives.end;
    *empty = event.type == YAML_STREAM_END_EVENT;
    yaml_event_delete(&event);
    return tags ? nm_fail(r->ctx, NM_INVALID, "%s: %%TAG is not read: remove the line", r->file) : NM_OK;
}

/* The text ends with its document. */
static nm_status end_document(nm_yaml_reader *r)
{
    yaml_event_t event;
    NM_TRY(next_event(r, &event)); /* of the document */
    yaml_event_delete(&event);
    NM_TRY(next_event(r, &event));
    yaml_event_type_t type = event.type;
    size_t line = event.start_mark.line + 1;
    yaml_event_delete(&event);
    return type == YAML_STREAM_END_EVENT
               ? NM_OK
               : nm_fail(r->ctx, NM_INVALID, "%s:%zu: a second document begins: expected one", r->file, line);
}

static nm_status read_document(nm_yaml_reader *r, nm_yaml *root)
{
    bool empty, end;
    nm_yaml *content = NULL;
    *root = (nm_yaml){.kind = NM_YAML_MAP, .file = r->file, .line = 1, .column = 1};
    NM_TRY(begin_document(r, &empty));
    if (empty)
        return NM_OK;
    nm_status status = read_next(r, 0, &end, &content);
    settle_root(root, content);
    NM_TRY(status);
    NM_TRY(end_document(r));
    return r->wrong ? NM_INVALID : NM_OK;
}

/* libyaml compares each with all before it. In UTF-16 a zero stands between the letters. */
static bool has_many_tags(const char *text, size_t size)
{
    static const char *const marks[] = {"%TAG", "%\0T\0A\0G"};
    int count = 0;
    for (int i = 0; i < 2; i++) {
        size_t length = i ? 7 : 4;
        const char *at = text, *end = text + size;
        while (count <= MOST_TAGS && (at = memmem(at, (size_t)(end - at), marks[i], length))) {
            at += length;
            count++;
        }
    }
    return count > MOST_TAGS;
}

nm_status nm_yaml_parse(nm_context *ctx, const char *file, const char *text, size_t size, nm_yaml **out)
{
    *out = NULL;
    nm_yaml *root;
    const char *name;
    if (size > NM_YAML_MOST)
        return nm_fail(ctx, NM_INVALID, "%s: expected at most %d KiB of YAML; found %zu", file, NM_YAML_MOST >> 10,
                       size >> 10);
    if (has_many_tags(text, size))
        return nm_fail(ctx, NM_INVALID, "%s: %%TAG is not read: remove its lines", file);
    NM_TRY(adopt_name(ctx, file, &root, &name));
    nm_yaml_reader r = {.ctx = ctx, .file = name, .text = text, .size = size};
    if (!yaml_parser_initialize(&r.parser)) {
        nm_free(root);
        return nm_fail_memory(ctx, sizeof r.parser);
    }
    yaml_parser_set_input_string(&r.parser, (const unsigned char *)text, size);
    nm_status status = read_document(&r, root);
    yaml_parser_delete(&r.parser);
    nm_yaml_free_anchors(&r);
    if (status != NM_OK) {
        nm_yaml_free(root);
        return status;
    }
    *out = root;
    return NM_OK;
}
