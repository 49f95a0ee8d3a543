/* Cross-entropy of the sigmoid of each number by itself, for several labels at once (PyTorch's
 * BCEWithLogitsLoss). With targets t in 0..1, stable for any x:
 *
 *     loss = max(x, 0) - x t + log(1 + exp(-|x|)),      its slope sigmoid(x) - t;
 *
 * `positive_weight` w is a factor on what positive targets give: w t log(1 + exp(-x)) + (1 - t)
 * log(1 + exp(x)). */
#include "value_loss_template.h"

#include <math.h>

typedef struct sigmoid_ce {
    double positive_weight;
} sigmoid_ce;

static const nm_option options[] = {
    {"positive_weight", NM_OPT_REAL, offsetof(sigmoid_ce, positive_weight), "1", 0, 1e9,
     .help = "factor of positive targets"},
    {0},
};

static double sigmoid_ce_pair(const void *self, double x, double t, double *slope)
{
    double w = ((const sigmoid_ce *)self)->positive_weight, bend = log1p(exp(-fabs(x)));
    double s = x > 0 ? 1 / (1 + exp(-x)) : exp(x) / (1 + exp(x));
    *slope = (1 - t) * s - w * t * (1 - s);
    return w * t * ((x < 0 ? -x : 0) + bend) + (1 - t) * ((x > 0 ? x : 0) + bend);
}

NM_VALUE_LOSS_TYPE(sigmoid_ce, "Cross-entropy of the sigmoid of each number, for several labels at once",
                   sigmoid_ce_pair, sizeof(sigmoid_ce), options, NM_SIGMOID);
