/* The network of one layer under test, with its inputs and the gradient that backward starts from:
 * open_built, plan_built and run_forward as often as wanted, close_built. Private to layer_check.c.
 */
#ifndef BUILT_LAYER_H
#define BUILT_LAYER_H

#include "layer_check.h"

typedef struct built_layer {
    nm_context *ctx;
    nm_network *net;
    const layer_case *c;
    int node, inputs, n;
    real *x[MAX_INPUTS], *r; /* inputs; the gradient that backward starts from */
    real *states;            /* before forward */
    nm_batch batch;
    const real *xs[MAX_INPUTS];
} built_layer;

/* The network alone; fails as building it does. */
nm_status build_case(nm_context *ctx, const layer_case *c, nm_network **net, int *inputs);
/* `made` stays where it is: its batch points into it. */
void open_built(built_layer *made, const layer_case *c);
void close_built(built_layer *b);
nm_plan *plan_built(built_layer *b, int threads, bool keep_all);
/* From the states as they were before the first forward. */
void run_forward(built_layer *b, nm_plan *plan);
/* The values in double; nm_free. */
double *widen(built_layer *b, const real *from, size_t count);

/* Fails unless each sample has the bits, alone, that it has in the whole batch (in evaluation). */
void check_samples_alone(built_layer *b);

#endif
