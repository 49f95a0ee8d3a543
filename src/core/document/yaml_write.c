/* A YAML tree as text. */
#include "alloc.h"
#include "document.h"

#include <string.h>
#include <yaml.h>

typedef struct writer {
    nm_context *ctx;
    yaml_emitter_t emitter;
    yaml_event_t event; /* the next */
    bool failed;
    char *text;
    size_t size, capacity;
} writer;

static int take(void *arg, unsigned char *bytes, size_t size)
{
    writer *w = arg;
    if (w->size + size + 1 > w->capacity) {
        size_t capacity = 2 * (w->size + size + 1);
        char *more = nm_alloc(w->ctx, capacity, 1);
        if (!more)
            return 0;
        if (w->text)
            memcpy(more, w->text, w->size);
        nm_free(w->text);
        w->text = more;
        w->capacity = capacity;
    }
    memcpy(w->text + w->size, bytes, size);
    w->size += size;
    return 1;
}

/* Writes w->event, which was made or not; nothing behind a failure. */
static void emit(writer *w, int made)
{
    if (made && w->failed)
        yaml_event_delete(&w->event);
    else
        w->failed = !made || !yaml_emitter_emit(&w->emitter, &w->event);
}

/* A map or list of scalars alone is written on one line. */
static bool flat(const nm_yaml *node, int depth)
{
    for (int i = 0; i < node->count; i++)
        if (node->items[i]->kind != NM_YAML_SCALAR && (depth == 0 || !flat(node->items[i], depth - 1)))
            return false;
    return true;
}

static void emit_node(writer *w, const nm_yaml *node, int depth)
{
    if (node->kind == NM_YAML_SCALAR) {
        yaml_scalar_style_t style = node->quoted ? YAML_DOUBLE_QUOTED_SCALAR_STYLE : YAML_PLAIN_SCALAR_STYLE;
        emit(w, yaml_scalar_event_initialize(&w->event, NULL, NULL, (yaml_char_t *)node->text, (int)strlen(node->text),
                                             1, 1, style));
        return;
    }
    bool list = node->kind == NM_YAML_LIST, on_one_line = depth > 0 && flat(node, 2);
    if (list)
        emit(w, yaml_sequence_start_event_initialize(
                    &w->event, NULL, NULL, 1, on_one_line ? YAML_FLOW_SEQUENCE_STYLE : YAML_BLOCK_SEQUENCE_STYLE));
    else
        emit(w, yaml_mapping_start_event_initialize(&w->event, NULL, NULL, 1,
                                                    on_one_line ? YAML_FLOW_MAPPING_STYLE : YAML_BLOCK_MAPPING_STYLE));
    for (int i = 0; i < node->count; i++) {
        if (!list)
            emit_node(w, node->keys[i], depth + 1);
        emit_node(w, node->items[i], depth + 1);
    }
    emit(w, list ? yaml_sequence_end_event_initialize(&w->event) : yaml_mapping_end_event_initialize(&w->event));
}

nm_status nm_yaml_write(nm_context *ctx, const nm_yaml *root, char **text)
{
    *text = NULL;
    writer w = {.ctx = ctx};
    if (!yaml_emitter_initialize(&w.emitter))
        return nm_fail_memory(ctx, sizeof w.emitter);
    yaml_emitter_set_output(&w.emitter, take, &w);
    yaml_emitter_set_unicode(&w.emitter, 1);
    yaml_emitter_set_width(&w.emitter, 120);
    emit(&w, yaml_stream_start_event_initialize(&w.event, YAML_UTF8_ENCODING));
    emit(&w, yaml_document_start_event_initialize(&w.event, NULL, NULL, NULL, 1));
    emit_node(&w, root, 0);
    emit(&w, yaml_document_end_event_initialize(&w.event, 1));
    emit(&w, yaml_stream_end_event_initialize(&w.event)); /* the text is handed over by then */
    yaml_emitter_delete(&w.emitter);
    if (w.failed) {
        nm_free(w.text);
        return nm_fail(ctx, NM_FAILED, "the model could not be written as YAML text");
    }
    w.text[w.size] = '\0';
    *text = w.text;
    return NM_OK;
}
