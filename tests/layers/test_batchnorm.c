/* Batch norm in both modes against straight loops, numerical derivatives, PyTorch's values; its
 * statistics on hard data; constant channels; the relu that it takes over. */
#include "alloc.h"
#include "layer_check.h"
#include "network_support.h"
#include "run_suite.h"

#include <math.h>
#include <string.h>

static double epsilon_now;
static bool affine_now;

static void reference(const layer_run *r, double *y)
{
    int rows = r->n * r->in[0].h * r->in[0].w, channels = r->in[0].c, base = affine_now ? 2 : 0;
    for (int c = 0; c < channels; c++) {
        double mean = 0, var = 0;
        for (int i = 0; i < rows; i++)
            mean += r->x[0][i * channels + c] / rows;
        for (int i = 0; i < rows; i++)
            var += pow(r->x[0][i * channels + c] - mean, 2) / rows;
        if (r->mode == NM_EVAL) {
            mean = r->param[base][c];
            var = r->param[base + 1][c];
        }
        double scale = affine_now ? r->param[0][c] : 1, shift = affine_now ? r->param[1][c] : 0;
        for (int i = 0; i < rows; i++)
            y[i * channels + c] = scale * (r->x[0][i * channels + c] - mean) / sqrt(var + epsilon_now) + shift;
    }
}

START_TEST(random_shapes)
{
    for (int i = 0; i < 40; i++) {
        epsilon_now = i % 3 ? 1e-5 : 0.1;
        affine_now = i % 4 != 3;
        nm_shape in = i % 5 == 4 ? (nm_shape){1, 1, pick(1, 40)} : (nm_shape){pick(1, 6), pick(1, 6), pick(1, 20)};
        check_layer(
            &(layer_case){text("batchnorm: {epsilon: %g, affine: %s}", epsilon_now, affine_now ? "true" : "false"),
                          {in},
                          .n = pick(3, 6),
                          .mode = i % 2 ? NM_TRAIN : NM_EVAL},
            reference);
    }
}
END_TEST

static int ghost_now;

static void ghost_reference(const layer_run *r, double *y)
{
    int ghosts = r->n / ghost_now, size = r->in[0].h * r->in[0].w * r->in[0].c;
    for (int k = 0; k < ghosts; k++) {
        layer_run part = *r;
        int first = k * ghost_now;
        part.n = k + 1 < ghosts ? ghost_now : r->n - first;
        part.x[0] = r->x[0] + (size_t)(first * size);
        reference(&part, y + (size_t)(first * size));
    }
}

START_TEST(ghost_batches)
{
    epsilon_now = 1e-5;
    affine_now = true;
    for (int i = 0; i < 30; i++) {
        ghost_now = pick(2, 4);
        check_layer(&(layer_case){text("batchnorm: {ghost: %d}", ghost_now),
                                  {{pick(1, 5), pick(1, 5), pick(1, 20)}},
                                  .n = ghost_now * pick(1, 3) + pick(0, 1),
                                  .mode = NM_TRAIN},
                    ghost_reference);
    }
    check_refused(&(layer_case){"batchnorm: {ghost: 1}", {{1, 1, 4}}, .n = 4, .mode = NM_TRAIN}, "use a larger ghost");
}
END_TEST

START_TEST(golden_values)
{
    check_golden("batchnorm");
}
END_TEST

START_TEST(refused)
{
    check_refused(&(layer_case){"batchnorm: {}", {{1, 1, 4}}, .n = 1, .mode = NM_TRAIN},
                  "training needs at least two values per channel, found 1");
    check_refused(&(layer_case){"batchnorm: {rate: 2}", {{1, 1, 4}}}, "option 'rate' must be a number from 0 to 1");
}
END_TEST

static nm_network *built(nm_context *ctx, const char *model)
{
    nm_network *net = network_from(ctx, model, NULL);
    nm_network_initialise(net, 1);
    return net;
}

/* Mean 1000, deviation 0.01: E[x^2] - E[x]^2 would be noise. And a constant channel gives exactly
 * the shift. */
START_TEST(hard_statistics)
{
    enum { N = 8, AREA = 81, C = 3 };
    nm_context *ctx = nm_context_new();
    nm_network *net = built(ctx, "input: {height: 9, width: 9, channels: 3}\nlayers:\n- batchnorm: {rate: 1}\n");
    nm_plan *plan = NULL;
    ck_assert_int_eq(nm_plan_new(net, &(nm_request){.mode = NM_TRAIN, .batch = N, .threads = 2}, &plan), NM_OK);
    static real x[N * AREA * C];
    double mean = 0, var = 0;
    nm_rng r = nm_rng_stream(1, "test", "hard");
    for (int i = 0; i < N * AREA; i++) {
        x[i * C] = (real)(1000 + 0.01 * nm_rng_normal(&r));
        x[i * C + 1] = (real)0.1;
        x[i * C + 2] = (real)nm_rng_normal(&r);
    }
    for (int i = 0; i < N * AREA; i++)
        mean += (double)x[i * C] / (N * AREA);
    for (int i = 0; i < N * AREA; i++)
        var += pow((double)x[i * C] - mean, 2) / (N * AREA - 1);
    const nm_param *shift = &net->param[1];
    nm_param_values(net, shift)[1] = (real)0.7;
    const real *xs[1] = {x};
    nm_plan_run(plan, &(nm_batch){.n = N, .x = xs}, NM_PHASE_FORWARD);
    real *states = net->states;
    const nm_param *running_mean = &net->param[2], *running_var = &net->param[3];
    ck_assert_double_lt(fabs((double)states[running_mean->offset] / mean - 1), 1e-7);
    ck_assert_double_lt(fabs((double)states[running_var->offset] / var - 1), 1e-5);
    for (int i = 0; i < N * AREA; i++)
        ck_assert(nm_plan_output(plan, net->output)[i * C + 1] == (real)0.7);
    nm_plan_free(plan);
    nm_network_free(net);
    nm_context_free(ctx);
}
END_TEST

/* statistics_rate 1, 1/2, 1/3: the running values become the plain means over three batches. */
/* One step moves the running statistics by the average of the ghosts'. */
START_TEST(ghosts_move_the_average)
{
    nm_context *ctx = nm_context_new();
    nm_network *net = built(ctx, "input: {channels: 1}\nlayers:\n- batchnorm: {ghost: 2, rate: 0.3}\n");
    nm_plan *plan;
    real x[6] = {1, 3, 10, 14, -2, 6}; /* means 2, 12, 2; unbiased variances 2, 8, 32 */
    const real *xs[1] = {x};
    nm_network_initialise(net, 1);
    ck_assert_int_eq(nm_plan_new(net, &(nm_request){.mode = NM_TRAIN, .batch = 6, .threads = 1}, &plan), NM_OK);
    nm_plan_run(plan, &(nm_batch){.n = 6, .x = xs}, NM_PHASE_FORWARD);
    int mean = nm_network_find_param(net, "batchnorm/running_mean"),
        var = nm_network_find_param(net, "batchnorm/running_var");
    ck_assert_double_eq_tol((double)*nm_param_values(net, &net->param[mean]), 0.3 * 16 / 3, 1e-6);
    ck_assert_double_eq_tol((double)*nm_param_values(net, &net->param[var]), 0.7 + 0.3 * 42 / 3, 1e-5);
    nm_plan_free(plan);
    nm_network_free(net);
    nm_context_free(ctx);
}
END_TEST

START_TEST(statistics_rate_averages_batches)
{
    nm_context *ctx = nm_context_new();
    nm_network *net = built(ctx, "input: {channels: 1}\nlayers:\n- batchnorm: {rate: 0.1}\n");
    nm_plan *plan = NULL;
    ck_assert_int_eq(nm_plan_new(net, &(nm_request){.mode = NM_TRAIN, .batch = 2, .threads = 1}, &plan), NM_OK);
    const real batches[3][2] = {{1, 3}, {0, 10}, {-4, -2}};
    for (int k = 0; k < 3; k++) {
        const real *xs[1] = {batches[k]};
        nm_plan_run(plan, &(nm_batch){.n = 2, .x = xs, .statistics_rate = 1.0 / (k + 1)}, NM_PHASE_FORWARD);
    }
    ck_assert_double_lt(fabs((double)net->states[net->param[2].offset] - (2 + 5 - 3) / 3.0), 1e-6);
    ck_assert_double_lt(fabs((double)net->states[net->param[3].offset] - (2 + 50 + 2) / 3.0), 1e-5);
    nm_plan_free(plan);
    nm_network_free(net);
    nm_context_free(ctx);
}
END_TEST

/* With the relu in its own passes and by itself: the same output, gradients and running statistics.
 * (im2col leaves the statistics of blocks of several samples to batch norm; taken by the
 * convolution they may differ in the last bits, see test_fusion.c.) */
START_TEST(fused_relu)
{
    const char *model =
        "input: {height: 5, width: 4, channels: 7}\nlayers:\n- {conv: {filters: 6, kernel: 1, algorithm: im2col}}\n"
        "- batchnorm\n- relu\n- gap\n- {dense: {units: 3}}\nloss: softmax_ce\n";
    nm_context *ctx = nm_context_new();
    nm_network *net[2];
    nm_plan *plan[2];
    double loss[2];
    for (int k = 0; k < 2; k++) {
        net[k] = built(ctx, model);
        nm_request request = {.mode = NM_TRAIN, .batch = 4, .threads = 2, .no_fuse = k == 1};
        ck_assert_int_eq(nm_plan_new(net[k], &request, &plan[k]), NM_OK);
        real x[4 * 140];
        for (int i = 0; i < 560; i++)
            x[i] = (real)sin(i);
        const real *xs[1] = {x};
        const int32_t labels[4] = {0, 1, 2, 0};
        nm_batch batch = {.n = 4, .x = xs, .targets = {.labels = labels}};
        nm_plan_run(plan[k], &batch, NM_PHASE_FORWARD);
        loss[k] = nm_plan_run(plan[k], &batch, NM_PHASE_LOSS).loss;
        nm_plan_run(plan[k], &batch, NM_PHASE_BACKWARD);
    }
    ck_assert_double_eq(loss[0], loss[1]);
    ck_assert_mem_eq(net[0]->states, net[1]->states, net[0]->state_count * sizeof(real));
    double most = 0;
    for (size_t i = 0; i < net[0]->weight_count; i++)
        most = fmax(most, fabs((double)nm_plan_gradients(plan[1])[i]));
    for (size_t i = 0; i < net[0]->weight_count; i++)
        ck_assert_double_le(fabs((double)nm_plan_gradients(plan[0])[i] - (double)nm_plan_gradients(plan[1])[i]),
                            1e-6 * most);
    ck_assert_uint_le(nm_plan_memory_use(plan[0]).activations, nm_plan_memory_use(plan[1]).activations);
    for (int k = 0; k < 2; k++) {
        nm_plan_free(plan[k]);
        nm_network_free(net[k]);
    }
    nm_context_free(ctx);
}
END_TEST

/* What is larger than the caches is written past them, vector by vector; here in its input's place.
 */
START_TEST(large_values_in_place)
{
    enum { SIDE = 368, CHANNELS = 16, COUNT = SIDE * SIDE * CHANNELS };
    static real x[COUNT];
    const real *xs[1] = {x};
    nm_context *ctx = nm_context_new();
    nm_network *net = built(ctx, "input: {height: 368, width: 368, channels: 16}\nlayers:\n- relu\n- batchnorm\n");
    nm_plan *plan;
    int wrong = 0;
    for (int i = 0; i < COUNT; i++)
        x[i] = (real)(i % 1009 - 500) / 500;
    real *mean = nm_param_values(net, &net->param[2]), *var = nm_param_values(net, &net->param[3]);
    for (int c = 0; c < CHANNELS; c++) {
        mean[c] = (real)c;
        var[c] = (real)(1 + c);
    }
    nm_request request = {.mode = NM_EVAL, .batch = 1, .threads = 1};
    ck_assert_int_eq(nm_plan_new(net, &request, &plan), NM_OK);
    ck_assert_uint_lt(nm_plan_memory_use(plan).activations, 2 * COUNT * sizeof(real));
    nm_plan_run(plan, &(nm_batch){.n = 1, .x = xs}, NM_PHASE_FORWARD);
    const real *y = nm_plan_output(plan, net->output);
    for (int i = 0; i < COUNT; i++) {
        int c = i % CHANNELS;
        wrong += !(fabs((fmax((double)x[i], 0) - c) / sqrt(1 + c + 1e-5) - (double)y[i]) < 1e-5);
    }
    ck_assert_int_eq(wrong, 0);
    nm_plan_free(plan);
    nm_network_free(net);
    nm_context_free(ctx);
}
END_TEST

SUITE("batchnorm", random_shapes, ghost_batches, golden_values, refused, hard_statistics, ghosts_move_the_average,
      statistics_rate_averages_batches, fused_relu, large_values_in_place)
