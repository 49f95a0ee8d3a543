/* Numerical gradients of a network, for `norma gradcheck`. The chain rule is checked in two parts:
 * what a loss says its gradient by the prediction is, and what backward makes of that gradient. So
 * no difference of two losses near 2.3 has to tell a derivative of 1e-7: where weights are small,
 * so are the outputs, and the rounding of their differences. */
#ifndef GRADIENTS_H
#define GRADIENTS_H

#include "network.h"

typedef struct gradients {
    nm_context *ctx;
    nm_network *net;
    nm_plan *plan;
    nm_batch batch;
    real **x;            /* [inputs] */
    real *states;        /* before any forward */
    real **y, **dy;      /* [objectives]: each prediction at the start, and its loss's gradient by it */
    double *sample_loss; /* [n] */
    double largest;      /* gradient seen so far, of any array */
    nm_rng rng;
} gradients;

/* Random images and targets for them, a plan in training mode. Free in any case. */
nm_status gradients_open(nm_context *ctx, nm_network *net, int batch, uint64_t seed, gradients *out) NM_MUST_USE;
void gradients_free(gradients *g);

/* Forward, loss and backward at the start: the plan then holds the analytic gradients. */
void gradients_run(gradients *g);

typedef struct finding {
    int checked;
    double error; /* largest |numerical - analytic| over the largest |gradient| of the array */
    double largest;
} finding;

/* Compares up to `samples` of the `count` numbers with their analytic gradients: inputs and
 * parameters, by what backward makes of the losses' gradients. Errors of up to `tolerance` are not
 * looked into further. */
finding gradients_check(gradients *g, real *values, const real *gradient, size_t count, int samples, double tolerance);
/* The loss of objective i by its own prediction. */
finding gradients_check_loss(gradients *g, int objective, int samples, double tolerance);

#endif
