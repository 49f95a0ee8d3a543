/* The types that a context knows, of each kind, in the order in which they were registered. The
 * core calls nothing above it: who stands there hands its types over. */
#ifndef NM_REGISTRY_H
#define NM_REGISTRY_H

#include "extending.h"

#include <stdbool.h>

enum { NM_TYPE_KINDS = NM_SCHEDULE + 1 };

/* All of one kind. */
typedef struct nm_type_list {
    int count, capacity;
    const char **names; /* [count] */
    const void **types; /* [count]: of the struct that the kind names */
} nm_type_list;

/* A context that knows no type; NULL: no memory. nm_context_new (src/api) makes one that knows the
 * library's own. */
nm_context *nm_context_bare(void);

nm_type_list *nm_types(const nm_context *ctx, nm_type_kind kind);

/* Adds a type, whose struct begins with its name. false: no memory. */
bool nm_type_add(nm_context *ctx, nm_type_kind kind, const void *type);

/* The type called so, or NULL. Dashes and underscores are passed over: hard-sigmoid, hard_sigmoid
 * and hardsigmoid are one. */
const void *nm_type_find(const nm_context *ctx, nm_type_kind kind, const char *name);

#endif
