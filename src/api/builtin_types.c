/* The library's own layer types, losses, optimizers and schedules, of the instruction set in use:
 * nm_context_new hands them to the core. */
#include "isa.h"
#include "registry.h"

#include <stddef.h>

/* NULL-terminated; src/layers/layer_table.c and its like. */
typedef const void *const type_table[];

#ifdef NM_HAVE_V3
#define DECLARE(name) extern type_table name##_base, name##_v3, name##_v4;
#define LEVELS(name)                                                                                                   \
    {                                                                                                                  \
        [NM_ISA_BASE] = name##_base, [NM_ISA_V3] = name##_v3, [NM_ISA_V4] = name##_v4                                  \
    }
#else
#define DECLARE(name) extern type_table name##_base;
#define LEVELS(name)                                                                                                   \
    {                                                                                                                  \
        [NM_ISA_BASE] = name##_base                                                                                    \
    }
#endif
DECLARE(nm_layer_table)
DECLARE(nm_loss_table)
DECLARE(nm_optimizer_table)
DECLARE(nm_schedule_table)

static const void *const *const tables[NM_TYPE_KINDS][NM_ISA_COUNT] = {
    [NM_LAYER] = LEVELS(nm_layer_table),
    [NM_LOSS] = LEVELS(nm_loss_table),
    [NM_OPTIMIZER] = LEVELS(nm_optimizer_table),
    [NM_SCHEDULE] = LEVELS(nm_schedule_table),
};

nm_context *nm_context_new(void)
{
    nm_context *ctx = nm_context_bare();
    for (int kind = 0; ctx && kind < NM_TYPE_KINDS; kind++)
        for (const void *const *t = tables[kind][nm_isa_level()]; *t; t++)
            if (!nm_type_add(ctx, (nm_type_kind)kind, *t)) {
                nm_context_free(ctx);
                return NULL;
            }
    return ctx;
}
