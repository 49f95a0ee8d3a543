/* Focal loss (Lin et al. 2017): cross-entropy in which what is already right counts for little.
 * With p the softmax of x and p_t that of the label,
 *
 *     loss = -(1 - p_t)^gamma log p_t,
 *     dx_c = (gamma (1 - p_t)^(gamma - 1) p_t log p_t - (1 - p_t)^gamma) (onehot_c - p_c),
 *
 * times the label's class weight (the paper's alpha). A label per sample or per pixel. */
#include "pixel_loss_template.h"

#include <math.h>

typedef struct focal {
    nm_pixel_loss classes; /* first: the shared functions take it for the whole */
    double gamma;
} focal;

static const nm_option options[] = {
    {"gamma", NM_OPT_REAL, offsetof(focal, gamma), "2", 0, 100,
     .help = "0: cross-entropy; the larger, the less easy samples count"},
    NM_PIXEL_LOSS_OPTIONS,
    {0},
};

static double focal_pixel(const void *private, const real *x, int label, const real *values, double scale, real *dx)
{
    (void)values;
    const focal *self = private;
    int classes = self->classes.classes;
    double most = (double)x[nm_argmax(x, classes)], sum = 0, others = 0;
    for (int c = 0; c < classes; c++) {
        double e = exp((double)x[c] - most);
        sum += e;
        others += c == label ? 0 : e;
    }
    double log_p = (double)x[label] - most - log(sum), p = exp(log_p),
           rest = others / sum; /* 1 - p, kept exact near 0 */
    double power = pow(rest, self->gamma);
    double weight = nm_class_weight(&self->classes, label);
    double slope = (rest > 0 ? self->gamma * power / rest * p * log_p : 0) - power;
    for (int c = 0; dx && c < classes; c++)
        dx[c] = (real)(scale * weight * slope * ((c == label) - exp((double)x[c] - most) / sum));
    return -weight * power * log_p;
}

NM_PIXEL_LOSS_TYPE(focal, "Cross-entropy in which what is already right counts for little, for classes", focal_pixel,
                   sizeof(focal), options, false, NM_SOFTMAX);
