/* Documents: YAML as a tree that knows where each value stood. Read through libyaml. */
#ifndef NM_DOCUMENT_H
#define NM_DOCUMENT_H

#include "error.h"
#include "option.h"

#include <stdbool.h>
#include <stddef.h>

typedef enum nm_yaml_kind { NM_YAML_SCALAR, NM_YAML_LIST, NM_YAML_MAP } nm_yaml_kind;

struct nm_yaml {
    nm_yaml_kind kind;
    const char *file;       /* for messages; lives as long as the tree's root */
    int line, column;       /* from 1; 0 for values that stood in no file */
    char *origin;           /* what gave it in place of the file ("--steps"), or NULL */
    char *text;             /* scalar: its text */
    bool quoted;            /* scalar: stood in quotes, so it is a string */
    int count;              /* list: items; map: pairs */
    struct nm_yaml **keys;  /* map: scalars */
    struct nm_yaml **items; /* list: items; map: values */
};

/* A text is at most this long, nested 64 deep, and has 131,072 values, where aliases count each
 * time: reading it takes time and memory in proportion to its length. */
enum { NM_YAML_MOST = 1 << 20 };

/* Parses `size` bytes of `text`; `file` is the name for messages. An empty text is an empty map. */
nm_status nm_yaml_parse(nm_context *ctx, const char *file, const char *text, size_t size, nm_yaml **out) NM_MUST_USE;
nm_status nm_yaml_load(nm_context *ctx, const char *path, nm_yaml **out) NM_MUST_USE;
void nm_yaml_free(nm_yaml *node);
nm_status nm_yaml_copy(nm_context *ctx, const nm_yaml *node, nm_yaml **out) NM_MUST_USE;

/* The value of `key` in a map, or NULL (also when `map` is NULL or no map). */
nm_yaml *nm_yaml_get(const nm_yaml *map, const char *key);

/* The scalar at `key`, or `otherwise`. */
const char *nm_yaml_text(const nm_yaml *map, const char *key, const char *otherwise);

/* Nothing, ~ or null: as if the key were not there. */
bool nm_yaml_is_null(const nm_yaml *value);

/* Sets the dotted `path` ("train.lr") below a map to `value`, parsed as YAML; makes the maps on the
 * way. */
nm_status nm_yaml_set(nm_context *ctx, nm_yaml *root, const char *path, const char *value) NM_MUST_USE;

/* A change that no file made. */
typedef struct nm_change {
    const char *path, *value;
    const char *origin; /* what messages name ("--data"); NULL: they name the file */
    bool verbatim;      /* the value is a word, whatever it begins with */
} nm_change;
/* Sets change->path below a map. The value is a word, in which #, ": ", * and the like mean
 * themselves; it is read as YAML only where it begins with [, {, a quote or "- " and is not
 * verbatim. Whatever it is, nm_yaml_write gives a text from which the same value is read. */
nm_status nm_yaml_change(nm_context *ctx, nm_yaml *root, const nm_change *change) NM_MUST_USE;
/* Removes `key` from a map; no error where it is not there. */
void nm_yaml_remove(nm_yaml *map, const char *key);

/* The tree as YAML text; free with nm_free. */
nm_status nm_yaml_write(nm_context *ctx, const nm_yaml *root, char **text) NM_MUST_USE;

/* What to do about a text that is no YAML: libyaml's `problem` at `line` (from 0); empty where
 * nothing is known. */
void nm_yaml_advice(const char *text, size_t size, const char *problem, size_t line, char *advice, size_t capacity);
/* Where "key:value" lacks its space: the length of the key, or 0. */
size_t nm_yaml_space_lacks(const char *word);

/* Where a value stood, for the beginning of a message: "file:line:column", its origin, or the file
 * alone. */
void nm_yaml_place(const nm_yaml *at, char *text, size_t size);
/* Records "PLACE: message". */
nm_status nm_yaml_fail(nm_context *ctx, const nm_yaml *at, const char *fmt, ...) NM_PRINTF(3, 4);

#endif
