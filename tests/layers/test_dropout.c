/* Dropout: nothing in eval mode; in train mode the draws follow from seed, layer, step and sample
 * alone, the share of zeros is the rate, and backward drops what forward dropped. */
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
                "dropout: {rate: 0.3}", {{pick(1, 5), pick(1, 5), pick(1, 9)}}, .n = pick(1, 3), .linear = true},
            reference);
}
END_TEST

/* For a given mask it is linear: check_layer's derivatives hold, bits are equal for any number of
 * threads. */
START_TEST(train_gradients)
{
    for (int i = 0; i < 30; i++)
        check_layer(&(layer_case){text("dropout: {rate: %g}", 0.1 * pick(0, 9)),
                                  {{pick(1, 5), pick(1, 5), pick(1, 9)}},
                                  .n = pick(1, 3),
                                  .mode = NM_TRAIN,
                                  .linear = true},
                    NULL);
}
END_TEST

enum { N = 16, UNITS = 2500 };
static real ones[N * UNITS];

static void run(nm_context *ctx, uint64_t seed, uint32_t step, int n, real *y)
{
    const char *model = "input: {channels: 2500}\nlayers:\n- dropout: {rate: 0.25}\n";
    nm_yaml *document = NULL;
    nm_network *net = NULL;
    nm_plan *plan = NULL;
    ck_assert_int_eq(nm_yaml_parse(ctx, "t", model, strlen(model), &document), NM_OK);
    ck_assert_int_eq(nm_network_build(ctx, document, NULL, &net), NM_OK);
    ck_assert_int_eq(nm_plan_new(net, &(nm_request){.mode = NM_TRAIN, .batch = n, .threads = 2}, &plan), NM_OK);
    const real *xs[1] = {ones};
    nm_plan_run(plan, &(nm_batch){.n = n, .x = xs, .seed = seed, .step = step}, NM_PHASE_FORWARD);
    memcpy(y, nm_plan_output(plan, net->output), (size_t)n * UNITS * sizeof *y);
    nm_plan_free(plan);
    nm_network_free(net);
}

START_TEST(draws)
{
    static real a[N * UNITS], b[N * UNITS];
    nm_context *ctx = nm_context_new();
    for (int i = 0; i < N * UNITS; i++)
        ones[i] = 1;
    run(ctx, 1, 5, N, a);
    int zeros = 0;
    for (int i = 0; i < N * UNITS; i++) {
        zeros += a[i] == 0;
        ck_assert(a[i] == 0 || fabs((double)a[i] - 1 / 0.75) < 1e-6);
    }
    ck_assert_double_lt(fabs((double)zeros / (N * UNITS) - 0.25), 0.01);
    run(ctx, 1, 5, 3, b); /* a sample's mask does not depend on the batch */
    ck_assert_mem_eq(a, b, 3 * UNITS * sizeof *a);
    run(ctx, 1, 6, N, b);
    ck_assert_mem_ne(a, b, sizeof a);
    run(ctx, 2, 5, N, b);
    ck_assert_mem_ne(a, b, sizeof a);
    nm_context_free(ctx);
}
END_TEST

SUITE("dropout", eval_does_nothing, train_gradients, draws)
