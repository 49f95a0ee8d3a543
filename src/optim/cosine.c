/* Half a cosine from 1 to `final` over the whole run (Loshchilov, Hutter 2017, without restarts).
 */
#include "optimizer.h"

#include <math.h>

typedef struct cosine {
    double final;
} cosine;

static const nm_option options[] = {
    {"final", NM_OPT_REAL, offsetof(cosine, final), "0", 0, 1, .help = "what is left of the rate at the end"},
    {0},
};

static double cosine_factor(uint64_t step, uint64_t steps, uint64_t steps_per_epoch, const void *private)
{
    (void)steps_per_epoch;
    const cosine *self = private;
    double done = steps ? (double)step / (double)steps : 0;
    return self->final + (1 - self->final) * 0.5 * (1 + cos(3.14159265358979323846 * (done < 1 ? done : 1)));
}

extern const nm_schedule_type NM_ISA(nm_schedule_cosine);
const nm_schedule_type NM_ISA(nm_schedule_cosine) = {
    .name = "cosine",
    .help = "Falls along half a cosine over the whole run",
    .size = sizeof(cosine),
    .options = options,
    .factor = cosine_factor,
};
