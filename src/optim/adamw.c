/* Adam with decoupled weight decay; adam.h has the formulas. */
#include "adam.h"

static const nm_option options[] = {NM_ADAM_OPTIONS};

static void adamw_update(const nm_span *span, double lr, uint64_t step, const void *self)
{
    nm_adam_update(span, lr, step, self, true);
}

static const char *const slots[] = {"m", "v"};

extern const nm_optimizer_type NM_ISA(nm_optimizer_adamw);
const nm_optimizer_type NM_ISA(nm_optimizer_adamw) = {
    .name = "adamw",
    .help = "Adam with decoupled weight decay",
    .size = sizeof(nm_adam),
    .options = options,
    .slots = 2,
    .slot_names = slots,
    .update = adamw_update,
};
