/* Chooses the optimizer and schedule tables of the instruction set in use. */
#include "registry.h"

#include <string.h>

extern const nm_optimizer_type *const nm_optimizer_table_base[];
extern const nm_schedule_type *const nm_schedule_table_base[];
#ifdef NM_HAVE_V3
extern const nm_optimizer_type *const nm_optimizer_table_v3[];
extern const nm_optimizer_type *const nm_optimizer_table_v4[];
extern const nm_schedule_type *const nm_schedule_table_v3[];
extern const nm_schedule_type *const nm_schedule_table_v4[];
#endif

const nm_optimizer_type *const *nm_optimizer_types(void)
{
#ifdef NM_HAVE_V3
    static const nm_optimizer_type *const *const tables[NM_ISA_COUNT] = {[NM_ISA_BASE] = nm_optimizer_table_base,
                                                                         [NM_ISA_V3] = nm_optimizer_table_v3,
                                                                         [NM_ISA_V4] = nm_optimizer_table_v4};
    return tables[nm_isa_level()];
#else
    return nm_optimizer_table_base;
#endif
}

const nm_schedule_type *const *nm_schedule_types(void)
{
#ifdef NM_HAVE_V3
    static const nm_schedule_type *const *const tables[NM_ISA_COUNT] = {
        [NM_ISA_BASE] = nm_schedule_table_base, [NM_ISA_V3] = nm_schedule_table_v3, [NM_ISA_V4] = nm_schedule_table_v4};
    return tables[nm_isa_level()];
#else
    return nm_schedule_table_base;
#endif
}

const nm_optimizer_type *nm_optimizer_find(const char *name)
{
    for (const nm_optimizer_type *const *t = nm_optimizer_types(); *t; t++)
        if (strcmp((*t)->name, name) == 0)
            return *t;
    return NULL;
}

const nm_schedule_type *nm_schedule_find(const char *name)
{
    for (const nm_schedule_type *const *t = nm_schedule_types(); *t; t++)
        if (strcmp((*t)->name, name) == 0)
            return *t;
    return NULL;
}
