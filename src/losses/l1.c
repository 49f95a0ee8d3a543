/* The mean of the absolute differences: loss = |x - t|, its slope the sign of x - t (0 where they
 * are equal). */
#include "value_loss_template.h"

#include <math.h>

static double l1_pair(const void *self, double x, double t, double *slope)
{
    (void)self;
    double off = x - t;
    *slope = off > 0 ? 1 : off < 0 ? -1 : off; /* NaN stays NaN */
    return fabs(off);
}

NM_VALUE_LOSS_TYPE(l1, "Mean absolute error, for values", l1_pair, 0, NULL, NM_LINEAR);
