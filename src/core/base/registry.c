#include "registry.h"

#include <stdlib.h>
#include <string.h>

bool nm_type_add(nm_context *ctx, nm_type_kind kind, const void *type)
{
    nm_type_list *list = nm_types(ctx, kind);
    if (list->count == list->capacity) {
        int capacity = list->capacity ? 2 * list->capacity : 64;
        const char **names = realloc(list->names, (size_t)capacity * sizeof *names);
        list->names = names ? names : list->names;
        const void **types = realloc(list->types, (size_t)capacity * sizeof *types);
        list->types = types ? types : list->types;
        if (!names || !types)
            return false;
        list->capacity = capacity;
    }
    list->names[list->count] = *(const char *const *)type;
    list->types[list->count++] = type;
    return true;
}

static bool same_word(const char *a, const char *b)
{
    for (;; a++, b++) {
        a += strspn(a, "-_");
        b += strspn(b, "-_");
        if (*a != *b || !*a)
            return *a == *b;
    }
}

const void *nm_type_find(const nm_context *ctx, nm_type_kind kind, const char *name)
{
    const nm_type_list *list = nm_types(ctx, kind);
    for (int i = 0; i < list->count; i++)
        if (same_word(list->names[i], name))
            return list->types[i];
    return NULL;
}
