/* Focal loss against its formula, numerical derivatives and a written-out PyTorch. */
#include "loss_check.h"

static double reference(const loss_case *c, const real *x, const int32_t *labels, const real *values)
{
    (void)values;
    int pixels = c->shape.h * c->shape.w, classes = c->shape.c;
    double total = 0;
    for (int k = 0; k < pixels; k++, x += classes) {
        double sum = 0, gamma = strcmp(c->options, "{}") ? 0.7 : 2;
        for (int i = 0; i < classes; i++)
            sum += exp((double)x[i]);
        double p = exp((double)x[labels[k]]) / sum;
        total -= pow(1 - p, gamma) * log(p);
    }
    return total / pixels;
}

START_TEST(random_shapes)
{
    static const char *const options[] = {"{}", "{gamma: 0.7}"};
    check_loss_shapes("focal", options, 2, false, reference);
}
END_TEST

START_TEST(golden_values)
{
    check_golden_loss("focal", "plain", "{}", false);
}
END_TEST

SUITE("focal", random_shapes, golden_values)
