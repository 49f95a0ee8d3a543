/* Adam: L2 goes into the gradient; adam.h has the formulas. */
#include "adam.h"

static const nm_option options[] = {NM_ADAM_OPTIONS};

static void adam_update(const nm_span *span, double lr, uint64_t step, const void *self)
{
    nm_adam_update(span, lr, step, self, false);
}

static const char *const slots[] = {"m", "v"};

extern const nm_optimizer_type NM_ISA(nm_optimizer_adam);
const nm_optimizer_type NM_ISA(nm_optimizer_adam) = {
    .name = "adam",
    .help = "Adam: L2 goes into the gradient",
    .size = sizeof(nm_adam),
    .options = options,
    .slots = 2,
    .slot_names = slots,
    .update = adam_update,
};
