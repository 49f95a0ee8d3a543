/* What an optimizer is. It sees spans of memory, not layers. A file in src/optim ends in one
 * const nm_optimizer_type; its name stands in the list in src/optim/meson.build. */
#ifndef NORMA_OPTIMIZER_H
#define NORMA_OPTIMIZER_H

#include "fail.h"
#include "isa.h"
#include "option.h"
#include "real.h"

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* One parameter's span of the slabs. */
typedef struct nm_span {
    size_t count;      /* any number for nm_optimize; a multiple of NM_BLOCK for an optimizer's update */
    nm_real *w;        /* the parameter */
    const nm_real *dw; /* its gradient, without L2 */
    nm_real *slot[4];  /* the optimizer's memory, zero at step 1 */
    double l2;         /* the coefficient for this parameter (0: none) */
    double scale;      /* clipping: the optimizer's gradient is scale * dw; set by nm_optimize */
} nm_span;

/* The numbers that an optimizer's update goes over, all of them; written so that the compiler sees
 * that its vectors leave no remainder, which could round otherwise (isa.h, NM_BLOCK). */
static inline size_t nm_span_count(const nm_span *span)
{
    return span->count / NM_BLOCK * NM_BLOCK;
}

typedef struct nm_optimizer_type {
    const char *name, *help;
    size_t size;
    const nm_option *options;      /* has `lr`, the base rate */
    int slots;                     /* reals kept per parameter, at most 4 */
    const char *const *slot_names; /* [slots], for the checkpoint: "momentum", "m", "v" */
    /* One update of nm_span_count(span) numbers. lr is the scheduled rate of this step, step counts
     * from 1. Elementwise: nm_optimize may cut a parameter into spans and add zeros behind it. */
    void (*update)(const nm_span *span, double lr, uint64_t step, const void *self);
} nm_optimizer_type;

/* A schedule gives the factor on the base rate: step counts from 0, of `steps` in all. */
typedef struct nm_schedule_type {
    const char *name, *help;
    size_t size;
    const nm_option *options;
    double (*factor)(uint64_t step, uint64_t steps, uint64_t steps_per_epoch, const void *self);
} nm_schedule_type;

#ifdef __cplusplus
}
#endif

#endif
