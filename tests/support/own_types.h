/* A layer with an option and a parameter, a loss, an optimizer and a schedule, as a caller of the
 * library would write them. */
#ifndef OWN_TYPES_H
#define OWN_TYPES_H

#include <norma/extending.h>

/* ---- a layer y = factor * x + c_c, with an option and a parameter -------------------------- */

typedef struct affine {
    double factor;
} affine;

static const nm_option affine_options[] = {
    {.name = "factor", .type = NM_OPT_REAL, .offset = offsetof(affine, factor), .preset = "2", .help = "of x"},
    {0},
};

static nm_status affine_infer(nm_infer *e, void *self)
{
    (void)self;
    return nm_declare(e, "offset", NM_BIAS, "C", &e->in[0].c, (nm_init){.kind = NM_INIT_CONSTANT, .value = 0.5});
}

static void affine_forward(const nm_pass *p, const void *self)
{
    const affine *a = self;
    size_t count = (size_t)p->n * nm_shape_size(p->ys), channels = (size_t)p->ys.c;
    for (size_t i = 0; i < count; i++)
        p->y[i] = (real)a->factor * p->x[0][i] + p->w[0][i % channels];
}

static void affine_backward(const nm_pass *p, const void *self)
{
    const affine *a = self;
    size_t count = (size_t)p->n * nm_shape_size(p->ys), channels = (size_t)p->ys.c;
    for (size_t i = 0; i < count; i++) {
        if (p->dw[0])
            p->dw[0][i % channels] += p->dy[i];
        if (p->dx[0])
            p->dx[0][i] = (real)a->factor * p->dy[i];
    }
}

static const nm_layer_type affine_type = {.name = "own_affine",
                                          .help = "y = factor * x + offset",
                                          .size = sizeof(affine),
                                          .options = affine_options,
                                          .least_inputs = 1,
                                          .most_inputs = 1,
                                          .infer = affine_infer,
                                          .forward = affine_forward,
                                          .backward = affine_backward};

/* ---- a loss of values, an optimizer and a schedule ----------------------------------------- */

static void mean_run(const nm_loss_pass *p, const void *self)
{
    size_t count = nm_shape_size(p->xs);
    (void)self;
    for (int i = 0; i < p->n; i++) {
        const real *x = p->x + (size_t)i * count;
        p->sample_loss[i] = 0;
        for (size_t k = 0; k < count; k++) {
            double error = (double)x[k] - (k == (size_t)p->targets.labels[i]);
            p->sample_loss[i] += error * error;
            if (p->dx)
                p->dx[(size_t)i * count + k] = (real)(2 * p->scale * error);
        }
        if (p->correct)
            p->correct[i] = 0;
        if (p->counted)
            p->counted[i] = 1;
    }
}

static const nm_loss_type loss_type = {
    .name = "own_loss", .help = "squared errors", .classifies = true, .run = mean_run};

typedef struct sign_descent {
    double lr;
} sign_descent;

static const nm_option sign_options[] = {
    {.name = "lr", .type = NM_OPT_REAL, .offset = offsetof(sign_descent, lr), .preset = "0.001", .help = "rate"},
    {0},
};

static void sign_update(const nm_span *span, double lr, uint64_t step, const void *self)
{
    (void)step;
    (void)self;
    for (size_t i = 0; i < nm_span_count(span); i++) {
        span->slot[0][i] = (real)0.9 * span->slot[0][i] + span->dw[i];
        span->w[i] -= (real)lr * (real)((span->slot[0][i] > 0) - (span->slot[0][i] < 0));
    }
}

static const char *const sign_slots[] = {"mean"};
static const nm_optimizer_type optimizer_type = {.name = "own_sign",
                                                 .help = "steps of equal length",
                                                 .size = sizeof(sign_descent),
                                                 .options = sign_options,
                                                 .slots = 1,
                                                 .slot_names = sign_slots,
                                                 .update = sign_update};

static double half_factor(uint64_t step, uint64_t steps, uint64_t per_epoch, const void *self)
{
    (void)per_epoch;
    (void)self;
    return step < steps / 2 ? 1 : 0.5;
}

static const nm_schedule_type schedule_type = {.name = "own_half", .help = "half of the rate", .factor = half_factor};

#endif
