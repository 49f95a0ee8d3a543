/* A trainer of training.h. Private to src/api. */
#ifndef NM_OWN_TRAINER_H
#define NM_OWN_TRAINER_H

#include "api_types.h"

#include "evaluate.h"
#include "network.h"
#include "optimization.h"

/* What was done last, in the order of a step. */
typedef enum nm_trainer_phase { NM_IDLE, NM_FORWARD_DONE, NM_LOSS_DONE, NM_GRADIENTS_READY } nm_trainer_phase;

struct nm_trainer {
    nm_context *ctx;
    nm_network *net;                   /* the caller's, or `part` */
    nm_network part;                   /* with options.output: a copy that shares all with the caller's, but has that
                                          prediction and no losses; not to be freed */
    const nm_train_settings *settings; /* the network's */
    nm_trainer_options options;        /* those left open are as the settings say */
    int batch;
    uint64_t steps_per_epoch;
    bool sliced; /* a step runs in slices: it cannot be taken apart */
    nm_plan *plan;
    nm_optimization *optimization; /* NULL: the caller changes the parameters */
    int *readable;                 /* [readables]: layers, not inputs, whose output the plan keeps */
    int readables;
    nm_target_maker targets; /* one-hot, for losses of values */
    uint64_t step;           /* updates done */
    nm_trainer_phase phase;
    nm_batch held;       /* of the last forward */
    const real **held_x; /* [inputs] */
    real *kept;          /* gradients that the next backward adds to: as the slab; NULL: never used */
    bool keeps;          /* `kept` is in use */
    nm_plan *evaluation; /* NULL: not needed yet */
    nm_target_maker evaluation_targets;
};

/* NM_INVALID unless the batch has labels in range, or values, for an objective that takes the
 * batch's targets. */
nm_status nm_objective_check_targets(nm_context *ctx, const nm_network *net, const nm_objective *objective,
                                     const nm_minibatch *batch) NM_MUST_USE;

/* NM_INVALID unless the batch is one that the network takes: at most `most` samples, its inputs and
 * targets for every loss, labels in range. Fills *batch and *x, which has as many pointers as the
 * network has inputs; `targets` must hold a batch. */
nm_status nm_trainer_take_batch(const nm_trainer *t, const nm_minibatch *given, int most, nm_target_maker *targets,
                                const real **x, nm_batch *batch) NM_MUST_USE;

/* NM_INVALID where there is no loss, or one that the batch has no targets for. */
nm_status nm_trainer_need_targets(const nm_trainer *t, const nm_batch *batch) NM_MUST_USE;

/* Steps of an epoch of so many samples: a single one left at its end is passed over. */
uint64_t nm_epoch_steps(int samples, int batch);

#endif
