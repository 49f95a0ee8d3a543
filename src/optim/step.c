/* Multiplied by `factor` every `every` epochs, or at each of the `milestones` (epochs). */
#include "optimizer.h"

#include <math.h>

typedef struct step_schedule {
    double factor;
    int every;
    nm_reals milestones;
} step_schedule;

static const nm_option options[] = {
    {"factor", NM_OPT_REAL, offsetof(step_schedule, factor), "0.1", 0, 1, .help = "what the rate is multiplied by"},
    {"every", NM_OPT_INT, offsetof(step_schedule, every), "30", 1, 1 << 20, .help = "epochs between two drops"},
    {"milestones", NM_OPT_REALS, offsetof(step_schedule, milestones), "", 0, 1e9,
     .help = "epochs of the drops, instead of every"},
    {0},
};

static double step_factor(uint64_t step, uint64_t steps, uint64_t steps_per_epoch, const void *private)
{
    (void)steps;
    const step_schedule *self = private;
    double drops = (double)(step / steps_per_epoch / (uint64_t)self->every);
    if (self->milestones.count) {
        drops = 0;
        for (int i = 0; i < self->milestones.count; i++)
            drops += (double)step >= self->milestones.values[i] * (double)steps_per_epoch;
    }
    return pow(self->factor, drops);
}

extern const nm_schedule_type NM_ISA(nm_schedule_step);
const nm_schedule_type NM_ISA(nm_schedule_step) = {
    .name = "step",
    .help = "Drops by a factor every so many epochs, or at given epochs",
    .size = sizeof(step_schedule),
    .options = options,
    .factor = step_factor,
};
