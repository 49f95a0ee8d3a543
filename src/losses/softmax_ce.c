/* Softmax with cross-entropy, together and stable: with z = x - max x and lse = log sum exp z,
 *
 *     loss = lse - sum_c t_c z_c,      dx_c = softmax_c - t_c,      t = (1 - s) * onehot + s / C   (label smoothing s),
 *
 * times the label's class weight. The prediction is [n][h][w][c]: with h * w > 1 there is a label per pixel, and a
 * sample's loss is the mean over its pixels that are not `ignore`. Soft targets (values) take the place of t. */
#include "loss.h"

#include <math.h>

typedef struct softmax_ce {
    double label_smoothing;
    nm_reals class_weights;
    int ignore;
    int classes;
} softmax_ce;

static const nm_option options[] = {
    {"label_smoothing", NM_OPT_REAL, offsetof(softmax_ce, label_smoothing), "0", 0, 1,
     .help = "share of the target that is spread over all classes"},
    {"class_weights", NM_OPT_REALS, offsetof(softmax_ce, class_weights), "", 0, 1e9,
     .help = "a factor for each class"},
    {"ignore", NM_OPT_INT, offsetof(softmax_ce, ignore), "-100", .help = "label of pixels that do not count"},
    {0},
};

enum { SAMPLES = 8 }; /* a task */

static nm_status infer(nm_context *ctx, const char *who, nm_shape prediction, void *private)
{
    softmax_ce *self = private;
    self->classes = prediction.c;
    if (self->class_weights.count && self->class_weights.count != prediction.c)
        return nm_fail(ctx, NM_INVALID, "%s: expected %d class_weights, one for each class; found %d", who,
                       prediction.c, self->class_weights.count);
    return NM_OK;
}

typedef struct job {
    const nm_loss_pass *p;
    const softmax_ce *self;
} job;

static int argmax(const real *x, int count)
{
    int best = 0;
    for (int c = 1; c < count; c++)
        if (x[c] > x[best])
            best = c;
    return best;
}

/* The target of class c. */
static double target(const softmax_ce *self, int label, const real *values, int c)
{
    if (values)
        return (double)values[c];
    return (1 - self->label_smoothing) * (c == label) + self->label_smoothing / self->classes;
}

/* Loss of one pixel times `weight`; its gradient times `scale`, where wanted. */
static double pixel(const softmax_ce *self, const real *x, int label, const real *values, double weight, double scale,
                    real *dx)
{
    int classes = self->classes;
    double most = (double)x[argmax(x, classes)], sum = 0, loss = 0;
    for (int c = 0; c < classes; c++)
        sum += exp((double)x[c] - most);
    double lse = log(sum);
    for (int c = 0; c < classes; c++) {
        double t = target(self, label, values, c);
        loss += t * (lse - ((double)x[c] - most));
        if (dx)
            dx[c] = (real)(scale * weight * (exp((double)x[c] - most - lse) - t));
    }
    return weight * loss;
}

static void sample(const job *j, int index)
{
    const nm_loss_pass *p = j->p;
    const softmax_ce *self = j->self;
    int pixels = p->xs.h * p->xs.w, classes = self->classes, counted = 0;
    size_t first = (size_t)index * (size_t)pixels;
    const int32_t *labels = p->targets.labels ? p->targets.labels + first : NULL;
    for (int k = 0; k < pixels; k++)
        counted += !labels || labels[k] != self->ignore;
    double loss = 0, share = counted ? 1.0 / counted : 0;
    int right = 0;
    for (int k = 0; k < pixels; k++) {
        size_t at = (first + (size_t)k) * (size_t)classes;
        const real *x = p->x + at, *values = labels ? NULL : p->targets.values + at;
        bool counts = !labels || labels[k] != self->ignore;
        int label = labels ? labels[k] : argmax(values, classes);
        double weight = !counts ? 0 : self->class_weights.count ? self->class_weights.values[label] : 1;
        if (counts)
            loss += share * pixel(self, x, label, values, weight, p->scale * share, p->dx ? p->dx + at : NULL);
        else
            for (int c = 0; p->dx && c < classes; c++)
                p->dx[at + (size_t)c] = 0;
        right += counts && argmax(x, classes) == label;
    }
    p->sample_loss[index] = loss;
    if (p->correct)
        p->correct[index] = counted && 2 * right > counted;
}

static void task_run(void *arg, int task, int thread)
{
    (void)thread;
    const job *j = arg;
    for (int i = task * SAMPLES; i < (task + 1) * SAMPLES && i < j->p->n; i++)
        sample(j, i);
}

static void run(const nm_loss_pass *p, const void *self)
{
    job j = {p, self};
    nm_parallel(p->threads, nm_pieces(p->n, SAMPLES), task_run, &j);
}

extern const nm_loss_type NM_ISA(nm_loss_softmax_ce);
const nm_loss_type NM_ISA(nm_loss_softmax_ce) = {
    .name = "softmax_ce",
    .help = "Cross-entropy of the softmax of the prediction, for classes",
    .size = sizeof(softmax_ce),
    .options = options,
    .classifies = true,
    .infer = infer,
    .run = run,
};
