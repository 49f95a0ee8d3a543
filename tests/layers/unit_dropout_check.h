/* The whole test of a layer that drops whole units: DROPOUT is its name, EACH_CHANNEL whether a
 * channel of a sample is the unit, or the sample. Nothing in eval mode; in train mode a unit is
 * zeroed as a whole or kept and scaled, at the rate. */
#ifndef UNIT_DROPOUT_CHECK_H
#define UNIT_DROPOUT_CHECK_H

#include "alloc.h"
#include "layer_check.h"
#include "parse.h"
#include "run_suite.h"

#include <math.h>
#include <string.h>

static void reference(const layer_run *r, double *y)
{
    for (size_t i = 0; i < (size_t)r->n * nm_shape_size(r->out); i++)
        y[i] = r->x[0][i];
}

START_TEST(eval_does_nothing)
{
    for (int i = 0; i < 10; i++)
        check_layer(
            &(layer_case){
                DROPOUT ": {rate: 0.3}", {{pick(1, 5), pick(1, 5), pick(1, 9)}}, .n = pick(1, 3), .linear = true},
            reference);
}
END_TEST

START_TEST(train_gradients)
{
    for (int i = 0; i < 30; i++)
        check_layer(&(layer_case){text(DROPOUT ": {rate: %g}", 0.1 * pick(0, 9)),
                                  {{pick(1, 5), pick(1, 5), pick(1, 9)}},
                                  .n = pick(1, 6),
                                  .mode = NM_TRAIN,
                                  .linear = true},
                    NULL);
}
END_TEST

START_TEST(whole_units)
{
    enum { N = 400, H = 3, W = 2, C = 10 };
    static real ones[N * H * W * C];
    nm_context *ctx = nm_context_new();
    const char *model = "input: {height: 3, width: 2, channels: 10}\nlayers:\n- " DROPOUT ": {rate: 0.25}\n";
    nm_yaml *document = NULL;
    nm_network *net = NULL;
    nm_plan *plan = NULL;
    for (int i = 0; i < N * H * W * C; i++)
        ones[i] = 1;
    ck_assert_int_eq(nm_yaml_parse(ctx, "t", model, strlen(model), &document), NM_OK);
    ck_assert_int_eq(nm_network_build(ctx, document, NULL, &net), NM_OK);
    ck_assert_int_eq(nm_plan_new(net, &(nm_request){.mode = NM_TRAIN, .batch = N, .threads = 2}, &plan), NM_OK);
    const real *xs[1] = {ones};
    nm_plan_run(plan, &(nm_batch){.n = N, .x = xs, .seed = 1, .step = 5}, NM_PHASE_FORWARD);
    const real *y = nm_plan_output(plan, net->output);
    int zeros = 0;
    for (int n = 0; n < N; n++)
        for (int c = 0; c < C; c++)
            for (int i = 0; i < H * W; i++) {
                real value = y[(n * H * W + i) * C + c];
                zeros += value == 0;
                ck_assert(value == y[n * H * W * C + (EACH_CHANNEL ? c : 0)]);
                ck_assert(value == 0 || fabs((double)value - 1 / 0.75) < 1e-6);
            }
    ck_assert_double_lt(fabs((double)zeros / (N * H * W * C) - 0.25), EACH_CHANNEL ? 0.03 : 0.08);
    nm_plan_free(plan);
    nm_network_free(net);
    nm_context_free(ctx);
}
END_TEST

SUITE(DROPOUT, eval_does_nothing, train_gradients, whole_units)

#endif
