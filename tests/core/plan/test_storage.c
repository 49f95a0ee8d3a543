/* What backward reads, kept in bfloat16: the same numbers where a bfloat16 holds them, little else
 * where not; the same bits by any number of threads; less memory; and never where others look. */
#include "fusion_check.h"
#include "layer_check.h"
#include "run_suite.h"
#include "with_context.h"

#include <check.h>
#include <math.h>
#include <string.h>

enum { BATCH = 6, MOST = 1 << 16 };

static const char end[] = "- {name: end, dense: {units: 3}}\nloss: softmax_ce\n";

typedef struct step {
    real gradients[MOST], states[1 << 10];
    size_t weights, stats;
    double loss;
    size_t activations;
    int narrow; /* nodes whose output or input is in bfloat16 */
} step;

/* Small integers, of which a sum of some hundred is one that a bfloat16 holds. */
static void make_whole(real *numbers, size_t count, nm_rng *r, int largest)
{
    for (size_t i = 0; i < count; i++)
        numbers[i] = (real)(int)((2 * nm_rng_uniform(r) - 1) * (largest + 1));
}

static void take_step(const char *layers, nm_shape in, nm_request request, bool whole, step *s)
{
    static real x[BATCH * 32 * 32 * 24];
    static const int32_t labels[BATCH] = {0, 2, 1, 1, 0, 2};
    const real *xs[] = {x};
    size_t count = BATCH * nm_shape_size(in);
    nm_rng r = nm_rng_stream(4, "test", "storage");
    nm_network *net = fusion_network(ctx, text("%s%s", layers, end), in);
    nm_plan *plan;
    ck_assert(count <= sizeof x / sizeof *x && net->weight_count <= MOST);
    for (size_t i = 0; i < count; i++)
        x[i] = (real)nm_rng_normal(&r);
    if (whole) {
        make_whole(x, count, &r, 2);
        for (int i = 0; i < net->params; i++)
            if ((net->param[i].kind == NM_WEIGHT || strstr(net->param[i].name, "bias")) &&
                !strstr(net->param[i].name, "end"))
                make_whole(nm_param_values(net, &net->param[i]), net->param[i].count, &r, 1);
    }
    request.mode = NM_TRAIN;
    request.batch = BATCH;
    ck_assert_msg(nm_plan_new(net, &request, &plan) == NM_OK, "%s", nm_error_message(ctx, 0));
    s->loss = nm_plan_run(plan, &(nm_batch){.n = BATCH, .x = xs, .targets = {.labels = labels}}, NM_PHASE_ALL).loss;
    s->weights = net->weight_count;
    s->stats = net->state_count;
    memcpy(s->gradients, nm_plan_gradients(plan), s->weights * sizeof(real));
    memcpy(s->states, net->states, s->stats * sizeof(real));
    s->activations = nm_plan_memory_use(plan).activations;
    s->narrow = 0;
    for (int i = 0; i < net->nodes; i++)
        s->narrow += plan->node[i].bf16 != 0;
    nm_plan_free(plan);
    nm_network_free(net);
}

/* A step in float32 and two in bfloat16, by one and by three threads. */
static void check_step(const char *layers, nm_shape in, nm_request request, bool whole, double tolerance)
{
    static step plain, narrow, threads;
    request.threads = 1;
    take_step(layers, in, request, whole, &plain);
    request.bf16 = true;
    take_step(layers, in, request, whole, &narrow);
    request.threads = 3;
    take_step(layers, in, request, whole, &threads);
    ck_assert_msg(narrow.activations < plain.activations, "%s: nothing is kept in bfloat16", layers);
    check_alike(layers, narrow.gradients, plain.gradients, plain.weights, tolerance);
    check_alike(layers, narrow.states, plain.states, plain.stats, tolerance);
    ck_assert_double_le(fabs(narrow.loss - plain.loss), tolerance * (1 + fabs(plain.loss)));
    ck_assert_msg(memcmp(narrow.gradients, threads.gradients, plain.weights * sizeof(real)) == 0 &&
                      memcmp(narrow.states, threads.states, plain.stats * sizeof(real)) == 0,
                  "%s: other bits by other threads", layers);
}

static const char *const convolutions[] = {"filters: %d, kernel: 3, pad: 1, algorithm: winograd_4x4",
                                           "filters: %d, kernel: 3, algorithm: winograd_2x2, bias: false",
                                           "filters: %d, kernel: 3, pad: 1, algorithm: winograd_1d",
                                           "filters: %d, kernel: 5, pad: 2, algorithm: winograd_1d_5",
                                           "filters: %d, kernel: 1, algorithm: im2col",
                                           "filters: %d, kernel: 3, stride: 2, pad: same, algorithm: im2col"};
static const nm_shape shapes[] = {{18, 16, 4}, {12, 14, 5}, {8, 8, 3}, {6, 6, 4}};

/* Of outputs that are kept for a batch norm, and what it does besides. */
START_TEST(whole_numbers_stay_as_they_are)
{
    static const char *const tails[] = {"- batchnorm\n- {name: b, conv: {filters: 9, kernel: 1}}\n",
                                        "- batchnorm\n",
                                        "- batchnorm\n- relu\n- {name: b, conv: {filters: 9, kernel: 1}}\n",
                                        "- batchnorm\n- relu\n",
                                        "- batchnorm\n- relu\n- maxpool: {size: 2}\n",
                                        "- batchnorm: {affine: false}\n- maxpool: {size: 2}\n"};
    for (int c = 0; c < 6; c++)
        for (int s = 0; s < 4; s++)
            for (int t = 0; t < 6; t++)
                for (int filters = 16; filters < 24; filters += 3) {
                    const char *conv = text(convolutions[c], filters);
                    bool transforms = c < 4; /* its sums are whole only up to rounding, which decides at kinks */
                    if ((transforms && t > 1) || (c == 5 && t > 3)) /* nor does a pool tile all outputs */
                        continue;
                    check_step(text("- {name: a, conv: {%s}}\n%s", conv, tails[t]), shapes[s], (nm_request){0}, true,
                               FUSION_TOLERANCE);
                }
}
END_TEST

/* Of outputs that go from one convolution to the next, and a first layer's. */
START_TEST(whole_numbers_go_from_layer_to_layer)
{
    for (int c = 0; c < 6; c++)
        for (int s = 0; s < 4; s++) {
            const char *layers =
                text("- {name: a, conv: {filters: 16, kernel: 3, pad: 1, algorithm: direct}}\n- {name: b, conv: {%s}}\n"
                     "- {name: g, gap: {}}\n- batchnorm\n",
                     text(convolutions[c], 7));
            check_step(layers, (nm_shape){shapes[s].h, shapes[s].w, 1}, (nm_request){0}, true, FUSION_TOLERANCE);
        }
}
END_TEST

static const char residual[] =
    "- {name: a, conv: {filters: 16, kernel: 3, pad: 1}}\n- batchnorm\n- {name: r, relu: {}}\n"
    "- {name: b, conv: {filters: 16, kernel: 3, pad: 1}}\n- batchnorm\n- relu\n"
    "- {name: c, conv: {filters: 16, kernel: 3, pad: 1}}\n- {name: n, batchnorm: {}}\n"
    "- {name: s, add: {}, from: [n, r]}\n- {name: t, relu: {}}\n"
    "- {name: d, conv: {filters: 16, kernel: 3, stride: 2, pad: 1}}\n- batchnorm\n"
    "- {name: g, gap: {}}\n";

/* Rounding lets a value near zero pass a relu, or not, so that single gradients differ. */
START_TEST(any_numbers_change_little)
{
    for (int s = 0; s < 4; s++) {
        check_step(residual, shapes[s], (nm_request){0}, false, 0.1);
        check_step("- {name: a, conv: {filters: 16, kernel: 3, pad: 1}}\n- batchnorm\n"
                   "- {name: b, conv: {filters: 12, kernel: 3, pad: 1}}\n- batchnorm\n",
                   shapes[s], (nm_request){0}, false, 0.02);
    }
}
END_TEST

START_TEST(in_segments_shards_and_alone)
{
    const nm_request ways[] = {{.no_fuse = true}, {.micro = 2}, {.recompute = true}, {.shards = 3}};
    for (int k = 0; k < 4; k++)
        check_step(residual, shapes[0], ways[k], false, 0.1);
}
END_TEST

START_TEST(never_where_others_look)
{
    static step s, plain;
    take_step(residual, shapes[0], (nm_request){.bf16 = true, .threads = 1}, false, &s);
    ck_assert_int_gt(s.narrow, 3);
    take_step(residual, shapes[0], (nm_request){.threads = 1, .exact = true}, false, &plain);
    take_step(residual, shapes[0], (nm_request){.bf16 = true, .threads = 1, .exact = true}, false, &s);
    ck_assert_int_eq(s.narrow, 0);
    ck_assert_mem_eq(s.gradients, plain.gradients, s.weights * sizeof(real));
    take_step(residual, shapes[0], (nm_request){.bf16 = true, .threads = 1, .keep_all = true}, false, &s);
    ck_assert_int_eq(s.narrow, 0);
}
END_TEST

START_TEST(half_the_memory)
{
    static step plain, narrow;
    nm_shape in = {32, 32, 3};
    take_step(residual, in, (nm_request){.threads = 1}, false, &plain);
    take_step(residual, in, (nm_request){.threads = 1, .bf16 = true}, false, &narrow);
    ck_assert_double_le((double)narrow.activations, 0.75 * (double)plain.activations);
}
END_TEST

SUITE_WITH("storage", with_context, whole_numbers_stay_as_they_are, whole_numbers_go_from_layer_to_layer,
           any_numbers_change_little, in_segments_shards_and_alone, never_where_others_look, half_the_memory)
