/* Between the parts of yaml_parse.c. */
#ifndef NM_YAML_PARSE_H
#define NM_YAML_PARSE_H

#include "document.h"
#include "lookup.h"

#include <yaml.h>

typedef struct nm_yaml_reader {
    nm_context *ctx;
    yaml_parser_t parser;
    const char *file, *text;
    size_t size;
    int nodes;
    size_t repeated; /* bytes of text that aliases repeated */
    bool wrong;      /* a fault was told that reading goes on behind, for there may be more */
    nm_lookup anchors;
    int anchored, anchor_capacity;
    struct anchor {
        char *name;
        nm_yaml *node;
    } * anchor;
} nm_yaml_reader;

/* "FILE:LINE:COLUMN: not YAML: PROBLEM", with what to do. */
nm_status nm_yaml_not_read(const nm_yaml_reader *r, const char *problem, yaml_mark_t mark);
/* Counts the node; *out is set also where there are too many, for the caller frees it. */
nm_status nm_yaml_new_node(nm_yaml_reader *r, nm_yaml node, int depth, nm_yaml **out);
/* Room for one more item, and in a map for its key. */
nm_status nm_yaml_reserve_item(nm_yaml_reader *r, nm_yaml *node, int *capacity);

/* Whether keys are words, each given once; sets r->wrong where they are not. */
nm_status nm_yaml_check_keys(nm_yaml_reader *r, const nm_yaml *map);

/* Called behind a node's end: an alias within the node that it stands for is undefined. */
nm_status nm_yaml_add_anchor(nm_yaml_reader *r, const char *name, yaml_mark_t mark, nm_yaml *node);
/* A copy of the node that the alias stands for. */
nm_status nm_yaml_read_alias(nm_yaml_reader *r, const yaml_event_t *event, int depth, nm_yaml **out);
void nm_yaml_free_anchors(nm_yaml_reader *r);

#endif
