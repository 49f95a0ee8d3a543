/* Multi-class hinge (Crammer, Singer 2001 in its summed form; PyTorch's MultiMarginLoss): with the
 * label's score x_t,
 *
 *     loss = sum over the other classes of max(0, margin - x_t + x_c)^p / C,   p 1 or 2,
 *
 * times the label's class weight. A label per sample or per pixel. */
#include "pixel_loss_template.h"

typedef struct hinge {
    nm_pixel_loss classes; /* first: the shared functions take it for the whole */
    double margin;
    int p;
} hinge;

static const nm_option options[] = {
    {"margin", NM_OPT_REAL, offsetof(hinge, margin), "1", 0, 1e9,
     .help = "by how much the label's score should be ahead"},
    {"p", NM_OPT_INT, offsetof(hinge, p), "1", 1, 2, .help = "1, or 2 for the squared hinge"},
    NM_PIXEL_LOSS_OPTIONS,
    {0},
};

static double hinge_pixel(const void *private, const real *x, int label, const real *values, double scale, real *dx)
{
    (void)values;
    const hinge *self = private;
    int classes = self->classes.classes;
    double loss = 0, pull = 0, share = nm_class_weight(&self->classes, label) / classes;
    for (int c = 0; c < classes; c++) {
        double short_of = self->margin - (double)x[label] + (double)x[c];
        bool counts = c != label && !(short_of <= 0); /* NaN counts */
        double slope = !counts ? 0 : self->p == 2 ? 2 * share * short_of : share;
        loss += !counts ? 0 : self->p == 2 ? share * short_of * short_of : share * short_of;
        pull += slope;
        if (dx)
            dx[c] = (real)(scale * slope);
    }
    if (dx)
        dx[label] = (real)(-scale * pull);
    return loss;
}

NM_PIXEL_LOSS_TYPE(hinge, "Every other class must score less than the label by a margin, for classes", hinge_pixel,
                   sizeof(hinge), options, false, NM_LINEAR);
