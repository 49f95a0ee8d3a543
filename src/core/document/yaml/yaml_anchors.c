/* Anchors and what their aliases repeat. */
#include "yaml_parse.h"

#include "alloc.h"

#include <string.h>

enum { MOST_REPEATED = 4 << 20 };

nm_status nm_yaml_add_anchor(nm_yaml_reader *r, const char *name, yaml_mark_t mark, nm_yaml *node)
{
    if (nm_lookup_find(&r->anchors, name))
        return nm_yaml_not_read(r, "found duplicate anchor", mark);
    if (r->anchored == r->anchor_capacity) {
        int more = r->anchor_capacity ? 2 * r->anchor_capacity : 16;
        struct anchor *list = nm_alloc(r->ctx, (size_t)more, sizeof *list);
        if (!list)
            return NM_FAILED;
        if (r->anchored)
            memcpy(list, r->anchor, (size_t)r->anchored * sizeof *list);
        nm_free(r->anchor);
        r->anchor = list;
        r->anchor_capacity = more;
    }
    struct anchor *own = &r->anchor[r->anchored];
    *own = (struct anchor){nm_strdup(r->ctx, name), node};
    if (!own->name)
        return NM_FAILED;
    return nm_lookup_add(r->ctx, &r->anchors, own->name, r->anchored++);
}

void nm_yaml_free_anchors(nm_yaml_reader *r)
{
    nm_lookup_free(&r->anchors);
    for (int i = 0; i < r->anchored; i++)
        nm_free(r->anchor[i].name);
    nm_free(r->anchor);
}

static nm_status repeat_node(nm_yaml_reader *r, const nm_yaml *from, int depth, nm_yaml **out)
{
    nm_yaml fresh = {
        .kind = from->kind, .file = from->file, .line = from->line, .column = from->column, .quoted = from->quoted};
    NM_TRY(nm_yaml_new_node(r, fresh, depth, out));
    nm_yaml *node = *out;
    if (from->kind == NM_YAML_SCALAR) {
        if ((r->repeated += strlen(from->text)) > MOST_REPEATED)
            return nm_yaml_fail(r->ctx, node, "aliases repeat more than %d MiB of text", MOST_REPEATED >> 20);
        return (node->text = nm_strdup(r->ctx, from->text)) ? NM_OK : NM_FAILED;
    }
    int capacity = 0;
    for (int i = 0; i < from->count; i++) {
        NM_TRY(nm_yaml_reserve_item(r, node, &capacity));
        node->count++; /* counted before it is made: freeing must reach a half-made item */
        if (node->keys)
            NM_TRY(repeat_node(r, from->keys[i], depth + 1, &node->keys[i]));
        NM_TRY(repeat_node(r, from->items[i], depth + 1, &node->items[i]));
    }
    return NM_OK;
}

nm_status nm_yaml_read_alias(nm_yaml_reader *r, const yaml_event_t *event, int depth, nm_yaml **out)
{
    const char *name = (const char *)event->data.alias.anchor;
    const int *index = nm_lookup_find(&r->anchors, name);
    return index ? repeat_node(r, r->anchor[*index].node, depth, out)
                 : nm_yaml_not_read(r, "found undefined alias", event->start_mark);
}
