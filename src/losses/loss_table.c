/* The table of loss types of one instruction set. The names come from meson.build. */
#include "loss.h"
#include "loss_list.h"

#include <stddef.h>

#define DECLARE(name) extern const nm_loss_type NM_ISA(nm_loss_##name);
NM_LOSS_LIST(DECLARE)

extern const void *const NM_ISA(nm_loss_table)[];

#define ENTRY(name) &NM_ISA(nm_loss_##name),
const void *const NM_ISA(nm_loss_table)[] = {NM_LOSS_LIST(ENTRY) NULL};
