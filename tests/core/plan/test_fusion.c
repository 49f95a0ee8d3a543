/* Layers whose work the layer before them does in evaluation: the same result as each by itself,
 * and as many layers as expected. */
#include "fusion_check.h"
#include "layer_check.h"
#include "run_suite.h"
#include "with_context.h"

#include <string.h>

enum { N = FUSION_BATCH };

static void check_evaluation(const char *layers, nm_shape in, int expected)
{
    nm_network *net = fusion_network(ctx, layers, in);
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
            nm_plan_run(plan, &(nm_batch){.n = n, .x = xs}, NM_PHASE_FORWARD);
            memcpy(y[k] + (size_t)i * size, nm_plan_output(plan, net->output), (size_t)n * size * sizeof(real));
        }
        nm_plan_free(plan);
    }
    check_alike(layers, y[1], y[0], N * size, sizeof(real) == 8 ? 1e-13 : 1e-5); /* Winograd's float error */
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
    } ends[] = {{"- batchnorm\n- relu\n", 2}, {"- batchnorm: {affine: false}\n", 1},     {"- relu\n", 1},
                {"- relu\n- batchnorm\n", 1}, {"- batchnorm\n- batchnorm\n- relu\n", 2}, {"- tanh\n", 0}};
    for (size_t c = 0; c < sizeof convs / sizeof *convs; c++)
        for (size_t e = 0; e < sizeof ends / sizeof *ends; e++)
            for (int bias = 0; bias < 2; bias++)
                check_evaluation(
                    text("- conv: {%s, bias: %s}\n%s", convs[c].conv, bias ? "true" : "false", ends[e].after),
                    convs[c].in, ends[e].fused);
}
END_TEST

START_TEST(evaluation_pools_as_it_convolves)
{
    static const char *const convs[] = {
        "filters: 32, kernel: 3, pad: 1, algorithm: direct", "filters: 48, kernel: [2, 3], algorithm: direct",
        "filters: 21, kernel: 3, pad: 1, algorithm: winograd_4x4", "filters: 40, kernel: 3, algorithm: winograd_4x4"};
    for (int k = 0; k < 4; k++)
        for (int odd = 0; odd < 2; odd++) {
            nm_shape in = {12 + odd, 14 - odd, k < 2 ? 2 : 18};
            check_evaluation(text("- conv: {%s}\n- batchnorm\n- relu\n- maxpool: {size: 2}\n", convs[k]), in, 3);
            check_evaluation(text("- conv: {%s}\n- maxpool: {size: 2}\n- relu\n", convs[k]), in, 1);
            check_evaluation(text("- conv: {%s}\n- relu\n- maxpool: {size: 3, stride: 2}\n", convs[k]), in, 1);
            check_evaluation(text("- conv: {%s}\n- relu\n- maxpool: {size: 2, pad: 1}\n", convs[k]), in, 1);
        }
    check_evaluation("- conv: {filters: 8, kernel: 3, algorithm: im2col}\n- relu\n- maxpool: {size: 2}\n",
                     (nm_shape){9, 9, 3}, 1);
}
END_TEST

START_TEST(evaluation_adds_as_it_convolves)
{
    static const struct {
        const char *conv;
        bool adds;
    } convs[] = {{"filters: 21, kernel: 3, pad: 1, algorithm: winograd_4x4", true},
                 {"filters: 21, kernel: 3, pad: 1, algorithm: winograd_2x2", true},
                 {"filters: 21, kernel: 3, pad: 1, algorithm: im2col", true},
                 {"filters: 21, kernel: 1", true},
                 {"filters: 21, kernel: 3, pad: 1, groups: 21", false}};
    for (int k = 0; k < 5; k++)
        for (int small = 0; small < 2; small++) {
            nm_shape in = {small ? 3 : 13, small ? 4 : 14, 21};
            const char *head =
                text("- {name: a, avgpool: {size: 3, stride: 1, pad: 1}}\n- {name: b, conv: {%s}}\n", convs[k].conv);
            int all = convs[k].adds ? 3 : 2;
            check_evaluation(text("%s- {name: n, batchnorm: {}}\n- {name: s, add: {}, from: [n, a]}\n- relu\n", head),
                             in, all);
            check_evaluation(text("%s- {name: n, batchnorm: {}}\n- {name: s, add: {}, from: [a, n]}\n- tanh\n", head),
                             in, all - 1);
            check_evaluation(text("%s- {name: s, add: {}, from: [b, a]}\n- relu\n", head), in, convs[k].adds ? 2 : 1);
            check_evaluation(
                text("%s- {name: n, batchnorm: {}}\n- {name: s, add: {}, from: [n, a]}\n- batchnorm\n- relu\n", head),
                in, convs[k].adds ? 3 : 2);
        }
    check_evaluation(
        "- {name: a, conv: {filters: 18, kernel: 1}}\n- {name: b, conv: {filters: 18, kernel: 3, pad: 1, algorithm: "
        "winograd_4x4}}\n"
        "- {name: s, add: {}, from: [b, a]}\n- relu\n- maxpool: {size: 2}\n",
        (nm_shape){13, 14, 18}, 3);
}
END_TEST

/* What others read, and what somebody looks at, is there. */
START_TEST(outputs_that_are_read_are_not_fused_away)
{
    check_evaluation("- {name: c, conv: {filters: 4, kernel: 3, pad: 1}}\n- {name: n, batchnorm: {}}\n"
                     "- {name: j, add: {}, from: [c, n]}\n- tanh\n",
                     (nm_shape){6, 6, 3}, 1); /* n takes j, c takes nobody */
    nm_network *net = fusion_network(ctx, "- {name: c, conv: {filters: 4}}\n- {name: n, batchnorm: {}}\n- relu\n",
                                     (nm_shape){6, 6, 3});
    const int keep[] = {nm_network_find(net, "c")};
    nm_plan *plan;
    nm_request request = {.mode = NM_EVAL, .batch = N, .threads = 1, .keep = keep, .keeps = 1};
    ck_assert_int_eq(nm_plan_new(net, &request, &plan), NM_OK);
    ck_assert_int_eq(plan->node[keep[0]].tail.layers, 0);
    ck_assert_ptr_nonnull(nm_plan_output(plan, keep[0]));
    nm_plan_free(plan);
    request = (nm_request){.mode = NM_EVAL, .batch = N, .threads = 1, .gradients = true}; /* backward reads it */
    ck_assert_int_eq(nm_plan_new(net, &request, &plan), NM_OK);
    ck_assert_int_eq(plan->node[keep[0]].tail.layers, 0);
    nm_plan_free(plan);
    nm_network_free(net);
}
END_TEST

SUITE_WITH("fusion", with_context, evaluation_folds_batch_norm_into_convolution, evaluation_pools_as_it_convolves,
           evaluation_adds_as_it_convolves, outputs_that_are_read_are_not_fused_away)
