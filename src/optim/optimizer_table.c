/* The tables of optimizers and schedules of one instruction set. The names come from meson.build.
 */
#include "optim_list.h"
#include "optimizer.h"

#include <stddef.h>

#define DECLARE_OPTIMIZER(name) extern const nm_optimizer_type NM_ISA(nm_optimizer_##name);
#define DECLARE_SCHEDULE(name) extern const nm_schedule_type NM_ISA(nm_schedule_##name);
NM_OPTIMIZER_LIST(DECLARE_OPTIMIZER)
NM_SCHEDULE_LIST(DECLARE_SCHEDULE)

extern const void *const NM_ISA(nm_optimizer_table)[];
extern const void *const NM_ISA(nm_schedule_table)[];

#define OPTIMIZER_ENTRY(name) &NM_ISA(nm_optimizer_##name),
#define SCHEDULE_ENTRY(name) &NM_ISA(nm_schedule_##name),
const void *const NM_ISA(nm_optimizer_table)[] = {NM_OPTIMIZER_LIST(OPTIMIZER_ENTRY) NULL};
const void *const NM_ISA(nm_schedule_table)[] = {NM_SCHEDULE_LIST(SCHEDULE_ENTRY) NULL};
