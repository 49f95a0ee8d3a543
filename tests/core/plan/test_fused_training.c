/* Layers whose work the layer before them does in training: the same gradients as each by itself,
 * and as many layers as expected. */
#include "alloc.h"
#include "fusion_check.h"
#include "layer_check.h"
#include "run_suite.h"
#include "with_context.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static void check(const char *layers, nm_shape in, int expected)
{
    check_training(ctx, layers, in, expected, -1);
}

START_TEST(training_takes_a_pool_with_batch_norm)
{
    for (int channels = 3; channels <= 40; channels += 13)
        for (int relu = 0; relu < 2; relu++) {
            const char *after = relu ? "- relu\n- maxpool: {size: 2}\n" : "- maxpool: {size: 2}\n";
            check(text("- conv: {filters: %d, kernel: 1}\n- batchnorm\n%s", channels, after), (nm_shape){8, 10, 20},
                  2 + relu);
            check(text("- conv: {filters: %d, kernel: 1}\n- batchnorm: {affine: false, ghost: 2}\n%s", channels, after),
                  (nm_shape){8, 10, 20}, 1 + relu);
            check(text("- conv: {filters: %d, kernel: 1}\n- batchnorm\n%s", channels, after), (nm_shape){7, 10, 20},
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
    } convs[] = {{"filters: 32, kernel: 3, pad: 1", 1},
                 {"filters: 16, kernel: 3, pad: same, bias: false", 1},
                 {"filters: 48, kernel: [2, 3], stride: [1, 2], pad: 1", 2},
                 {"filters: 64, kernel: 4, stride: 2, pad: 1, bias: false", 1},
                 {"filters: 32, kernel: [1, 5], pad: [0, 2]", 3},
                 {"filters: 16, kernel: 2, bias: false", 4}};
    for (int k = 0; k < 6; k++) {
        nm_shape in = {17 - k % 2, 20, convs[k].channels}; /* outputs of even and odd heights */
        char conv[256];
        snprintf(conv, sizeof conv, "- conv: {%s}\n", convs[k].conv);
        check(text("%s- batchnorm\n- relu\n", conv), in, 2);
        check(text("%s- batchnorm: {affine: false, rate: 0.3}\n", conv), in, 1);
        check(text("%s- batchnorm\n- tanh\n", conv), in, 1);
    }
    nm_shape in = {24, 28, 1};
    check("- conv: {filters: 32, kernel: 3, pad: same}\n- batchnorm\n- relu\n- maxpool: {size: 2}\n", in, 3);
    check("- conv: {filters: 16, kernel: 3, pad: same}\n- batchnorm\n- maxpool: {size: 2}\n", in, 2);
    check("- conv: {filters: 16, kernel: 3, algorithm: im2col}\n- batchnorm\n- relu\n", in, 2);
    check("- conv: {filters: 16, kernel: 3, pad: same}\n- batchnorm: {ghost: 2}\n- relu\n", in, 1);
    in.c = 3; /* too many taps */
    check("- conv: {filters: 16, kernel: 3, pad: same}\n- batchnorm\n- relu\n", in, 2);
}
END_TEST

/* A residual block's layers: `a`, a 3x3 convolution `b` of it with batch norm `n`, then `end`. */
static const char *residual(int channels, const char *norm, const char *end)
{
    return text("- {name: a, conv: {filters: %d, kernel: 1}}\n- {name: b, conv: {filters: %d, kernel: 3, pad: 1}}\n"
                "- {name: n, batchnorm: {%s}}\n%s",
                channels, channels, norm, end);
}

START_TEST(training_takes_a_sum_with_batch_norm)
{
    nm_shape in = {9, 10, 20};
    for (int channels = 3; channels <= 40; channels += 13) {
        check(residual(channels, "", "- {name: s, add: {}, from: [n, a]}\n- relu\n"), in, 3);
        check(residual(channels, "", "- {name: s, add: {}, from: [a, n]}\n- relu\n"), in, 3);
        check(residual(channels, "", "- {name: s, add: {}, from: [a, n]}\n"), in, 2);
        check(residual(channels, "affine: false", "- {name: s, add: {}, from: [a, n]}\n- tanh\n"), in, 2);
        /* the other input's batch norm comes later: it takes the sum */
        check(residual(channels, "",
                       text("- {name: p, conv: {filters: %d, kernel: 1}, from: a}\n- {name: q, batchnorm: {}}\n"
                            "- {name: s, add: {}, from: [n, q]}\n- relu\n",
                            channels)),
              in, 4);
        check(residual(channels, "", "- {name: s, add: {}, from: [n, a, b]}\n- relu\n"), in, 1);
        check(residual(channels, "ghost: 2", "- {name: s, add: {}, from: [n, a]}\n- relu\n"), in, 1);
        check(residual(channels, "", "- relu\n- {name: s, add: {}, from: [n.relu, a]}\n"), in, 2);
        for (int relu = 0; relu < 2; relu++) /* a batch norm without a convolution */
            check(text("- {name: a, conv: {filters: %d, kernel: 1}}\n- tanh\n- {name: n, batchnorm: {}}\n"
                       "- {name: s, add: {}, from: [n, a]}\n%s",
                       channels, relu ? "- relu\n" : ""),
                  in, 1 + relu);
    }
    for (int relu = 0; relu < 2; relu++) /* nobody needs the other input's gradient */
        check(text("- {name: a, avgpool: {size: 3, stride: 1, pad: 1}}\n- {name: b, conv: {filters: 20, kernel: 3, "
                   "pad: 1}}\n"
                   "- {name: n, batchnorm: {}}\n- {name: s, add: {}, from: [n, a]}\n%s",
                   relu ? "- relu\n" : ""),
              in, 2 + relu);
    check("- {name: b, conv: {filters: 20, kernel: 3, pad: 1}}\n- {name: n, batchnorm: {}}\n"
          "- {name: s, add: {}, from: [n, input]}\n- relu\n",
          in, 2);
}
END_TEST

/* Convolutions that leave the moments of their outputs, and some that do not. */
START_TEST(training_takes_batch_norm_with_a_convolution)
{
    static const char *const convs[] = {"kernel: 3, pad: 1, algorithm: winograd_4x4",
                                        "kernel: 3, algorithm: winograd_4x4, bias: false",
                                        "kernel: 3, pad: 1, algorithm: winograd_2x2",
                                        "kernel: 3, pad: 1, algorithm: im2col",
                                        "kernel: 1",
                                        "kernel: 3, stride: 2, pad: 1",
                                        "kernel: 3, pad: 1, groups: 19",
                                        "kernel: [1, 3], pad: [0, 1], algorithm: winograd_1d",
                                        "kernel: 3, pad: 1, algorithm: reference",
                                        "kernel: 3, pad: same, standardise: true"};
    for (int k = 0; k < 10; k++)
        for (int size = 0; size < 3; size++) {
            nm_shape in = size == 0 ? (nm_shape){31, 30, 4} : size == 1 ? (nm_shape){13, 14, 18} : (nm_shape){5, 5, 20};
            const char *head =
                text("- {name: a, conv: {filters: 19, kernel: 1}}\n- {name: b, conv: {filters: 19, %s}}\n", convs[k]);
            check(text("%s- batchnorm\n- relu\n", head), in, 2);
            check(text("%s- batchnorm: {affine: false, rate: 0.3}\n- tanh\n", head), in, 1);
        }
}
END_TEST

/* ---- many samples ------------------------------------------------------------------------- */

enum {
    MANY = 200,
    SIDE = 32,
    DEEP = 16
}; /* a convolution's inputs and outputs: 26 MB, more than it takes backward at once */

/* Gradients of one step over samples first to first + n, to be freed. */
static real *gradients_of(const char *layers, const real *x, const int32_t *labels, int first, int n, bool no_fuse,
                          size_t *count)
{
    nm_network *net = fusion_network(ctx, text("%s- gap\n- {name: end, dense: {units: 3}}\nloss: softmax_ce\n", layers),
                                     (nm_shape){SIDE, SIDE, DEEP});
    nm_plan *plan;
    const real *xs[] = {x + (size_t)first * SIDE * SIDE * DEEP};
    nm_request request = {.mode = NM_TRAIN, .batch = n, .threads = 2, .no_fuse = no_fuse};
    ck_assert_int_eq(nm_plan_new(net, &request, &plan), NM_OK);
    nm_plan_run(plan, &(nm_batch){.n = n, .x = xs, .targets = {.labels = labels + first}}, NM_PHASE_ALL);
    *count = net->weight_count;
    real *gradients = nm_alloc(ctx, *count, sizeof *gradients);
    memcpy(gradients, nm_plan_gradients(plan), *count * sizeof *gradients);
    nm_plan_free(plan);
    nm_network_free(net);
    return gradients;
}

/* The mean over two halves, which go backward whole, and each layer by itself beside fused ones. */
START_TEST(many_samples_go_backward_in_slices)
{
    static const char *const alone[] = {"kernel: 3, pad: 1", "kernel: 3, pad: 1, algorithm: im2col", "kernel: 1",
                                        "kernel: 3, stride: 2, pad: 1, filters: 64"};
    static const char *const ends[] = {"- batchnorm\n- relu\n",
                                       "- {name: n, batchnorm: {}}\n- {name: s, add: {}, from: [n, a]}\n- relu\n",
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
        const char *layers = text("- {name: a, conv: {filters: 16, kernel: 1}}\n- {name: b, conv: {%s%s}}\n",
                                  k < 3 ? "filters: 16, " : "", alone[k]);
        real *all = gradients_of(layers, x, labels, 0, MANY, false, &count);
        real *one = gradients_of(layers, x, labels, 0, MANY / 2, false, &count);
        real *two = gradients_of(layers, x, labels, MANY / 2, MANY / 2, false, &count);
        for (size_t i = 0; i < count; i++)
            one[i] = (one[i] + two[i]) / 2;
        check_alike(layers, one, all, count, FUSION_TOLERANCE);
        nm_free(all);
        nm_free(one);
        nm_free(two);
    }
    for (int k = 0; k < 3; k++) {
        const char *layers =
            text("- {name: a, conv: {filters: 16, kernel: 1}}\n- {name: b, conv: {filters: 16, kernel: 3, pad: 1}}\n%s",
                 ends[k]);
        real *fused = gradients_of(layers, x, labels, 0, MANY, false, &count);
        real *apart = gradients_of(layers, x, labels, 0, MANY, true, &count);
        check_alike(layers, fused, apart, count, FUSION_TOLERANCE);
        nm_free(fused);
        nm_free(apart);
    }
    nm_free(x);
}
END_TEST

/* Running mean and variance of 16 channels after one step; every bias of the convolution has this
 * value. */
static void statistics_of(const char *layers, int channels, real bias, real found[32])
{
    static real x[FUSION_BATCH * 8 * 8 * 20];
    static const int32_t labels[FUSION_BATCH] = {0, 2, 1, 1, 0};
    nm_rng r = nm_rng_stream(6, "test", "fusion");
    for (size_t i = 0; i < sizeof x / sizeof *x; i++)
        x[i] = (real)nm_rng_normal(&r);
    nm_network *net =
        fusion_network(ctx, text("%s- dense: {units: 3}\nloss: softmax_ce\n", layers), (nm_shape){8, 8, channels});
    nm_plan *plan;
    ck_assert_int_eq(nm_plan_new(net, &(nm_request){.mode = NM_TRAIN, .batch = FUSION_BATCH, .threads = 1}, &plan),
                     NM_OK);
    ck_assert_int_eq(fused_nodes(plan, net->nodes), 1);
    real *biases = nm_param_values(net, &net->param[nm_network_find_param(net, "c/bias")]);
    for (int c = 0; c < 16; c++)
        biases[c] = bias;
    nm_plan_run(plan, &(nm_batch){.n = FUSION_BATCH, .x = (const real *const[]){x}, .targets = {.labels = labels}},
                NM_PHASE_ALL);
    memcpy(found, nm_param_values(net, &net->param[nm_network_find_param(net, "n/running_mean")]), 16 * sizeof(real));
    memcpy(found + 16, nm_param_values(net, &net->param[nm_network_find_param(net, "n/running_var")]),
           16 * sizeof(real));
    nm_plan_free(plan);
    nm_network_free(net);
}

/* A bias moves the mean and nothing else, however much larger than the deviation it is. */
START_TEST(a_large_bias_leaves_the_variance)
{
    static const char *const kinds[] = {"filters: 16, kernel: 3",
                                        "filters: 16, kernel: 1",
                                        "filters: 16, kernel: 3, pad: same",
                                        "filters: 16, kernel: 5, pad: same",
                                        "filters: 16, kernel: 3, stride: 2",
                                        "filters: 16, kernel: 3, pad: same, groups: 4"};
    enum { BIAS = 1 << 16 };
    for (int k = 0; k < 6; k++) {
        const char *layers = text("- {name: c, conv: {%s}}\n- {name: n, batchnorm: {rate: 0.5}}\n", kinds[k]);
        real plain[32], large[32];
        int channels = k == 0 ? 1 : 20; /* of one channel it computes its outputs again in every pass */
        statistics_of(layers, channels, 0, plain);
        statistics_of(layers, channels, BIAS, large);
        for (int c = 0; c < 16; c++) {
            ck_assert_double_eq_tol((double)large[c], (double)plain[c] + 0.5 * BIAS, 0.01);
            ck_assert_msg(large[16 + c] == plain[16 + c], "%s: channel %d: variance %g, without the bias %g", kinds[k],
                          c, (double)large[16 + c], (double)plain[16 + c]);
        }
    }
}
END_TEST

SUITE_WITH("fused training", with_context, a_large_bias_leaves_the_variance, training_takes_a_pool_with_batch_norm,
           training_recomputes_the_first_convolution, training_takes_a_sum_with_batch_norm,
           training_takes_batch_norm_with_a_convolution, many_samples_go_backward_in_slices)
