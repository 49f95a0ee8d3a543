/* Softmax with cross-entropy, together and stable: with z = x - max x and lse = log sum exp z,
 *
 *     loss = sum_c t_c (lse - z_c),      dx_c = (sum_k t_k) softmax_c - t_c,
 *     t_c = w_c ((1 - s) onehot_c + s / C)     (label smoothing s, class weights w, as in PyTorch
 * before its mean).
 *
 * The prediction is [n][h][w][c]: with h * w > 1 there is a label per pixel. Soft targets (values)
 * take the place of what stands in brackets. */
#include "pixel_loss_template.h"

#include <math.h>

typedef struct softmax_ce {
    nm_pixel_loss classes; /* first: the shared functions take it for the whole */
    double label_smoothing;
} softmax_ce;

static const nm_option options[] = {
    {"label_smoothing", NM_OPT_REAL, offsetof(softmax_ce, label_smoothing), "0", 0, 1,
     .help = "share of the target that is spread over all classes"},
    NM_PIXEL_LOSS_OPTIONS,
    {0},
};

/* The target of class c, times the class's weight. */
static double target(const softmax_ce *self, int label, const real *values, int c)
{
    double plain = values ? (double)values[c]
                          : (1 - self->label_smoothing) * (c == label) + self->label_smoothing / self->classes.classes;
    return nm_class_weight(&self->classes, c) * plain;
}

static double softmax_ce_pixel(const void *private, const real *x, int label, const real *values, double scale,
                               real *dx)
{
    const softmax_ce *self = private;
    int classes = self->classes.classes;
    double most = (double)x[nm_argmax(x, classes)], sum = 0, whole = 0, loss = 0;
    for (int c = 0; c < classes; c++) {
        sum += exp((double)x[c] - most);
        whole += target(self, label, values, c);
    }
    double lse = log(sum);
    for (int c = 0; c < classes; c++) {
        double t = target(self, label, values, c);
        loss += t * (lse - ((double)x[c] - most));
        if (dx)
            dx[c] = (real)(scale * (whole * exp((double)x[c] - most - lse) - t));
    }
    return loss;
}

NM_PIXEL_LOSS_TYPE(softmax_ce, "Cross-entropy of the softmax of the prediction, for classes", softmax_ce_pixel,
                   sizeof(softmax_ce), options, true, NM_SOFTMAX);
