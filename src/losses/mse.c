/* The mean of the squared differences: loss = (x - t)^2, its slope 2 (x - t). */
#include "value_loss_template.h"

static double mse_pair(const void *self, double x, double t, double *slope)
{
    (void)self;
    *slope = 2 * (x - t);
    return (x - t) * (x - t);
}

NM_VALUE_LOSS_TYPE(mse, "Mean squared error, for values", mse_pair, 0, NULL, NM_LINEAR);
