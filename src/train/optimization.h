/* The optimizer and the schedule of one run: their options, the optimizer's memory, the spans of
 * the parameters. */
#ifndef NM_OPTIMIZATION_H
#define NM_OPTIMIZATION_H

#include "train.h"
#include "update.h"

typedef struct nm_optimization nm_optimization;

nm_status nm_optimization_new(nm_context *ctx, const nm_train_settings *settings, nm_network *net, uint64_t steps,
                              uint64_t steps_per_epoch, nm_optimization **out) NM_MUST_USE;
void nm_optimization_free(nm_optimization *o);

/* Points the state at the optimizer's memory, so that it is saved and loaded with it. */
void nm_optimization_state(const nm_optimization *o, nm_train_state *state);

/* Of the optimizer's memory; 0 for NULL. */
size_t nm_optimization_bytes(const nm_optimization *o);
/* How many parameters are optimised; 0 for a network that has none. */
int nm_optimization_parameters(const nm_optimization *o);
const nm_optimizer_type *nm_optimization_type(const nm_optimization *o);
/* The optimizer that settings choose, with its options, without the memory for it; to be released
 * by nm_optimizer_release, also where reading failed. */
nm_status nm_optimizer_read(nm_context *ctx, const nm_train_settings *settings, const nm_network *net,
                            const nm_optimizer_type **type, void **options) NM_MUST_USE;
void nm_optimizer_release(const nm_optimizer_type *type, void *options);
/* The options in use, of type->options. */
const void *nm_optimization_options(const nm_optimization *o);
const nm_schedule_type *nm_optimization_schedule(const nm_optimization *o, const void **options);
/* Whether the schedule, warmup aside, leaves the rate as it is in all steps. */
bool nm_optimization_steady(const nm_optimization *o);

/* The learning rate of step `step`, from 0. */
double nm_optimization_rate(const nm_optimization *o, uint64_t step);
/* From now on this rate, whatever the schedule says; NaN: the schedule's again. */
void nm_optimization_fix_rate(nm_optimization *o, double rate);
/* Updates the parameters with the plan's gradients; step counts from 0. Where a gradient holds NaN
 * or infinity nothing is updated. */
nm_update_outcome nm_optimization_step(nm_optimization *o, nm_plan *plan, uint64_t step) NM_MUST_USE;
/* The first parameter whose gradient (from the last on, as backward goes) holds NaN or infinity, as
 * "the gradient of c1/weight"; else as nm_find_not_finite. */
bool nm_optimization_find_bad(const nm_optimization *o, const nm_plan *plan, char *text, size_t size);

#endif
