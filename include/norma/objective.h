/* norma: the objectives of a network, which its `loss:` lists: each a loss with the layer that it
 * judges, what that should have given, and a weight. A trainer (training.h) runs them all; here
 * each is a function of any prediction, as for a loss of your own that contains it:
 *
 *     double losses[32];
 *     nm_objective_info info = NM_OBJECTIVE_INFO_INIT;
 *     NM_TRY(nm_network_objective(ctx, net, 0, &info));
 *     NM_TRY(nm_trainer_forward(trainer, &batch));
 *     const nm_real *scores = nm_trainer_layer_output(trainer, info.layer);
 *     NM_TRY(nm_objective_run(ctx, net, 0, scores, &batch, losses, gradient));
 *     // add to `gradient` what your own loss gives
 *     NM_TRY(nm_trainer_backward_from(trainer, gradient));
 *
 * A batch of n samples costs the sum over the objectives of weight * mean of the samples' losses.
 * Errors, ownership and threads are as in training.h. */
#ifndef NORMA_OBJECTIVE_H
#define NORMA_OBJECTIVE_H

#include "training.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Set it to NM_OBJECTIVE_INFO_INIT. */
typedef struct nm_objective_info {
    size_t size;
    const char *loss; /* "softmax_ce"; belongs to the network */
    double weight;
    int layer;        /* whose output is the prediction */
    int target_layer; /* whose output it should become; -1: the batch has the targets */
    bool classifies;  /* takes labels: class numbers below the prediction's channels, one for each of its pixels */
    bool soft;        /* classifies, and takes values too: a share for each class */
} nm_objective_info;
#define NM_OBJECTIVE_INFO_INIT                                                                                         \
    {                                                                                                                  \
        sizeof(nm_objective_info), NULL, 0, 0, 0, false, false                                                         \
    }

NM_API int nm_network_objectives(const nm_network *net);
NM_API nm_status nm_network_objective(nm_context *ctx, const nm_network *net, int index, nm_objective_info *out);

/* Loss `index` of a prediction, [n][height][width][channels] of info.layer. Of `targets` n (any, at
 * least 1), labels and values count: where info.target_layer is not -1, values are what that layer
 * gave. `losses` gets [n], each sample's, without the weight. `gradient` gets [n][height][width]
 * [channels], that of weight * mean(losses) by the prediction, as backward begins with; NULL: it is
 * not computed. NM_INVALID: there is no such loss, or the targets are not what it takes. */
NM_API nm_status nm_objective_run(nm_context *ctx, const nm_network *net, int index, const nm_real *prediction,
                                  const nm_minibatch *targets, double *losses, nm_real *gradient);

#ifdef __cplusplus
}
#endif

#endif
