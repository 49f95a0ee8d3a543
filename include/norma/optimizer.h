/* norma: what an optimizer and a schedule are. An optimizer sees spans of memory, not layers.
 * extending.h says how your own is registered; norma's own are files in src/optim that end in one
 * const nm_optimizer_type or nm_schedule_type.
 *
 *     typedef struct descent { double lr, momentum; } descent;
 *
 *     static const nm_option options[] = {    // `lr` must be one of them
 *         {.name = "lr", .type = NM_OPT_REAL, .offset = offsetof(descent, lr),
 *          .preset = "0.01", .help = "rate"},
 *         {.name = "momentum", .type = NM_OPT_REAL, .offset = offsetof(descent, momentum),
 *          .preset = "0.9", .help = "share of the last step"},
 *         {0},
 *     };
 *     static const char *const slots[] = {"momentum"};
 *
 *     static void descent_update(const nm_span *span, double lr, uint64_t step, const void *self)
 *     {
 *         nm_real momentum = (nm_real)((const descent *)self)->momentum;
 *         for (size_t i = 0; i < nm_span_count(span); i++) {
 *             nm_real g = (nm_real)span->scale * span->dw[i] + (nm_real)span->l2 * span->w[i];
 *             span->slot[0][i] = momentum * span->slot[0][i] + g;
 *             span->w[i] -= (nm_real)lr * span->slot[0][i];
 *         }
 *     }
 *
 *     static const nm_optimizer_type descent_type = {
 *         .name = "descent",
 *         .help = "gradient descent",
 *         .size = sizeof(descent),
 *         .options = options,
 *         .slots = 1,
 *         .slot_names = slots,
 *         .update = descent_update,
 *     };
 *
 * update is called by several threads at once, for different spans. */
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

enum { NM_MOST_SLOTS = 4 };

/* One parameter's span of the slabs. */
typedef struct nm_span {
    size_t count;                 /* a multiple of NM_BLOCK when update is called */
    nm_real *w;                   /* the parameter */
    const nm_real *dw;            /* its gradient, without L2 */
    nm_real *slot[NM_MOST_SLOTS]; /* the optimizer's memory, zero at step 1 */
    double l2;                    /* the coefficient for this parameter (0: none) */
    double scale;                 /* clipping: the optimizer's gradient is scale * dw; 1 without clipping */
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
     * from 1. Elementwise: norma may cut a parameter into spans and add zeros behind it. */
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
