/* One cycle (Smith, Topin 2018), with cosine flanks as PyTorch's OneCycleLR: from 1 / div up to 1
 * (the base rate is the peak) at `peak` of the run, then down to 1 / (div * final_div) at its last
 * step. */
#include "optimizer.h"

#include <math.h>

typedef struct onecycle {
    double peak, div, final_div;
} onecycle;

static const nm_option options[] = {
    {"peak", NM_OPT_REAL, offsetof(onecycle, peak), "0.3", 0, 1, .help = "where in the run the rate is highest"},
    {"div", NM_OPT_REAL, offsetof(onecycle, div), "25", 1, 1e9, .help = "the base rate over the first rate"},
    {"final_div", NM_OPT_REAL, offsetof(onecycle, final_div), "1e4", 1, 1e12,
     .help = "the first rate over the last rate"},
    {0},
};

static double between(double from, double to, double done)
{
    return to + (from - to) * 0.5 * (1 + cos(3.14159265358979323846 * done));
}

static double onecycle_factor(uint64_t step, uint64_t steps, uint64_t steps_per_epoch, const void *private)
{
    (void)steps_per_epoch;
    const onecycle *self = private;
    double first = 1 / self->div, last = first / self->final_div;
    double top = self->peak * (double)steps - 1, end = (double)steps - 1, at = (double)step;
    if (at <= top && top > 0)
        return between(first, 1, at / top);
    double done = end > top ? (at - top) / (end - top) : 1;
    return between(1, last, done < 1 ? done : 1);
}

extern const nm_schedule_type NM_ISA(nm_schedule_onecycle);
const nm_schedule_type NM_ISA(nm_schedule_onecycle) = {
    .name = "onecycle",
    .help = "Rises to the base rate, then falls far below where it began",
    .size = sizeof(onecycle),
    .options = options,
    .factor = onecycle_factor,
};
