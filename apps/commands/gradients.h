/* Numerical gradients of a network, for `norma gradcheck`. The chain rule is checked in two parts:
 * what a loss says its gradient by the prediction is, and what backward makes of that gradient. So
 * no difference of two losses near 2.3 has to tell a derivative of 1e-7: where weights are small,
 * so are the outputs, and the rounding of their differences. */
#ifndef GRADIENTS_H
#define GRADIENTS_H

#include <norma/objective.h>
#include <norma/rng.h>

#include "cli.h"

/* A loss and what it judges, at the start. */
typedef struct judged {
    nm_objective_info info;
    char name[256];  /* "softmax_ce of logits" */
    size_t count;    /* numbers of the prediction, of all samples */
    nm_real *y, *dy; /* [count]: the prediction, and the loss's gradient by it */
    double *start;   /* [n]: each sample's loss of y */
    double *losses;  /* [n]: the same of the last gradients_run_loss */
} judged;

typedef struct gradients {
    nm_context *ctx;
    nm_network *net;
    nm_trainer *trainer;
    nm_minibatch batch;
    nm_real **x;      /* [inputs] */
    int32_t *labels;  /* random, for every loss that takes labels */
    nm_real *values;  /* random, as many as the largest prediction has */
    nm_real **states; /* [parameters]: what is not trained, before any forward; NULL: trained */
    judged *judged;   /* [objectives] */
    double largest;   /* gradient seen so far, of any array */
    nm_rng rng;
} gradients;

/* Random images and targets for them, a trainer without an optimizer. Free in any case. */
nm_status gradients_open(nm_context *ctx, nm_network *net, int batch, gradients *out) NM_MUST_USE;
void gradients_free(gradients *g);

/* Forward with the running statistics of the start, which each forward moves. */
nm_status gradients_forward(gradients *g) NM_MUST_USE;
/* Objective i at its prediction y, which may have been changed since the start; its gradient there
 * goes to dy unless that is NULL. */
nm_status gradients_run_loss(gradients *g, int i, nm_real *dy) NM_MUST_USE;
/* Forward, loss and backward at the start: the trainer then holds the analytic gradients. */
nm_status gradients_run(gradients *g) NM_MUST_USE;

typedef struct finding {
    int checked;
    double error; /* largest |numerical - analytic| over the largest |gradient| of the array */
    double largest;
} finding;

/* Compares up to `samples` of the `count` numbers with their analytic gradients: inputs and
 * parameters, by what backward makes of the losses' gradients. Errors of up to `tolerance` are not
 * looked into further. */
finding gradients_check(gradients *g, nm_real *values, const nm_real *gradient, size_t count, int samples,
                        double tolerance);
/* The loss of objective i by its own prediction. */
finding gradients_check_loss(gradients *g, int objective, int samples, double tolerance);

/* Memory for `count` things, zeroed; free. NULL with a message: there is none. */
void *gradients_memory(nm_context *ctx, size_t count, size_t size);
/* Numbers that a layer gives for one sample. */
size_t gradients_layer_size(const gradients *g, int layer);

#endif
