/* Documents: YAML as a tree that knows where each value stood. Read through libyaml. */
#ifndef NM_DOCUMENT_H
#define NM_DOCUMENT_H

#include "error.h"

#include <stdbool.h>
#include <stddef.h>

typedef enum nm_yaml_kind { NM_YAML_SCALAR, NM_YAML_LIST, NM_YAML_MAP } nm_yaml_kind;

typedef struct nm_yaml {
    nm_yaml_kind kind;
    const char *file;       /* for messages; lives as long as the tree's root */
    int line, column;       /* from 1; 0 for values from the command line */
    char *text;             /* scalar: its text */
    bool quoted;            /* scalar: stood in quotes, so it is a string */
    int count;              /* list: items; map: pairs */
    struct nm_yaml **keys;  /* map: scalars */
    struct nm_yaml **items; /* list: items; map: values */
} nm_yaml;

/* Parses `size` bytes of `text`; `file` is the name for messages. An empty text is an empty map. */
nm_status nm_yaml_parse(nm_context *ctx, const char *file, const char *text, size_t size,
                        nm_yaml **out) NM_MUST_USE;
nm_status nm_yaml_load(nm_context *ctx, const char *path, nm_yaml **out) NM_MUST_USE;
void nm_yaml_free(nm_yaml *node);
nm_status nm_yaml_copy(nm_context *ctx, const nm_yaml *node, nm_yaml **out) NM_MUST_USE;

/* The value of `key` in a map, or NULL (also when `map` is NULL or no map). */
nm_yaml *nm_yaml_get(const nm_yaml *map, const char *key);

/* The scalar at `key`, or `otherwise`. */
const char *nm_yaml_text(const nm_yaml *map, const char *key, const char *otherwise);

/* Sets the dotted `path` ("train.lr") below a map to `value`, parsed as YAML; makes the maps on the way. */
nm_status nm_yaml_set(nm_context *ctx, nm_yaml *root, const char *path, const char *value) NM_MUST_USE;
/* Removes `key` from a map; no error where it is not there. */
void nm_yaml_remove(nm_yaml *map, const char *key);

/* The tree as YAML text; free with nm_free. */
nm_status nm_yaml_write(nm_context *ctx, const nm_yaml *root, char **text) NM_MUST_USE;

/* Records "file:line:column: message". */
nm_status nm_yaml_fail(nm_context *ctx, const nm_yaml *at, const char *fmt, ...) NM_PRINTF(3, 4);

#endif
