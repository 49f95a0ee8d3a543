/* Chooses the loss table of the instruction set in use. */
#include "registry.h"

#include <string.h>

extern const nm_loss_type *const nm_loss_table_base[];
#ifdef NM_HAVE_V3
extern const nm_loss_type *const nm_loss_table_v3[];
extern const nm_loss_type *const nm_loss_table_v4[];
#endif

const nm_loss_type *const *nm_loss_types(void)
{
#ifdef NM_HAVE_V3
    static const nm_loss_type *const *const tables[NM_ISA_COUNT] = {
        [NM_ISA_BASE] = nm_loss_table_base, [NM_ISA_V3] = nm_loss_table_v3, [NM_ISA_V4] = nm_loss_table_v4};
    return tables[nm_isa_level()];
#else
    return nm_loss_table_base;
#endif
}

const nm_loss_type *nm_loss_find(const char *name)
{
    for (const nm_loss_type *const *t = nm_loss_types(); *t; t++)
        if (strcmp((*t)->name, name) == 0)
            return *t;
    return NULL;
}
