/* Sigmoid cross-entropy against its formula, numerical derivatives and PyTorch's values. */
#include "loss_check.h"

static double reference(const loss_case *c, const real *x, const int32_t *labels, const real *values)
{
    (void)labels;
    size_t count = nm_shape_size(c->shape);
    double sum = 0;
    for (size_t i = 0; i < count; i++) {
        double d = (double)x[i] - (double)values[i];
        double t = (double)values[i], s = 1 / (1 + exp(-(d + t))), w = strcmp(c->options, "{}") ? 3 : 1;
        sum += -(w * t * log(s) + (1 - t) * log(1 - s));
    }
    return sum / (double)count;
}

START_TEST(random_shapes)
{
    static const char *const options[] = {"{}", "{positive_weight: 3}"};
    check_loss_shapes("sigmoid_ce", options, 2, true, reference);
}
END_TEST

START_TEST(golden_values)
{
    check_golden_loss("sigmoid_ce", "plain", "{}", true);
    check_golden_loss("sigmoid_ce", "weight", "{positive_weight: 2.5}", true);
}
END_TEST

SUITE("sigmoid_ce", random_shapes, golden_values)
