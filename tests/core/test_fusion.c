/* Layers whose work the layer before them does: the same result as each by itself, and as many layers as expected. */
#include "alloc.h"
#include "layer_check.h"
#include "plan.h"
#include "run_suite.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static nm_context *ctx;

enum { N = 5 };

static nm_network *built(const char *layers, nm_shape in)
{
    const char *model = text("input: {height: %d, width: %d, channels: %d}\nlayers:\n%s", in.h, in.w, in.c, layers);
    nm_yaml *document = NULL;
    nm_network *net = NULL;
    ck_assert_int_eq(nm_yaml_parse(ctx, "m", model, strlen(model), &document), NM_OK);
    ck_assert_msg(nm_network_build(ctx, document, NULL, &net) == NM_OK, "%s", nm_error_message(ctx, 0));
    nm_network_initialise(net, 1);
    nm_rng r = nm_rng_stream(2, "test", "fusion"); /* biases, scales, shifts and statistics of any value */
    for (int i = 0; i < net->params; i++)
        for (size_t k = 0; net->param[i].kind != NM_WEIGHT && k < net->param[i].count; k++)
            nm_param_values(net, &net->param[i])[k] =
                (real)(strstr(net->param[i].name, "var") ? 0.2 + nm_rng_uniform(&r) : nm_rng_normal(&r));
    return net;
}

/* How many nodes another one does the work of. */
static int fused_nodes(const nm_plan *plan, int nodes)
{
    int count = 0;
    for (int i = 0; i < nodes; i++)
        count += plan->step[i].fused;
    return count;
}

static void check_evaluation(const char *layers, nm_shape in, int expected)
{
    nm_network *net = built(layers, in);
    size_t count = N * nm_shape_size(in), size = nm_shape_size(net->node[net->output].out);
    static real x[N * 32 * 32 * 24], y[3][N * 32 * 32 * 40];
    ck_assert(count <= sizeof x / sizeof *x && N * size <= sizeof y[0] / sizeof *y[0]);
    nm_rng r = nm_rng_stream(3, "test", "fusion");
    for (size_t i = 0; i < count; i++)
        x[i] = (real)nm_rng_normal(&r);
    for (int k = 0; k < 3; k++) { /* each by itself, fused, fused in another batch by other threads */
        int batch = k == 2 ? 2 : N;
        nm_request request = {.mode = NM_EVAL, .batch = batch, .threads = 1 + k, .no_fuse = k == 0};
        nm_plan *plan;
        ck_assert_int_eq(nm_plan_new(net, &request, &plan), NM_OK);
        ck_assert_int_eq(fused_nodes(plan, net->nodes), k == 0 ? 0 : expected);
        for (int i = 0; i < N; i += batch) {
            const real *xs[] = {x + (size_t)i * nm_shape_size(in)};
            int n = N - i < batch ? N - i : batch;
            nm_plan_forward(plan, &(nm_batch){.n = n, .x = xs});
            memcpy(y[k] + (size_t)i * size, nm_plan_output(plan, net->output), (size_t)n * size * sizeof(real));
        }
        nm_plan_free(plan);
    }
    double most = 0, off = 0, tolerance = sizeof(real) == 8 ? 1e-13 : 1e-5; /* Winograd's float error */
    for (size_t i = 0; i < N * size; i++) {
        most = fmax(most, fabs((double)y[0][i]));
        off = fmax(off, fabs((double)y[1][i] - (double)y[0][i]));
    }
    ck_assert_msg(off <= tolerance * most && most > 0, "%s: off by %g of %g", layers, off, most);
    ck_assert_msg(memcmp(y[1], y[2], N * size * sizeof(real)) == 0, "%s: other bits in another batch", layers);
    nm_network_free(net);
}

START_TEST(evaluation_folds_batch_norm_into_convolution)
{
    static const struct {
        const char *conv;
        nm_shape in;
    } convs[] = {{"filters: 7, kernel: 3, pad: 1, algorithm: reference", {6, 5, 3}},
                 {"filters: 7, kernel: [2, 3], stride: 2, algorithm: im2col", {9, 8, 3}},
                 {"filters: 36, kernel: 3, pad: 1, algorithm: im2col", {20, 20, 8}},
                 {"filters: 6, kernel: 3, pad: 1, groups: 2, dilation: 2", {9, 8, 4}},
                 {"filters: 20, kernel: 1", {9, 8, 24}},
                 {"filters: 21, kernel: 3, pad: 1, algorithm: winograd_4x4", {9, 10, 19}},
                 {"filters: 21, kernel: 3, pad: 1, algorithm: winograd_1d", {8, 8, 19}},
                 {"filters: 21, kernel: 5, pad: 2, algorithm: winograd_1d_5", {8, 8, 19}},
                 {"filters: 16, kernel: 7, pad: 3, algorithm: winograd_1d_7", {9, 8, 19}},
                 {"filters: 21, kernel: 3, pad: 1, groups: 21", {9, 10, 21}},
                 {"filters: 48, kernel: 3, pad: 1, algorithm: direct", {9, 10, 3}},
                 {"filters: 8, kernel: 3, pad: same, standardise: true", {9, 10, 4}}};
    static const struct {
        const char *after;
        int fused;
    } ends[] = {{"- batchnorm\n- relu\n", 2}, {"- batchnorm: {affine: false}\n", 1}, {"- relu\n", 1},
                {"- relu\n- batchnorm\n", 1}, {"- batchnorm\n- batchnorm\n- relu\n", 2}, {"- tanh\n", 0}};
    for (size_t c = 0; c < sizeof convs / sizeof *convs; c++)
        for (size_t e = 0; e < sizeof ends / sizeof *ends; e++)
            for (int bias = 0; bias < 2; bias++)
                check_evaluation(text("- conv: {%s, bias: %s}\n%s", convs[c].conv, bias ? "true" : "false", ends[e].after),
                                 convs[c].in, ends[e].fused);
}
END_TEST

START_TEST(evaluation_pools_as_it_convolves)
{
    static const char *const convs[] = {"filters: 32, kernel: 3, pad: 1, algorithm: direct", "filters: 48, kernel: [2, 3], algorithm: direct",
                                        "filters: 21, kernel: 3, pad: 1, algorithm: winograd_4x4",
                                        "filters: 40, kernel: 3, algorithm: winograd_4x4"};
    for (int k = 0; k < 4; k++)
        for (int odd = 0; odd < 2; odd++) {
            nm_shape in = {12 + odd, 14 - odd, k < 2 ? 2 : 18};
            check_evaluation(text("- conv: {%s}\n- batchnorm\n- relu\n- maxpool: {size: 2}\n", convs[k]), in, 3);
            check_evaluation(text("- conv: {%s}\n- maxpool: {size: 2}\n- relu\n", convs[k]), in, 1);
            check_evaluation(text("- conv: {%s}\n- relu\n- maxpool: {size: 3, stride: 2}\n", convs[k]), in, 1);
            check_evaluation(text("- conv: {%s}\n- relu\n- maxpool: {size: 2, pad: 1}\n", convs[k]), in, 1);
        }
    check_evaluation("- conv: {filters: 8, kernel: 3, algorithm: im2col}\n- relu\n- maxpool: {size: 2}\n", (nm_shape){9, 9, 3}, 1);
}
END_TEST

/* One training step: gradients, running statistics and loss, each layer by itself and fused; and fused by other threads. */
static void check_training(const char *layers, nm_shape in, int expected)
{
    const char *model = text("%s- {name: end, dense: {units: 3}}\nloss: softmax_ce\n", layers);
    static real x[N * 32 * 32 * 24], gradients[3][1 << 16], states[3][1 << 10];
    double loss[3];
    size_t count = N * nm_shape_size(in), weights = 0, stats = 0;
    static const int32_t labels[N] = {0, 2, 1, 1, 0};
    nm_rng r = nm_rng_stream(4, "test", "fusion");
    ck_assert(count <= sizeof x / sizeof *x);
    for (size_t i = 0; i < count; i++)
        x[i] = (real)nm_rng_normal(&r);
    for (int k = 0; k < 3; k++) {
        nm_network *net = built(model, in);
        nm_request request = {.mode = NM_TRAIN, .batch = N, .threads = 1 + k, .no_fuse = k == 0};
        nm_plan *plan;
        const real *xs[] = {x};
        ck_assert_int_eq(nm_plan_new(net, &request, &plan), NM_OK);
        ck_assert_int_eq(fused_nodes(plan, net->nodes), k == 0 ? 0 : expected);
        loss[k] = nm_plan_step(plan, &(nm_batch){.n = N, .x = xs, .targets = {.labels = labels}}).loss;
        weights = net->weight_count;
        stats = net->state_count;
        ck_assert(weights <= sizeof gradients[0] / sizeof(real) && stats <= sizeof states[0] / sizeof(real));
        memcpy(gradients[k], nm_plan_gradients(plan), weights * sizeof(real));
        memcpy(states[k], net->states, stats * sizeof(real));
        nm_plan_free(plan);
        nm_network_free(net);
    }
    double most = 0, off = 0, tolerance = sizeof(real) == 8 ? 1e-12 : 2e-5;
    for (size_t i = 0; i < weights; i++) {
        most = fmax(most, fabs((double)gradients[0][i]));
        off = fmax(off, fabs((double)gradients[1][i] - (double)gradients[0][i]));
    }
    ck_assert_msg(off <= tolerance * most && most > 0, "%s: a gradient is off by %g of %g", layers, off, most);
    for (size_t i = 0; i < stats; i++)
        ck_assert_double_le(fabs((double)states[1][i] - (double)states[0][i]), tolerance * (1 + fabs((double)states[0][i])));
    ck_assert_double_le(fabs(loss[1] - loss[0]), tolerance * (1 + fabs(loss[0])));
    ck_assert_msg(memcmp(gradients[1], gradients[2], weights * sizeof(real)) == 0 &&
                      memcmp(states[1], states[2], stats * sizeof(real)) == 0, "%s: other bits by other threads", layers);
}

START_TEST(training_takes_a_pool_with_batch_norm)
{
    for (int channels = 3; channels <= 40; channels += 13)
        for (int relu = 0; relu < 2; relu++) {
            const char *after = relu ? "- relu\n- maxpool: {size: 2}\n" : "- maxpool: {size: 2}\n";
            check_training(text("- conv: {filters: %d, kernel: 1}\n- batchnorm\n%s", channels, after), (nm_shape){8, 10, 20},
                           2 + relu);
            check_training(text("- conv: {filters: %d, kernel: 1}\n- batchnorm: {affine: false, ghost: 2}\n%s", channels, after),
                           (nm_shape){8, 10, 20}, 1 + relu);
            check_training(text("- conv: {filters: %d, kernel: 1}\n- batchnorm\n%s", channels, after), (nm_shape){7, 10, 20},
                           1 + relu); /* an odd height: windows do not tile it */
        }
}
END_TEST

/* A first convolution of few input channels computes its outputs again in every pass. */
START_TEST(training_recomputes_the_first_convolution)
{
    static const struct {
        const char *conv;
        int channels;
    } convs[] = {{"filters: 32, kernel: 3, pad: 1", 1}, {"filters: 16, kernel: 3, pad: same, bias: false", 1},
                 {"filters: 48, kernel: [2, 3], stride: [1, 2], pad: 1", 2}, {"filters: 64, kernel: 4, stride: 2, pad: 1, bias: false", 1},
                 {"filters: 32, kernel: [1, 5], pad: [0, 2]", 3}, {"filters: 16, kernel: 2, bias: false", 4}};
    for (int k = 0; k < 6; k++) {
        nm_shape in = {17 - k % 2, 20, convs[k].channels}; /* outputs of even and odd heights */
        char conv[256];
        snprintf(conv, sizeof conv, "- conv: {%s}\n", convs[k].conv);
        check_training(text("%s- batchnorm\n- relu\n", conv), in, 2);
        check_training(text("%s- batchnorm: {affine: false, rate: 0.3}\n", conv), in, 1);
        check_training(text("%s- batchnorm\n- tanh\n", conv), in, 1);
    }
    nm_shape in = {24, 28, 1};
    check_training("- conv: {filters: 32, kernel: 3, pad: same}\n- batchnorm\n- relu\n- maxpool: {size: 2}\n", in, 3);
    check_training("- conv: {filters: 16, kernel: 3, pad: same}\n- batchnorm\n- maxpool: {size: 2}\n", in, 2);
    check_training("- conv: {filters: 16, kernel: 3, algorithm: im2col}\n- batchnorm\n- relu\n", in, 2);
    check_training("- conv: {filters: 16, kernel: 3, pad: same}\n- batchnorm: {ghost: 2}\n- relu\n", in, 1);
    in.c = 3; /* too many taps */
    check_training("- conv: {filters: 16, kernel: 3, pad: same}\n- batchnorm\n- relu\n", in, 2);
}
END_TEST

/* A residual block's layers: `a`, a 3x3 convolution `b` of it with batch norm `n`, then `end`. */
static const char *residual(int channels, const char *norm, const char *end)
{
    return text("- {name: a, conv: {filters: %d, kernel: 1}}\n- {name: b, conv: {filters: %d, kernel: 3, pad: 1}}\n"
                "- {name: n, batchnorm: {%s}}\n%s", channels, channels, norm, end);
}

START_TEST(training_takes_a_sum_with_batch_norm)
{
    nm_shape in = {9, 10, 20};
    for (int channels = 3; channels <= 40; channels += 13) {
        check_training(residual(channels, "", "- {name: s, add: {}, from: [n, a]}\n- relu\n"), in, 3);
        check_training(residual(channels, "", "- {name: s, add: {}, from: [a, n]}\n- relu\n"), in, 3);
        check_training(residual(channels, "", "- {name: s, add: {}, from: [a, n]}\n"), in, 2);
        check_training(residual(channels, "affine: false", "- {name: s, add: {}, from: [a, n]}\n- tanh\n"), in, 2);
        /* the other input's batch norm comes later: it takes the sum */
        check_training(residual(channels, "", text("- {name: p, conv: {filters: %d, kernel: 1}, from: a}\n- {name: q, batchnorm: {}}\n"
                                                   "- {name: s, add: {}, from: [n, q]}\n- relu\n", channels)), in, 4);
        check_training(residual(channels, "", "- {name: s, add: {}, from: [n, a, b]}\n- relu\n"), in, 1);
        check_training(residual(channels, "ghost: 2", "- {name: s, add: {}, from: [n, a]}\n- relu\n"), in, 1);
        check_training(residual(channels, "", "- relu\n- {name: s, add: {}, from: [n.relu, a]}\n"), in, 2);
        for (int relu = 0; relu < 2; relu++) /* a batch norm without a convolution */
            check_training(text("- {name: a, conv: {filters: %d, kernel: 1}}\n- tanh\n- {name: n, batchnorm: {}}\n"
                                "- {name: s, add: {}, from: [n, a]}\n%s", channels, relu ? "- relu\n" : ""), in, 1 + relu);
    }
    for (int relu = 0; relu < 2; relu++) /* nobody needs the other input's gradient */
        check_training(text("- {name: a, avgpool: {size: 3, stride: 1, pad: 1}}\n- {name: b, conv: {filters: 20, kernel: 3, pad: 1}}\n"
                            "- {name: n, batchnorm: {}}\n- {name: s, add: {}, from: [n, a]}\n%s", relu ? "- relu\n" : ""), in, 2 + relu);
    check_training("- {name: b, conv: {filters: 20, kernel: 3, pad: 1}}\n- {name: n, batchnorm: {}}\n"
                   "- {name: s, add: {}, from: [n, input]}\n- relu\n", in, 2);
}
END_TEST

/* Convolutions that leave the moments of their outputs, and some that do not. */
START_TEST(training_takes_batch_norm_with_a_convolution)
{
    static const char *const convs[] = {"kernel: 3, pad: 1, algorithm: winograd_4x4", "kernel: 3, algorithm: winograd_4x4, bias: false",
                                        "kernel: 3, pad: 1, algorithm: winograd_2x2", "kernel: 3, pad: 1, algorithm: im2col",
                                        "kernel: 1", "kernel: 3, stride: 2, pad: 1", "kernel: 3, pad: 1, groups: 19",
                                        "kernel: [1, 3], pad: [0, 1], algorithm: winograd_1d", "kernel: 3, pad: 1, algorithm: reference",
                                        "kernel: 3, pad: same, standardise: true"};
    for (int k = 0; k < 10; k++)
        for (int size = 0; size < 3; size++) {
            nm_shape in = size == 0 ? (nm_shape){31, 30, 4} : size == 1 ? (nm_shape){13, 14, 18} : (nm_shape){5, 5, 20};
            const char *head = text("- {name: a, conv: {filters: 19, kernel: 1}}\n- {name: b, conv: {filters: 19, %s}}\n", convs[k]);
            check_training(text("%s- batchnorm\n- relu\n", head), in, 2);
            check_training(text("%s- batchnorm: {affine: false, rate: 0.3}\n- tanh\n", head), in, 1);
        }
}
END_TEST

START_TEST(evaluation_adds_as_it_convolves)
{
    static const struct {
        const char *conv;
        bool adds;
    } convs[] = {{"filters: 21, kernel: 3, pad: 1, algorithm: winograd_4x4", true}, {"filters: 21, kernel: 3, pad: 1, algorithm: winograd_2x2", true},
                 {"filters: 21, kernel: 3, pad: 1, algorithm: im2col", true}, {"filters: 21, kernel: 1", true},
                 {"filters: 21, kernel: 3, pad: 1, groups: 21", false}};
    for (int k = 0; k < 5; k++)
        for (int small = 0; small < 2; small++) {
            nm_shape in = {small ? 3 : 13, small ? 4 : 14, 21};
            const char *head = text("- {name: a, avgpool: {size: 3, stride: 1, pad: 1}}\n- {name: b, conv: {%s}}\n", convs[k].conv);
            int all = convs[k].adds ? 3 : 2;
            check_evaluation(text("%s- {name: n, batchnorm: {}}\n- {name: s, add: {}, from: [n, a]}\n- relu\n", head), in, all);
            check_evaluation(text("%s- {name: n, batchnorm: {}}\n- {name: s, add: {}, from: [a, n]}\n- tanh\n", head), in, all - 1);
            check_evaluation(text("%s- {name: s, add: {}, from: [b, a]}\n- relu\n", head), in, convs[k].adds ? 2 : 1);
            check_evaluation(text("%s- {name: n, batchnorm: {}}\n- {name: s, add: {}, from: [n, a]}\n- batchnorm\n- relu\n", head), in,
                             convs[k].adds ? 3 : 2);
        }
    check_evaluation("- {name: a, conv: {filters: 18, kernel: 1}}\n- {name: b, conv: {filters: 18, kernel: 3, pad: 1, algorithm: winograd_4x4}}\n"
                     "- {name: s, add: {}, from: [b, a]}\n- relu\n- maxpool: {size: 2}\n", (nm_shape){13, 14, 18}, 3);
}
END_TEST

/* ---- many samples ------------------------------------------------------------------------- */

enum { MANY = 200, SIDE = 32, DEEP = 16 }; /* a convolution's inputs and outputs: 26 MB, more than it takes backward at once */

/* Gradients of one step over samples first to first + n, to be freed. */
static real *gradients_of(const char *layers, const real *x, const int32_t *labels, int first, int n, bool no_fuse, size_t *count)
{
    nm_network *net = built(text("%s- gap\n- {name: end, dense: {units: 3}}\nloss: softmax_ce\n", layers), (nm_shape){SIDE, SIDE, DEEP});
    nm_plan *plan;
    const real *xs[] = {x + (size_t)first * SIDE * SIDE * DEEP};
    nm_request request = {.mode = NM_TRAIN, .batch = n, .threads = 2, .no_fuse = no_fuse};
    ck_assert_int_eq(nm_plan_new(net, &request, &plan), NM_OK);
    nm_plan_step(plan, &(nm_batch){.n = n, .x = xs, .targets = {.labels = labels + first}});
    *count = net->weight_count;
    real *gradients = nm_alloc(ctx, *count, sizeof *gradients);
    memcpy(gradients, nm_plan_gradients(plan), *count * sizeof *gradients);
    nm_plan_free(plan);
    nm_network_free(net);
    return gradients;
}

static void check_alike(const char *what, const real *a, const real *b, size_t count)
{
    double most = 0, off = 0, tolerance = sizeof(real) == 8 ? 1e-12 : 2e-5;
    for (size_t i = 0; i < count; i++) {
        most = fmax(most, fabs((double)a[i]));
        off = fmax(off, fabs((double)a[i] - (double)b[i]));
    }
    ck_assert_msg(off <= tolerance * most && most > 0, "%s: off by %g of %g", what, off, most);
}

/* The mean over two halves, which go backward whole, and each layer by itself beside fused ones. */
START_TEST(many_samples_go_backward_in_slices)
{
    static const char *const alone[] = {"kernel: 3, pad: 1", "kernel: 3, pad: 1, algorithm: im2col", "kernel: 1", "kernel: 3, stride: 2, pad: 1, filters: 64"};
    static const char *const ends[] = {"- batchnorm\n- relu\n", "- {name: n, batchnorm: {}}\n- {name: s, add: {}, from: [n, a]}\n- relu\n",
                                       "- batchnorm\n- relu\n- maxpool: {size: 2}\n"};
    real *x = nm_alloc(ctx, (size_t)MANY * SIDE * SIDE * DEEP, sizeof *x);
    int32_t labels[MANY];
    size_t count;
    nm_rng r = nm_rng_stream(5, "test", "fusion");
    for (size_t i = 0; i < (size_t)MANY * SIDE * SIDE * DEEP; i++)
        x[i] = (real)nm_rng_normal(&r);
    for (int i = 0; i < MANY; i++)
        labels[i] = i % 3;
    for (int k = 0; k < 4; k++) {
        const char *layers = text("- {name: a, conv: {filters: 16, kernel: 1}}\n- {name: b, conv: {%s%s}}\n", k < 3 ? "filters: 16, " : "", alone[k]);
        real *all = gradients_of(layers, x, labels, 0, MANY, false, &count);
        real *one = gradients_of(layers, x, labels, 0, MANY / 2, false, &count);
        real *two = gradients_of(layers, x, labels, MANY / 2, MANY / 2, false, &count);
        for (size_t i = 0; i < count; i++)
            one[i] = (one[i] + two[i]) / 2;
        check_alike(layers, all, one, count);
        nm_free(all);
        nm_free(one);
        nm_free(two);
    }
    for (int k = 0; k < 3; k++) {
        const char *layers = text("- {name: a, conv: {filters: 16, kernel: 1}}\n- {name: b, conv: {filters: 16, kernel: 3, pad: 1}}\n%s", ends[k]);
        real *fused = gradients_of(layers, x, labels, 0, MANY, false, &count);
        real *apart = gradients_of(layers, x, labels, 0, MANY, true, &count);
        check_alike(layers, apart, fused, count);
        nm_free(fused);
        nm_free(apart);
    }
    nm_free(x);
}
END_TEST

/* What others read, and what somebody looks at, is there. */
START_TEST(outputs_that_are_read_are_not_fused_away)
{
    check_evaluation("- {name: c, conv: {filters: 4, kernel: 3, pad: 1}}\n- {name: n, batchnorm: {}}\n"
                     "- {name: j, add: {}, from: [c, n]}\n- tanh\n", (nm_shape){6, 6, 3}, 1); /* n takes j, c takes nobody */
    nm_network *net = built("- {name: c, conv: {filters: 4}}\n- {name: n, batchnorm: {}}\n- relu\n", (nm_shape){6, 6, 3});
    const int keep[] = {nm_network_find(net, "c")};
    nm_plan *plan;
    nm_request request = {.mode = NM_EVAL, .batch = N, .threads = 1, .keep = keep, .keeps = 1};
    ck_assert_int_eq(nm_plan_new(net, &request, &plan), NM_OK);
    ck_assert_int_eq(plan->step[keep[0]].fused, 0);
    ck_assert_ptr_nonnull(nm_plan_output(plan, keep[0]));
    nm_plan_free(plan);
    request = (nm_request){.mode = NM_EVAL, .batch = N, .threads = 1, .gradients = true}; /* backward reads it */
    ck_assert_int_eq(nm_plan_new(net, &request, &plan), NM_OK);
    ck_assert_int_eq(plan->step[keep[0]].fused, 0);
    nm_plan_free(plan);
    nm_network_free(net);
}
END_TEST

static void open_context(void)
{
    ctx = nm_context_new();
}

static void close_context(void)
{
    nm_context_free(ctx);
}

static void set_up(TCase *tcase)
{
    tcase_add_checked_fixture(tcase, open_context, close_context);
    tcase_set_timeout(tcase, 60);
}

SUITE_WITH("fusion", set_up, evaluation_folds_batch_norm_into_convolution, evaluation_pools_as_it_convolves,
           training_takes_a_pool_with_batch_norm, training_recomputes_the_first_convolution, training_takes_a_sum_with_batch_norm,
           training_takes_batch_norm_with_a_convolution, evaluation_adds_as_it_convolves,
           many_samples_go_backward_in_slices,
           outputs_that_are_read_are_not_fused_away)
