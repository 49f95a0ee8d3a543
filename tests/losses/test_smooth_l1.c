/* Smooth L1 against its formula, numerical derivatives and PyTorch's values. */
#include "loss_check.h"

static double reference(const loss_case *c, const real *x, const int32_t *labels, const real *values)
{
    (void)labels;
    size_t count = nm_shape_size(c->shape);
    double sum = 0;
    for (size_t i = 0; i < count; i++) {
        double d = (double)x[i] - (double)values[i];
        double beta = strcmp(c->options, "{}") ? 0.4 : 1;
        sum += fabs(d) < beta ? d * d / 2 / beta : fabs(d) - beta / 2;
    }
    return sum / (double)count;
}

START_TEST(random_shapes)
{
    static const char *const options[] = {"{}", "{beta: 0.4}"};
    check_loss_shapes("smooth_l1", options, 2, true, reference);
}
END_TEST

START_TEST(golden_values)
{
    check_golden_loss("smooth_l1", "plain", "{}", true);
    check_golden_loss("smooth_l1", "beta", "{beta: 0.3}", true);
}
END_TEST

SUITE("smooth_l1", random_shapes, golden_values)
