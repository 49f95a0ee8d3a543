/* tanh against its formula, numerical derivatives and PyTorch's values. */
#include "layer_check.h"
#include "run_suite.h"

#include <math.h>

static void reference(const layer_run *r, double *y)
{
    for (size_t i = 0; i < (size_t)r->n * nm_shape_size(r->out); i++) {
        double x = r->x[0][i];
        y[i] = tanh(x);
    }
}

START_TEST(random_shapes)
{
    for (int i = 0; i < 32; i++)
        check_layer(&(layer_case){"tanh: {}", {{pick(1, 7), pick(1, 7), pick(1, 17)}}, .n = pick(1, 3)}, reference);
}
END_TEST

/* Larger than a task, so that tasks meet. */
START_TEST(several_tasks)
{
    check_layer(&(layer_case){"tanh: {}", {{33, 31, 17}}, .n = 2}, reference);
}
END_TEST

START_TEST(golden_values)
{
    check_golden("tanh");
}
END_TEST

SUITE("tanh", random_shapes, several_tasks, golden_values)
