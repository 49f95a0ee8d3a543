/* Multi-class hinge against its formula, numerical derivatives and PyTorch's values. */
#include "loss_check.h"

static double reference(const loss_case *c, const real *x, const int32_t *labels, const real *values)
{
    (void)values;
    int pixels = c->shape.h * c->shape.w, classes = c->shape.c;
    double total = 0;
    for (int k = 0; k < pixels; k++, x += classes) {
        bool squared = strcmp(c->options, "{}") != 0;
        double margin = squared ? 0.6 : 1;
        for (int i = 0; i < classes; i++) {
            double off = fmax(0, margin - (double)x[labels[k]] + (double)x[i]);
            total += i == labels[k] ? 0 : (squared ? off * off : off) / classes;
        }
    }
    return total / pixels;
}

START_TEST(random_shapes)
{
    static const char *const options[] = {"{}", "{margin: 0.6, p: 2}"};
    check_loss_shapes("hinge", options, 2, false, reference);
}
END_TEST

START_TEST(golden_values)
{
    check_golden_loss("hinge", "plain", "{}", false);
    check_golden_loss("hinge", "squared", "{p: 2, margin: 0.5}", false);
}
END_TEST

SUITE("hinge", random_shapes, golden_values)
