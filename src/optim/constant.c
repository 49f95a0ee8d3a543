/* The base rate throughout. */
#include "optimizer.h"

static double constant_factor(uint64_t step, uint64_t steps, uint64_t steps_per_epoch, const void *self)
{
    (void)step;
    (void)steps;
    (void)steps_per_epoch;
    (void)self;
    return 1;
}

extern const nm_schedule_type NM_ISA(nm_schedule_constant);
const nm_schedule_type NM_ISA(nm_schedule_constant) = {
    .name = "constant",
    .help = "The base rate throughout",
    .factor = constant_factor,
};
