/* Plans: splits that sum, memory taken over in place, frozen and shared parameters. */
#include "branched_network.h"
#include "plan.h"
#include "run_suite.h"

#include <math.h>
#include <string.h>

enum { BATCH = 3, PIXELS = BATCH * 6 * 5 * 2 };

typedef struct input {
    real x[PIXELS];
    const real *xs[1];
    int32_t labels[BATCH];
    nm_batch batch;
} input;

static void fill(input *in)
{
    nm_rng r = nm_rng_stream(3, "test", "plan");
    for (int i = 0; i < PIXELS; i++)
        in->x[i] = (real)nm_rng_normal(&r);
    for (int i = 0; i < BATCH; i++)
        in->labels[i] = i % 3;
    in->xs[0] = in->x;
    in->batch = (nm_batch){.n = BATCH, .x = in->xs, .targets = {.labels = in->labels}, .seed = 1};
}

/* With everything kept nothing is shared, and nothing fused; the tight plan must give the same
 * bits. */
START_TEST(tight_memory_gives_the_same_bits)
{
    nm_network *net = built(branches);
    input in;
    fill(&in);
    nm_plan *tight =
        plan_for(net, (nm_request){.mode = NM_TRAIN, .batch = BATCH, .threads = 2, .no_fuse = true, .poison = true});
    nm_plan *loose = plan_for(net, (nm_request){.mode = NM_TRAIN, .batch = BATCH, .threads = 1, .keep_all = true});
    ck_assert_uint_lt(nm_plan_memory_use(tight).activations, nm_plan_memory_use(loose).activations);
    nm_plan *plans[2] = {tight, loose};
    double loss[2];
    for (int i = 0; i < 2; i++)
        for (int twice = 0; twice < 2; twice++) {
            nm_plan_run(plans[i], &in.batch, NM_PHASE_FORWARD);
            loss[i] = nm_plan_run(plans[i], &in.batch, NM_PHASE_LOSS).loss;
            nm_plan_run(plans[i], &in.batch, NM_PHASE_BACKWARD);
        }
    ck_assert_double_eq(loss[0], loss[1]);
    ck_assert_mem_eq(nm_plan_gradients(tight), nm_plan_gradients(loose), net->weight_count * sizeof(real));
    nm_plan_free(tight);
    nm_plan_free(loose);
    nm_network_free(net);
}
END_TEST

#ifdef NM_DOUBLE
static double loss_of(nm_plan *plan, const input *in)
{
    nm_plan_run(plan, &in->batch, NM_PHASE_FORWARD);
    return nm_plan_run(plan, &in->batch, NM_PHASE_LOSS).loss;
}

START_TEST(splits_sum_gradients)
{
    nm_network *net = built(branches);
    input in;
    fill(&in);
    nm_request request = {.mode = NM_TRAIN, .batch = BATCH, .threads = 1, .input_gradients = true};
    nm_plan *plan = plan_for(net, request);
    loss_of(plan, &in);
    nm_plan_run(plan, &in.batch, NM_PHASE_BACKWARD);
    real analytic[PIXELS], most = 0;
    memcpy(analytic, nm_plan_output_gradient(plan, 0), sizeof analytic);
    for (int i = 0; i < PIXELS; i++)
        most = fmax(most, fabs(analytic[i]));
    for (int i = 0; i < PIXELS; i++) {
        const real step = 1e-6, kept = in.x[i];
        in.x[i] = kept + step;
        double above = loss_of(plan, &in);
        in.x[i] = kept - step;
        double below = loss_of(plan, &in);
        in.x[i] = kept;
        ck_assert_double_lt(fabs((above - below) / (2 * step) - analytic[i]), 1e-6 * most);
    }
    nm_plan_free(plan);
    nm_network_free(net);
}
END_TEST
#endif

START_TEST(evaluation_needs_two_layers_at_once)
{
    nm_network *net = built("input: {height: 16, width: 16, channels: 8}\n"
                            "defaults: {conv: {kernel: 3, pad: same, filters: 8}}\n"
                            "layers: [conv: {}, relu, conv: {}, relu, conv: {}, relu, conv: {}, relu]\n");
    nm_plan *plan = plan_for(net, (nm_request){.mode = NM_EVAL, .batch = 4, .threads = 1});
    ck_assert_uint_eq(nm_plan_memory_use(plan).activations, 2 * 4 * 16 * 16 * 8 * sizeof(real));
    nm_plan_free(plan);
    nm_network_free(net);
}
END_TEST

/* A few samples at a time where values are large, all at once where weights are many: the largest
 * values are never there for the whole batch. */
START_TEST(evaluation_is_cut_where_it_saves)
{
    enum { SAMPLES = 512 };
    nm_network *net = built("input: {height: 32, width: 32, channels: 3}\n"
                            "defaults: {conv: {kernel: 3, pad: same}}\n"
                            "layers:\n- {conv: {filters: 32}}\n- relu\n- {conv: {filters: 64}}\n- relu\n"
                            "- {maxpool: {size: 4}}\n- {conv: {filters: 256}}\n- relu\n- {maxpool: {size: 4}}\n"
                            "- {conv: {filters: 256}}\n- relu\n- gap\n- {dense: {units: 5}}\n");
    nm_plan *plan = plan_for(net, (nm_request){.mode = NM_EVAL, .batch = SAMPLES, .threads = 2, .dry = true});
    ck_assert_uint_lt(nm_plan_memory_use(plan).activations, SAMPLES * 32 * 32 * 32 * sizeof(real));
    nm_plan_free(plan);
    nm_network_free(net);
}
END_TEST

static bool goes_backward(const nm_plan *plan, int node)
{
    for (int i = 0; i < plan->ops; i++)
        if (plan->op[i].kind == NM_OP_BACKWARD && plan->op[i].index == node)
            return true;
    return false;
}

START_TEST(frozen_parameters_get_no_gradient)
{
    nm_network *net = built(branches);
    input in;
    fill(&in);
    for (int i = 0; i < net->params; i++)
        net->param[i].frozen = strncmp(net->param[i].name, "c1", 2) == 0;
    nm_plan *plan = plan_for(net, (nm_request){.mode = NM_TRAIN, .batch = BATCH, .threads = 1});
    int c1 = nm_network_find(net, "c1"), main_layer = nm_network_find(net, "main");
    ck_assert(!goes_backward(plan, c1));
    ck_assert(goes_backward(plan, main_layer));
    nm_plan_run(plan, &in.batch, NM_PHASE_FORWARD);
    nm_plan_run(plan, &in.batch, NM_PHASE_LOSS);
    nm_plan_run(plan, &in.batch, NM_PHASE_BACKWARD);
    const nm_param *frozen = &net->param[nm_network_find_param(net, "c1/weight")];
    for (size_t i = 0; i < frozen->count; i++)
        ck_assert(nm_plan_gradients(plan)[frozen->offset + i] == 0);
    nm_plan_free(plan);
    nm_network_free(net);
}
END_TEST

START_TEST(shared_parameters_sum_their_gradients)
{
    nm_network *net = built("input: {channels: 3}\nlayers:\n- {name: a, dense: {units: 3}}\n"
                            "- {name: b, dense: {units: 3}, share: a}\nloss: softmax_ce\n");
    nm_network *apart = built("input: {channels: 3}\nlayers:\n- {name: a, dense: {units: 3}}\n"
                              "- {name: b, dense: {units: 3}}\nloss: softmax_ce\n");
    const nm_param *a = &apart->param[0], *b = &apart->param[2], *both = &net->param[0];
    for (int i = 0; i < 2; i++) /* weight and bias */
        memcpy(nm_param_values(apart, b + i), nm_param_values(apart, a + i), a[i].count * sizeof(real));
    const real x[3] = {1, 2, -1}, *xs[1] = {x};
    const int32_t label = 1;
    nm_batch batch = {.n = 1, .x = xs, .targets = {.labels = &label}};
    nm_request request = {.mode = NM_TRAIN, .batch = 1, .threads = 1};
    nm_plan *one = plan_for(net, request), *two = plan_for(apart, request);
    nm_plan *plans[2] = {one, two};
    for (int i = 0; i < 2; i++) {
        nm_plan_run(plans[i], &batch, NM_PHASE_FORWARD);
        nm_plan_run(plans[i], &batch, NM_PHASE_LOSS);
        nm_plan_run(plans[i], &batch, NM_PHASE_BACKWARD);
    }
    for (size_t i = 0; i < both->count; i++) {
        double sum = (double)nm_plan_gradients(two)[a->offset + i] + (double)nm_plan_gradients(two)[b->offset + i];
        ck_assert_double_lt(fabs((double)nm_plan_gradients(one)[both->offset + i] - sum), 1e-6);
    }
    nm_plan_free(one);
    nm_plan_free(two);
    nm_network_free(net);
    nm_network_free(apart);
}
END_TEST

static void set_up(TCase *tcase)
{
    with_context(tcase);
#ifdef NM_DOUBLE
    tcase_add_test(tcase, splits_sum_gradients);
#endif
}

SUITE_WITH("plan", set_up, tight_memory_gives_the_same_bits, evaluation_needs_two_layers_at_once,
           evaluation_is_cut_where_it_saves, frozen_parameters_get_no_gradient, shared_parameters_sum_their_gradients)
