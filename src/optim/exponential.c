/* factor^epoch, falling with every step. */
#include "optimizer.h"

#include <math.h>

typedef struct exponential {
    double factor;
} exponential;

static const nm_option options[] = {
    {"factor", NM_OPT_REAL, offsetof(exponential, factor), "0.95", 0, 1,
     .help = "what an epoch multiplies the rate by"},
    {0},
};

static double exponential_factor(uint64_t step, uint64_t steps, uint64_t steps_per_epoch, const void *private)
{
    (void)steps;
    const exponential *self = private;
    return pow(self->factor, (double)step / (double)steps_per_epoch);
}

extern const nm_schedule_type NM_ISA(nm_schedule_exponential);
const nm_schedule_type NM_ISA(nm_schedule_exponential) = {
    .name = "exponential",
    .help = "Falls by a constant factor per epoch",
    .size = sizeof(exponential),
    .options = options,
    .factor = exponential_factor,
};
