/* Chooses the layer table of the instruction set in use. */
#include "registry.h"

#include <string.h>

extern const nm_layer_type *const nm_layer_table_base[];
#ifdef NM_HAVE_V3
extern const nm_layer_type *const nm_layer_table_v3[];
extern const nm_layer_type *const nm_layer_table_v4[];
#endif

const nm_layer_type *const *nm_layer_types(void)
{
#ifdef NM_HAVE_V3
    static const nm_layer_type *const *const tables[NM_ISA_COUNT] = {
        [NM_ISA_BASE] = nm_layer_table_base, [NM_ISA_V3] = nm_layer_table_v3, [NM_ISA_V4] = nm_layer_table_v4};
    return tables[nm_isa_level()];
#else
    return nm_layer_table_base;
#endif
}

/* Dashes and underscores are passed over: hard-sigmoid, hard_sigmoid and hardsigmoid are one. */
static bool same_word(const char *a, const char *b)
{
    for (;; a++, b++) {
        a += strspn(a, "-_");
        b += strspn(b, "-_");
        if (*a != *b || !*a)
            return *a == *b;
    }
}

const nm_layer_type *nm_layer_find(const char *name)
{
    for (const nm_layer_type *const *t = nm_layer_types(); *t; t++)
        if (same_word((*t)->name, name))
            return *t;
    return NULL;
}
