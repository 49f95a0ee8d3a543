/* For tests of layers whose work others do, in whole or in part: networks of any values, and steps
 * compared. */
#ifndef FUSION_CHECK_H
#define FUSION_CHECK_H

#include "plan.h"

enum { FUSION_BATCH = 5 };
#define FUSION_TOLERANCE (sizeof(real) == 8 ? 1e-12 : 2e-5) /* of gradients, relative to the largest */

/* Layers, as in a model file, over inputs of that shape; biases, scales, shifts and statistics of
 * any value. */
nm_network *fusion_network(nm_context *ctx, const char *layers, nm_shape in);
/* How many nodes another one does the work of. */
int fused_nodes(const nm_plan *plan, int nodes);
/* How many leave the normalisation of their outputs to the reader. */
int lazy_nodes(const nm_plan *plan, int nodes);
/* One training step: gradients, running statistics and loss, each layer by itself and fused; and
 * fused by other threads, with the same bits. fused, lazy: how many nodes should be; -1: any
 * number. */
void check_training(nm_context *ctx, const char *layers, nm_shape in, int fused, int lazy);

#endif
