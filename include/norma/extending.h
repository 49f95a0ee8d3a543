/* norma: layers, losses, optimizers and schedules of your own.
 *
 * You describe a type by the same struct that norma's own types are described by, and register it
 * with a context. From then on model files, checkpoints and everything else that is done with that
 * context know its name:
 *
 *     #include <norma/extending.h>
 *     #include <norma/norma.h>
 *     #include <math.h>
 *
 *     // y = x * |x|: a layer without options and parameters
 *     static void forward(const nm_pass *p, const void *self)
 *     {
 *         size_t count = (size_t)p->n * nm_shape_size(p->ys);
 *         for (size_t i = 0; i < count; i++)
 *             p->y[i] = p->x[0][i] * fabsf(p->x[0][i]);
 *     }
 *
 *     static void backward(const nm_pass *p, const void *self)
 *     {
 *         size_t count = (size_t)p->n * nm_shape_size(p->ys);
 *         for (size_t i = 0; i < count && p->dx[0]; i++)
 *             p->dx[0][i] = 2 * fabsf(p->x[0][i]) * p->dy[i];
 *     }
 *
 *     static const nm_layer_type signed_square = {
 *         .name = "signed_square",
 *         .help = "y = x * |x|",
 *         .least_inputs = 1,
 *         .most_inputs = 1,
 *         .memory = NM_BACK_X,
 *         .forward = forward,
 *         .backward = backward,
 *     };
 *
 *     nm_context *ctx = nm_context_new();
 *     if (nm_register_layer(ctx, &signed_square) == NM_OK)
 *         nm_model_load(ctx, "mine.yaml", &model);        // layers: [{dense: {units: 9}},
 * signed_square, …]
 *
 * layer.h, loss.h and optimizer.h say what each function of a type does and when; fail.h how it
 * reports what it refuses, option.h how it reads options, parallel.h how it shares work between
 * threads, rng.h how it draws. examples/own_layer.c has a layer with a parameter and a loss, and
 * compares their gradients with differences.
 *
 * A type must stay as it is while a context, or anything made with it, knows of it: a const static
 * does. Each context has registrations of its own; register before you load a model with it. A
 * checkpoint holds the names of types, never their code: register before you open it.
 *
 * Before version 1.0 these structs may change with any release. What was compiled against other
 * ones is refused when it is registered, with a message; compile it again. */
#ifndef NORMA_EXTENDING_H
#define NORMA_EXTENDING_H

#include "layer.h"
#include "loss.h"
#include "optimizer.h"
#include "rng.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum nm_type_kind {
    NM_LAYER,     /* nm_layer_type */
    NM_LOSS,      /* nm_loss_type */
    NM_OPTIMIZER, /* nm_optimizer_type */
    NM_SCHEDULE,  /* nm_schedule_type */
} nm_type_kind;

/* What a program was compiled against: how many numbers these are, one that goes up when the
 * meaning of a struct changes, then the sizes of the structs that both sides read. norma compares
 * them in this order and reads none behind the first that differs. */
enum { NM_EXTENDING_VERSION = 2, NM_EXTENDING_NUMBERS = 22 };
#define NM_EXTENDING                                                                                                   \
    {                                                                                                                  \
        NM_EXTENDING_NUMBERS, NM_EXTENDING_VERSION, sizeof(nm_real), sizeof(nm_option), sizeof(nm_pad),                \
            sizeof(nm_reals), sizeof(nm_strings), sizeof(nm_choice), sizeof(nm_shape), sizeof(nm_rng),                 \
            sizeof(nm_layer_type), sizeof(nm_infer), sizeof(nm_init), sizeof(nm_reservation), sizeof(nm_rules),        \
            sizeof(nm_pass), sizeof(nm_window), sizeof(nm_loss_type), sizeof(nm_loss_pass), sizeof(nm_optimizer_type), \
            sizeof(nm_span), sizeof(nm_schedule_type)                                                                  \
    }

/* Behind the four functions below. */
NM_API nm_status nm_register_type(nm_context *ctx, nm_type_kind kind, const void *type,
                                  const size_t compiled[NM_EXTENDING_NUMBERS]);

/* Makes a type known to the context. NM_INVALID, with a message: the name is no word of letters,
 * digits, - and _, or is taken by a type of the same kind (where - and _ do not count); a function
 * is missing; an option lies outside the struct; or it was compiled against other structs. */
static inline nm_status nm_register_layer(nm_context *ctx, const nm_layer_type *type)
{
    static const size_t compiled[NM_EXTENDING_NUMBERS] = NM_EXTENDING;
    return nm_register_type(ctx, NM_LAYER, type, compiled);
}

static inline nm_status nm_register_loss(nm_context *ctx, const nm_loss_type *type)
{
    static const size_t compiled[NM_EXTENDING_NUMBERS] = NM_EXTENDING;
    return nm_register_type(ctx, NM_LOSS, type, compiled);
}

static inline nm_status nm_register_optimizer(nm_context *ctx, const nm_optimizer_type *type)
{
    static const size_t compiled[NM_EXTENDING_NUMBERS] = NM_EXTENDING;
    return nm_register_type(ctx, NM_OPTIMIZER, type, compiled);
}

static inline nm_status nm_register_schedule(nm_context *ctx, const nm_schedule_type *type)
{
    static const size_t compiled[NM_EXTENDING_NUMBERS] = NM_EXTENDING;
    return nm_register_type(ctx, NM_SCHEDULE, type, compiled);
}

#ifdef __cplusplus
}
#endif

#endif
