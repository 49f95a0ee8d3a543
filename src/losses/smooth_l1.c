/* Squared near the target, absolute further off (Girshick 2015): with d = x - t, loss = d^2 / (2
 * beta) where |d| < beta, |d| - beta / 2 elsewhere; its slope is d / beta, or the sign of d. */
#include "value_loss_template.h"

#include <math.h>

typedef struct smooth_l1 {
    double beta;
} smooth_l1;

static const nm_option options[] = {
    {"beta", NM_OPT_REAL, offsetof(smooth_l1, beta), "1", 1e-9, 1e9, .help = "where squared becomes absolute"},
    {0},
};

static double smooth_l1_pair(const void *self, double x, double t, double *slope)
{
    double off = x - t, size = fabs(off), beta = ((const smooth_l1 *)self)->beta;
    if (size < beta) {
        *slope = off / beta;
        return 0.5 * off * off / beta;
    }
    *slope = off > 0 ? 1 : off < 0 ? -1 : off;
    return size - 0.5 * beta;
}

NM_VALUE_LOSS_TYPE(smooth_l1, "Squared error near the target, absolute error further off, for values", smooth_l1_pair,
                   sizeof(smooth_l1), options, NM_LINEAR);
