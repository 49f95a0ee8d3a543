/* Dense against straight loops, numerical derivatives and PyTorch's values. */
#include "layer_check.h"
#include "run_suite.h"

static void reference(const layer_run *r, double *y)
{
    size_t in = nm_shape_size(r->in[0]);
    for (int n = 0; n < r->n; n++)
        for (int o = 0; o < r->out.c; o++) {
            double sum = r->node->params > 1 ? r->param[1][o] : 0;
            for (size_t i = 0; i < in; i++)
                sum += r->x[0][(size_t)n * in + i] * r->param[0][i * (size_t)r->out.c + (size_t)o];
            y[n * r->out.c + o] = sum;
        }
}

START_TEST(random_shapes)
{
    for (int i = 0; i < 32; i++) {
        nm_shape in = {pick(1, 3), pick(1, 3), pick(1, 30)};
        check_layer(
            &(layer_case){text("dense: {units: %d, bias: %s}", pick(1, i % 8 ? 20 : 300), i % 2 ? "true" : "false"),
                          {in},
                          .n = pick(1, i % 4 ? 6 : 70),
                          .linear = true},
            reference);
    }
}
END_TEST

/* More samples than a block has, whatever the kernels. */
START_TEST(several_blocks)
{
    enum { MANY = 300 };
    check_layer(&(layer_case){"dense: {units: 70}", {{1, 1, 40}}, .n = MANY, .mode = NM_EVAL, .linear = true},
                reference);
    check_layer(&(layer_case){"dense: {units: 2}", {{1, 1, 2000}}, .n = MANY, .mode = NM_EVAL, .linear = true},
                reference);
    check_layer(&(layer_case){"dense: {units: 10}", {{1, 1, 40}}, .n = MANY, .linear = true}, reference);
}
END_TEST

START_TEST(golden_values)
{
    check_golden("dense");
}
END_TEST

START_TEST(refused)
{
    check_refused(&(layer_case){"dense: {}", {{1, 1, 4}}}, "option 'units' (outputs) must be given");
    check_refused(&(layer_case){"dense: {units: 0}", {{1, 1, 4}}}, "option 'units' must be");
}
END_TEST

SUITE("dense", random_shapes, several_blocks, golden_values, refused)
