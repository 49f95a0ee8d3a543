/* Evaluation a few samples at a time: the same bits as all at once, whole values where somebody
 * looks, less memory. */
#include "alloc.h"
#include "network_support.h"
#include "plan.h"
#include "run_suite.h"
#include "sanitized.h"

#include <stdio.h>
#include <string.h>

static nm_context *ctx;

/* A network for square images. */
static nm_network *built(const char *format, int side)
{
    char text[2048];
    snprintf(text, sizeof text, format, side, side);
    ctx = ctx ? ctx : nm_context_new();
    nm_network *net = network_from(ctx, text, NULL);
    nm_network_initialise(net, 1);
    return net;
}

/* Large values first, then many weights; a residual sum whose input crosses a cut; branches; a loss
 * in the middle. */
static const char chain[] = "input: {height: %d, width: %d, channels: 3}\n"
                            "defaults: {conv: {kernel: 3, pad: same, bias: false}}\n"
                            "layers:\n"
                            "- {name: a, conv: {filters: 32}}\n- batchnorm\n- relu\n"
                            "- {name: b, conv: {filters: 32, groups: 32}}\n- batchnorm\n- relu\n"
                            "- {name: c, conv: {filters: 64, kernel: 1}}\n- batchnorm\n- relu\n"
                            "- {name: d, conv: {filters: 64, stride: 2, groups: 64}}\n- batchnorm\n- relu\n"
                            "- {name: e, conv: {filters: 128, kernel: 1}}\n- batchnorm\n- relu\n"
                            "- {name: p, maxpool: {size: 2}}\n- {name: f, conv: {filters: 256}}\n- relu\n"
                            "- {name: q, maxpool: {size: 2}}\n- {name: g, conv: {filters: 256}}\n- relu\n"
                            "- gap\n- {name: out, dense: {units: 5}}\n"
                            "loss: softmax_ce\n";
static const char branches[] =
    "input: {height: %d, width: %d, channels: 3}\n"
    "defaults: {conv: {kernel: 3, pad: same}}\n"
    "layers:\n"
    "- {name: a, conv: {filters: 32}}\n- relu\n"
    "- {name: b, conv: {filters: 32}}\n- batchnorm\n- relu\n- {name: c, conv: {filters: 32}}\n- batchnorm\n"
    "- {name: sum, add: {}, from: [c.batchnorm, a.relu]}\n- relu\n"
    "- {name: middle, gap: {}}\n- {name: side, dense: {units: 3}}\n"
    "- {name: d, conv: {filters: 32}, from: sum.relu}\n- relu\n- {name: e, conv: {filters: 32}}\n- batchnorm\n"
    "- {name: more, add: {}, from: [e.batchnorm, sum.relu]}\n- relu\n"
    "- {name: left, conv: {filters: 16, kernel: 5}}\n- {name: right, maxpool: {size: 3, stride: 1, pad: same}, "
    "from: more.relu}\n"
    "- {name: both, concat: {}, from: [left, right]}\n"
    "- {name: f, conv: {filters: 256, stride: 4}}\n- relu\n- {name: g, conv: {filters: 256}}\n- relu\n"
    "- gap\n- {name: main, dense: {units: 3}}\n"
    "loss: [{softmax_ce: {}, from: main}, {softmax_ce: {}, from: side, weight: 0.3}]\n";
static const char *const networks[] = {chain, branches};
enum { NETWORKS = 2, BATCH = 41, PIXELS = 32 * 32 * 3 };

static real x[BATCH * PIXELS];
static const real *xs[] = {x};

static void draw_batch(void)
{
    nm_rng r = nm_rng_stream(3, "test", "slices");
    for (int i = 0; i < BATCH * PIXELS; i++)
        x[i] = (real)nm_rng_normal(&r);
}

/* A node's outputs of all samples, each evaluated alone: [BATCH][shape]. nm_free. */
static real *outputs_alone(nm_network *net, nm_request request, int node)
{
    size_t in = nm_shape_size(net->node[0].out), out = nm_shape_size(net->node[node].out);
    real *y = nm_alloc(ctx, BATCH * out, sizeof *y);
    ck_assert_ptr_nonnull(y);
    request.batch = request.threads = 1;
    nm_plan *alone = plan_for(net, request);
    ck_assert_int_eq(alone->segments, 1);
    for (int k = 0; k < BATCH; k++) {
        nm_plan_run(alone, &(nm_batch){.n = 1, .x = (const real *[]){x + (size_t)k * in}}, NM_PHASE_FORWARD);
        memcpy(y + (size_t)k * out, nm_plan_output(alone, node), out * sizeof *y);
    }
    nm_plan_free(alone);
    return y;
}

/* A node's output of n samples against that of each alone. */
static void ck_same(const nm_network *net, const nm_plan *plan, const real *alone, int node, int n)
{
    size_t out = nm_shape_size(net->node[node].out), i = 0;
    const real *y = nm_plan_output(plan, node);
    while (i < (size_t)n * out && memcmp(&y[i], &alone[i], sizeof *y) == 0)
        i++;
    ck_assert_msg(i == (size_t)n * out, "%s, sample %zu of %d, number %zu: %.9g, alone %.9g", net->node[node].name,
                  i / out, n, i % out, (double)y[i], (double)alone[i]);
}

/* alone: for each objective. */
static void check_slices(nm_network *net, nm_request request, real *const *alone)
{
    nm_plan *slices = plan_for(net, request);
    ck_assert_int_gt(slices->segments, 1);
    ck_assert_int_eq(slices->workers, 1 + request.threads);
    for (int n = BATCH; n > 0; n -= 20) {
        nm_plan_run(slices, &(nm_batch){.n = n, .x = xs, .seed = 1}, NM_PHASE_FORWARD);
        for (int i = 0; i < net->objectives; i++)
            ck_same(net, slices, alone[i], net->objective[i].from, n);
    }
    nm_plan_free(slices);
}

START_TEST(the_same_bits)
{
    nm_network *net = built(networks[_i], 32);
    draw_batch();
    for (int no_fuse = 0; no_fuse < 2; no_fuse++) {
        nm_request request = {.mode = NM_EVAL, .batch = BATCH, .no_fuse = no_fuse, .poison = true};
        real *alone[2];
        ck_assert_int_le(net->objectives, 2);
        for (int i = 0; i < net->objectives; i++)
            alone[i] = outputs_alone(net, request, net->objective[i].from);
        for (request.threads = 1; request.threads < 6; request.threads += 2)
            check_slices(net, request, alone);
        for (int i = 0; i < net->objectives; i++)
            nm_free(alone[i]);
    }
    nm_network_free(net);
}
END_TEST

/* What a caller keeps holds all samples. */
START_TEST(kept_values_are_whole)
{
    nm_network *net = built(networks[_i], 16);
    draw_batch();
    for (int node = net->inputs; node < net->nodes; node += SANITIZED ? 3 : 1) {
        nm_request request = {.mode = NM_EVAL, .batch = BATCH, .threads = 2, .keep = &node, .keeps = 1, .poison = true};
        nm_plan *slices = plan_for(net, request);
        ck_assert_int_gt(slices->segments, 1);
        real *alone = outputs_alone(net, request, node);
        nm_plan_run(slices, &(nm_batch){.n = BATCH, .x = xs, .seed = 1}, NM_PHASE_FORWARD);
        ck_same(net, slices, alone, node, BATCH);
        nm_plan_free(slices);
        nm_free(alone);
    }
    nm_network_free(net);
}
END_TEST

/* The largest values are never there for all samples. */
START_TEST(less_memory)
{
    nm_network *net = built(chain, 32);
    nm_plan *plan = plan_for(net, (nm_request){.mode = NM_EVAL, .batch = 512, .threads = 2, .dry = true});
    nm_plan_memory m = nm_plan_memory_use(plan);
    ck_assert_uint_lt(m.activations, 512 * 32 * 32 * 32 * sizeof(real));
    ck_assert_uint_le(m.activations, m.lower_bound + m.lower_bound / 10);
    nm_plan_free(plan);
    nm_network_free(net);
}
END_TEST

static void add_loops(TCase *tcase)
{
    tcase_add_loop_test(tcase, the_same_bits, 0, NETWORKS);
    tcase_add_loop_test(tcase, kept_values_are_whole, 0, NETWORKS);
}

SUITE_WITH("slices", add_loops, less_memory)
