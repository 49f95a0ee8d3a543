/* norma: what a loss (objective) is: the same pattern as a layer type. extending.h says how your
 * own is registered; norma's own are files in src/losses that end in one const nm_loss_type.
 *
 *     // (x - value)^2, summed over a sample
 *     static void square_run(const nm_loss_pass *p, const void *self)
 *     {
 *         size_t count = nm_shape_size(p->xs);
 *         for (int i = 0; i < p->n; i++) {
 *             double loss = 0;
 *             for (size_t k = (size_t)i * count; k < (size_t)(i + 1) * count; k++) {
 *                 double error = (double)p->x[k] - (double)p->targets.values[k];
 *                 loss += error * error;
 *                 if (p->dx)
 *                     p->dx[k] = (nm_real)(p->scale * 2 * error);
 *             }
 *             p->sample_loss[i] = loss;
 *         }
 *     }
 *
 *     static const nm_loss_type square_type = {
 *         .name = "square",
 *         .help = "squared errors",
 *         .run = square_run,
 *     };
 *
 * `run` is called with the samples of a batch or some of them, may share them between threads, and
 * may be called by several threads at once. */
#ifndef NORMA_LOSS_H
#define NORMA_LOSS_H

#include "activation.h"
#include "fail.h"
#include "isa.h"
#include "option.h"
#include "parallel.h"
#include "real.h"
#include "shape.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What a batch should have given: class numbers, or values of the prediction's shape. */
typedef struct nm_targets {
    const int32_t *labels; /* [n] or, per pixel, [n][h][w]; NULL where the loss takes values */
    const nm_real *values; /* [n][h][w][c] of the prediction; NULL where the loss takes labels */
} nm_targets;

typedef struct nm_loss_pass {
    int n;
    nm_shape xs;      /* the prediction's */
    const nm_real *x; /* [n][h][w][c] */
    nm_targets targets;
    nm_real *dx;  /* to be overwritten with scale * d(sum of the samples' losses)/dx; NULL in evaluation */
    double scale; /* weight / samples in the whole batch */
    int threads;
    double *sample_loss; /* [n], to be overwritten: each sample's loss, unscaled */
    float *correct;      /* [n], to be overwritten: how many of a sample's labels are predicted right; or NULL */
    float *counted;      /* [n], to be overwritten: how many of them count (all that are not ignored); or NULL */
} nm_loss_pass;

typedef struct nm_loss_type {
    const char *name, *help;
    size_t size;
    const nm_option *options;
    bool classifies; /* takes labels 0..c-1 and fills `correct` */
    bool soft;       /* such a loss takes values too: a share for each class */
    /* Whether it judges what has this label. Absent: labels from 0 on. */
    bool (*counts)(const void *self, int32_t label);
    nm_activation activation; /* that it applies itself to the prediction, which makes it probabilities */
    /* Checks the prediction's shape against the options. Absent: any shape. */
    nm_status (*infer)(nm_context *ctx, const char *who, nm_shape prediction, void *self);
    void (*run)(const nm_loss_pass *p, const void *self);
} nm_loss_type;

#ifdef __cplusplus
}
#endif

#endif
