/* The types of this build, NULL-terminated, for the instruction set in use. */
#ifndef NM_REGISTRY_H
#define NM_REGISTRY_H

#include "layer.h"
#include "loss.h"
#include "optimizer.h"

const nm_layer_type *const *nm_layer_types(void);
const nm_layer_type *nm_layer_find(const char *name);
const nm_loss_type *const *nm_loss_types(void);
const nm_loss_type *nm_loss_find(const char *name);
const nm_optimizer_type *const *nm_optimizer_types(void);
const nm_optimizer_type *nm_optimizer_find(const char *name);
const nm_schedule_type *const *nm_schedule_types(void);
const nm_schedule_type *nm_schedule_find(const char *name);

#endif
