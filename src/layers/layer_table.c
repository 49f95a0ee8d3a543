/* The table of layer types of one instruction set. The names come from meson.build. */
#include "layer.h"
#include "layer_list.h"

#include <stddef.h>

#define DECLARE(name) extern const nm_layer_type NM_ISA(nm_layer_##name);
NM_LAYER_LIST(DECLARE)

extern const void *const NM_ISA(nm_layer_table)[];

#define ENTRY(name) &NM_ISA(nm_layer_##name),
const void *const NM_ISA(nm_layer_table)[] = {NM_LAYER_LIST(ENTRY) NULL};
