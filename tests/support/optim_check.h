/* Optimizers and schedules against PyTorch's trajectories (tests/golden/optim.h5, from
 * make_golden_optim.py). */
#ifndef OPTIM_CHECK_H
#define OPTIM_CHECK_H

/* Every group whose attribute `optimizer` is `name`: the weights after each of its steps, within
 * 1e-6; the same bits for any cut of the span into tasks and threads, and for any part of it alone.
 */
void check_optimizer(const char *name);
/* Every group whose attribute `schedule` is `name`: the factor at each step, within 1e-12. */
void check_schedule(const char *name);

#endif
