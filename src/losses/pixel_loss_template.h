/* Losses for classes, with a label for each sample or for each pixel: softmax_ce, focal, hinge.
 * With h * w > 1 a sample's loss is the mean over its pixels that are not `ignore`. A type gives
 * the loss of one pixel. */
#ifndef NM_PIXEL_LOSS_H
#define NM_PIXEL_LOSS_H

#include "loss.h"

/* The beginning of the private struct of each. */
typedef struct nm_pixel_loss {
    nm_reals class_weights;
    int ignore;
    int classes; /* set by infer */
} nm_pixel_loss;

#define NM_PIXEL_LOSS_OPTIONS                                                                                          \
    {"class_weights",                                                                                                  \
     NM_OPT_REALS,                                                                                                     \
     offsetof(nm_pixel_loss, class_weights),                                                                           \
     "",                                                                                                               \
     0,                                                                                                                \
     1e9,                                                                                                              \
     .help = "a factor for each class"},                                                                               \
    {                                                                                                                  \
        "ignore", NM_OPT_INT, offsetof(nm_pixel_loss, ignore), "-100",                                                 \
            .help = "label of pixels that do not count, beside negative ones"                                          \
    }

/* The factor of a class. */
static inline double nm_class_weight(const nm_pixel_loss *self, int class)
{
    return self->class_weights.count ? self->class_weights.values[class] : 1;
}

/* The loss of the scores x of one pixel with its label, or (values) soft targets, with the class
 * weights in it; dx, where not NULL, becomes `scale` times its gradient. */
typedef double nm_class_loss(const void *self, const real *x, int label, const real *values, double scale, real *dx);

static inline int nm_argmax(const real *x, int count)
{
    int best = 0;
    for (int c = 1; c < count; c++)
        if (x[c] > x[best])
            best = c;
    return best;
}

static inline nm_status nm_pixel_loss_infer(nm_context *ctx, const char *who, nm_shape prediction, void *private)
{
    nm_pixel_loss *self = private;
    self->classes = prediction.c;
    if (self->class_weights.count && self->class_weights.count != prediction.c)
        return nm_fail(ctx, NM_INVALID, "%s: expected %d class_weights, one for each class; found %d", who,
                       prediction.c, self->class_weights.count);
    return NM_OK;
}

static inline bool nm_pixel_counts(const void *private, int32_t label)
{
    const nm_pixel_loss *self = private;
    return label >= 0 && label != self->ignore;
}

typedef struct nm_pixel_job {
    const nm_loss_pass *p;
    const nm_pixel_loss *self;
    nm_class_loss *pixel;
} nm_pixel_job;

static inline void nm_pixel_loss_sample(const nm_pixel_job *j, int index)
{
    const nm_loss_pass *p = j->p;
    const nm_pixel_loss *self = j->self;
    int pixels = p->xs.h * p->xs.w, classes = self->classes, counted = 0, right = 0;
    size_t first = (size_t)index * (size_t)pixels;
    const int32_t *labels = p->targets.labels ? p->targets.labels + first : NULL;
    for (int k = 0; k < pixels; k++)
        counted += !labels || nm_pixel_counts(self, labels[k]);
    double loss = 0, share = counted ? 1.0 / counted : 0;
    for (int k = 0; k < pixels; k++) {
        size_t at = (first + (size_t)k) * (size_t)classes;
        const real *x = p->x + at, *values = labels ? NULL : p->targets.values + at;
        real *dx = p->dx ? p->dx + at : NULL;
        if (labels && !nm_pixel_counts(self, labels[k])) {
            for (int c = 0; dx && c < classes; c++)
                dx[c] = 0;
            continue;
        }
        int label = labels ? labels[k] : nm_argmax(values, classes);
        loss += share * j->pixel(self, x, label, values, p->scale * share, dx);
        right += nm_argmax(x, classes) == label;
    }
    p->sample_loss[index] = loss;
    if (p->correct)
        p->correct[index] = (float)right;
    if (p->counted)
        p->counted[index] = (float)counted;
}

enum { NM_PIXEL_LOSS_SAMPLES = 8 }; /* a task */

static inline void nm_pixel_loss_task(void *arg, int task, int thread)
{
    (void)thread;
    const nm_pixel_job *j = arg;
    for (int i = task * NM_PIXEL_LOSS_SAMPLES; i < (task + 1) * NM_PIXEL_LOSS_SAMPLES && i < j->p->n; i++)
        nm_pixel_loss_sample(j, i);
}

#define NM_PIXEL_LOSS_TYPE(word, sentence, class_loss, options_size, option_table, takes_soft, applies)                \
    static void word##_run(const nm_loss_pass *p, const void *self)                                                    \
    {                                                                                                                  \
        nm_pixel_job j = {p, self, class_loss};                                                                        \
        nm_parallel(p->threads, nm_ceil_div(p->n, NM_PIXEL_LOSS_SAMPLES), nm_pixel_loss_task, &j);                     \
    }                                                                                                                  \
    extern const nm_loss_type NM_ISA(nm_loss_##word);                                                                  \
    const nm_loss_type NM_ISA(nm_loss_##word) = {.name = #word,                                                        \
                                                 .help = sentence,                                                     \
                                                 .size = options_size,                                                 \
                                                 .options = option_table,                                              \
                                                 .classifies = true,                                                   \
                                                 .soft = takes_soft,                                                   \
                                                 .counts = nm_pixel_counts,                                            \
                                                 .activation = applies,                                                \
                                                 .infer = nm_pixel_loss_infer,                                         \
                                                 .run = word##_run}

#endif
