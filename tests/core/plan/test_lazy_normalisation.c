/* Normalisation that a layer leaves to the only reader of its outputs: the same gradients, less
 * memory, and never where somebody else looks. */
#include "fusion_check.h"
#include "layer_check.h"
#include "run_suite.h"
#include "with_context.h"

/* A convolution of so many channels with batch norm and what follows, then a reader of that. */
static void check_reader(int channels, const char *norm, const char *reader, nm_shape in, int lazy)
{
    check_training(
        ctx, text("- {name: a, conv: {filters: %d, kernel: 1}}\n%s- {name: b, conv: {%s}}\n", channels, norm, reader),
        in, -1, lazy);
}

/* Inputs have so many channels that the first convolution keeps its outputs. Padding is zero after
 * normalisation, whatever the shift. */
START_TEST(each_algorithm_normalises_what_it_reads)
{
    static const char *const readers[] = {"filters: 9, kernel: 3, pad: 1, algorithm: winograd_4x4",
                                          "filters: 17, kernel: 3, algorithm: winograd_4x4, bias: false",
                                          "filters: 9, kernel: 3, pad: 1, algorithm: winograd_2x2",
                                          "filters: 9, kernel: 3, pad: 1, algorithm: winograd_1d",
                                          "filters: 9, kernel: [1, 3], pad: [0, 1], algorithm: winograd_1d",
                                          "filters: 9, kernel: 5, pad: 2, algorithm: winograd_1d_5",
                                          "filters: 9, kernel: 7, pad: 3, algorithm: winograd_1d_7",
                                          "filters: 16, kernel: [1, 3], pad: [0, 1], algorithm: direct",
                                          "filters: 32, kernel: 1, stride: 2, algorithm: direct",
                                          "filters: 9, kernel: 1",
                                          "filters: 9, kernel: 1, stride: 2",
                                          "filters: 9, kernel: 3, pad: 1, algorithm: im2col",
                                          "filters: 9, kernel: [3, 2], stride: [2, 1], pad: 1, dilation: [1, 2]",
                                          "filters: 9, kernel: 3, pad: same, standardise: true"};
    static const char *const norms[] = {"- batchnorm\n- relu\n", "- batchnorm: {affine: false}\n",
                                        "- batchnorm: {rate: 0.3}\n"};
    static const nm_shape shapes[] = {{31, 30, 17}, {13, 14, 18}, {5, 5, 20}, {6, 5, 18}, {9, 70, 17}};
    for (int r = 0; r < 14; r++)
        for (int s = 0; s < 5; s++)
            for (int k = 0; k < 3; k++)
                check_reader(s == 3 ? 48 : 19, norms[k], readers[r], shapes[s], 1);
}
END_TEST

START_TEST(depthwise_readers)
{
    static const char *const depthwise[] = {"kernel: 3, pad: 1", "kernel: 3, stride: 2, pad: same",
                                            "kernel: [2, 5], dilation: 2, pad: 4"};
    for (int channels = 5; channels < 40; channels += 16)
        for (int k = 0; k < 3; k++)
            for (int size = 0; size < 3; size++)
                check_reader(channels, "- batchnorm\n- relu\n",
                             text("filters: %d, groups: %d, %s", channels, channels, depthwise[k]),
                             size == 0   ? (nm_shape){20, 18, 17}
                             : size == 1 ? (nm_shape){13, 14, 19}
                                         : (nm_shape){3, 3, 20},
                             1);
}
END_TEST

/* Chains, and layers whose convolutions leave no moments. */
START_TEST(chains_leave_it_from_one_to_the_next)
{
    nm_shape in = {12, 12, 10};
    for (int relu = 0; relu < 2; relu++) {
        const char *next = relu ? "- batchnorm\n- relu\n" : "- batchnorm\n";
        check_training(
            ctx,
            text("- conv: {filters: 20, kernel: 3, pad: 1}\n%s- conv: {filters: 20, kernel: 1}\n%s"
                 "- conv: {filters: 20, kernel: 3, groups: 20, pad: 1}\n%s- conv: {filters: 24, kernel: 1}\n%s"
                 "- maxpool: {size: 2}\n- conv: {filters: 8, kernel: 3}\n%s",
                 next, next, next, next, next),
            in, -1, 3);
        /* of another size: here a value lay so near to relu's kink that rounding decided on its
         * side */
        check_training(
            ctx,
            text("- conv: {filters: 20, kernel: [1, 3], algorithm: winograd_1d}\n%s- conv: {filters: 9, kernel: 1}\n",
                 next),
            (nm_shape){12, 11, 10}, 1 + relu, 1);
    }
}
END_TEST

START_TEST(not_where_the_reader_cannot)
{
    nm_shape in = {12, 12, 20};
    check_reader(20, "- batchnorm\n- relu\n", "filters: 9, kernel: 3", in, 1);
    check_reader(20, "- batchnorm\n- relu\n", "filters: 9, kernel: 3, algorithm: reference", in, 0);
    check_reader(20, "- batchnorm\n- relu\n", "filters: 9, kernel: 3, algorithm: winograd_4x4/reference/auto", in, 0);
    check_reader(2, "- batchnorm\n- relu\n", "filters: 16, kernel: 3, groups: 2", in, 0);
    check_reader(20, "- batchnorm\n- relu\n", "filters: 8, kernel: 3, groups: 4", in, 0); /* once for each group */
    check_reader(20, "- batchnorm\n- relu\n- maxpool: {size: 2}\n", "filters: 9, kernel: 3", in, 0);
    check_reader(20, "- batchnorm: {ghost: 2}\n- relu\n", "filters: 9, kernel: 3", in, 0);
    check_reader(20, "- batchnorm\n- tanh\n", "filters: 9, kernel: 3", in, 0);
    check_reader(20, "- relu\n", "filters: 9, kernel: 3", in, 0);
}
END_TEST

START_TEST(not_where_others_read_it)
{
    const char *head = "- {name: a, conv: {filters: 8, kernel: 3, pad: 1}}\n- {name: n, batchnorm: {}}\n"
                       "- {name: b, conv: {filters: 8, kernel: 1}}\n";
    nm_shape in = {6, 6, 3};
    check_training(ctx, head, in, 1, 1);
    check_training(ctx, text("%s- {name: s, add: {}, from: [b, n]}\n", head), in, -1, 0);
    check_training(
        ctx,
        text("%s- {name: c, conv: {filters: 8, kernel: 1}, from: n}\n- {name: s, concat: {}, from: [b, c]}\n", head),
        in, -1, 0);
    nm_network *net = fusion_network(ctx, text("%s- {name: end, dense: {units: 3}}\nloss: softmax_ce\n", head), in);
    const int keep[] = {nm_network_find(net, "n")};
    const nm_request looked_at[] = {{.mode = NM_TRAIN, .keep = keep, .keeps = 1},
                                    {.mode = NM_TRAIN, .keep_all = true},
                                    {.mode = NM_TRAIN, .micro = 2},
                                    {.mode = NM_TRAIN, .recompute = true},
                                    {.mode = NM_EVAL},
                                    {.mode = NM_EVAL, .gradients = true}};
    for (int k = 0; k < 6; k++) {
        nm_request request = looked_at[k];
        nm_plan *plan;
        request.batch = FUSION_BATCH;
        request.threads = 1;
        ck_assert_int_eq(nm_plan_new(net, &request, &plan), NM_OK);
        ck_assert_int_eq(lazy_nodes(plan, net->nodes), 0);
        nm_plan_free(plan);
    }
    nm_network_free(net);
}
END_TEST

/* What is normalised by its reader is kept once instead of twice. */
START_TEST(less_memory)
{
    nm_network *net = fusion_network(
        ctx,
        "- conv: {filters: 8, kernel: 3, pad: same}\n- batchnorm\n- relu\n- conv: {filters: 8, kernel: 1}\n"
        "- batchnorm\n"
        "- relu\n- conv: {filters: 8, kernel: 1}\n- batchnorm\n- relu\n- conv: {filters: 8, kernel: 1}\n"
        "- gap\n- {name: end, dense: {units: 3}}\nloss: softmax_ce\n",
        (nm_shape){16, 16, 3});
    const size_t layer = 32 * 16 * 16 * 8 * sizeof(real);
    nm_plan *plan;
    for (int fused = 0; fused < 2; fused++) {
        ck_assert_int_eq(
            nm_plan_new(net, &(nm_request){.mode = NM_TRAIN, .batch = 32, .threads = 1, .no_fuse = !fused}, &plan),
            NM_OK);
        size_t bytes = nm_plan_memory_use(plan).activations;
        ck_assert_uint_ge(bytes, (fused ? 3 : 6) * layer);
        ck_assert_uint_le(bytes, (fused ? 5 : 8) * layer + layer / 10);
        nm_plan_free(plan);
    }
    nm_network_free(net);
}
END_TEST

SUITE_WITH("lazy_normalisation", with_context, each_algorithm_normalises_what_it_reads, depthwise_readers,
           chains_leave_it_from_one_to_the_next, not_where_the_reader_cannot, not_where_others_read_it, less_memory)
