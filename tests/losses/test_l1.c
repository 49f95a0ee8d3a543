/* Mean absolute error against its formula, numerical derivatives and PyTorch's values. */
#include "loss_check.h"

static double reference(const loss_case *c, const real *x, const int32_t *labels, const real *values)
{
    (void)labels;
    size_t count = nm_shape_size(c->shape);
    double sum = 0;
    for (size_t i = 0; i < count; i++) {
        double d = (double)x[i] - (double)values[i];
        sum += fabs(d);
    }
    return sum / (double)count;
}

START_TEST(random_shapes)
{
    static const char *const options[] = {"{}"};
    check_loss_shapes("l1", options, 1, true, reference);
}
END_TEST

START_TEST(golden_values)
{
    check_golden_loss("l1", "plain", "{}", true);
}
END_TEST

SUITE("l1", random_shapes, golden_values)
