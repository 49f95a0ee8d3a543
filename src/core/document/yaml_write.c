/* A YAML tree as text. */
#include "alloc.h"
#include "document.h"

#include <string.h>
#include <yaml.h>

typedef struct sink {
    nm_context *ctx;
    char *text;
    size_t size, capacity;
} sink;

static int take(void *arg, unsigned char *bytes, size_t size)
{
    sink *s = arg;
    if (s->size + size + 1 > s->capacity) {
        size_t capacity = 2 * (s->size + size + 1);
        char *more = nm_alloc(s->ctx, capacity, 1);
        if (!more)
            return 0;
        if (s->text)
            memcpy(more, s->text, s->size);
        nm_free(s->text);
        s->text = more;
        s->capacity = capacity;
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
        return yaml_scalar_event_initialize(&event, NULL, NULL, (yaml_char_t *)node->text, (int)strlen(node->text), 1,
                                            1, style) &&
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
    bool done = yaml_stream_start_event_initialize(&event, YAML_UTF8_ENCODING) && yaml_emitter_emit(&emitter, &event) &&
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
