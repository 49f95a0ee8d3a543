/* prelu against its formula, numerical derivatives and PyTorch's values. */
#include "layer_check.h"
#include "run_suite.h"

static bool now_shared;

static void reference(const layer_run *r, double *y)
{
    for (size_t i = 0; i < (size_t)r->n * nm_shape_size(r->out); i++) {
        double x = r->x[0][i], slope = r->param[0][now_shared ? 0 : i % (size_t)r->out.c];
        y[i] = x > 0 ? x : slope * x;
    }
}

START_TEST(random_shapes)
{
    for (int i = 0; i < 40; i++) {
        now_shared = i % 4 == 0;
        check_layer(&(layer_case){now_shared ? "prelu: {shared: true}" : "prelu: {}",
                                  {{pick(1, 7), pick(1, 7), pick(1, 17)}},
                                  .n = pick(1, 3)},
                    reference);
    }
}
END_TEST

/* Larger than a task, so that tasks meet. */
START_TEST(several_tasks)
{
    now_shared = false;
    check_layer(&(layer_case){"prelu: {}", {{33, 31, 5}}, .n = 2}, reference);
}
END_TEST

START_TEST(golden_values)
{
    check_golden("prelu");
}
END_TEST

SUITE("prelu", random_shapes, several_tasks, golden_values)
