/* Plans: regions that do not collide, splits that sum, memory taken over in place, frozen
 * parameters. */
#include "alloc.h"
#include "layer_check.h"
#include "network_support.h"
#include "plan.h"
#include "run_suite.h"
#include "with_context.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static nm_network *built(const char *text)
{
    nm_network *net = network_from(ctx, text, NULL);
    nm_network_initialise(net, 1);
    return net;
}

/* A residual block, a concat of a layer with itself, an auxiliary loss: every kind of fan-out. */
static const char branches[] = "input: {height: 6, width: 5, channels: 2}\n"
                               "defaults: {conv: {kernel: 3, pad: same}}\n"
                               "layers:\n"
                               "- {name: c1, conv: {filters: 4}}\n- batchnorm\n- relu\n"
                               "- {name: c2, conv: {filters: 4}}\n- batchnorm\n"
                               "- {name: sum, add: {}, from: [c2.batchnorm, c1.relu]}\n- relu\n"
                               "- {name: twice, concat: {}, from: [sum.relu, sum.relu]}\n"
                               "- {name: back, add: {}, from: [sum.relu, c1.relu]}\n"
                               "- {name: all, concat: {}, from: [twice, back]}\n"
                               "- gap\n- {name: main, dense: {units: 3}}\n"
                               "- {name: side, dense: {units: 3}, from: c1.relu}\n"
                               "loss: [{softmax_ce: {}, from: main}, {softmax_ce: {}, from: side, weight: 0.3}]\n";

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

START_TEST(regions_do_not_collide)
{
    enum { COUNT = 120 };
    nm_rng r = nm_rng_stream(1, "test", "regions");
    for (int round = 0; round < 50; round++) {
        nm_region region[COUNT];
        for (int i = 0; i < COUNT; i++) {
            int first = (int)nm_rng_below(&r, 100);
            size_t size = 64 * (1 + nm_rng_below(&r, 50));
            region[i] = (nm_region){size, .intervals = 1, .live = {{first, first + (int)nm_rng_below(&r, 30)}}};
        }
        size_t slab, bound;
        ck_assert_int_eq(nm_memory_place(ctx, region, COUNT, NULL, &slab, &bound), NM_OK);
        ck_assert_uint_ge(slab, bound);
        ck_assert_uint_le(slab, bound + bound / 10);
        for (int i = 0; i < COUNT; i++) {
            ck_assert_uint_le(region[i].offset + region[i].size, slab);
            for (int j = 0; j < i; j++) {
                bool in_time = region[i].live[0].first <= region[j].live[0].last &&
                               region[j].live[0].first <= region[i].live[0].last;
                bool in_space = region[i].offset < region[j].offset + region[j].size &&
                                region[j].offset < region[i].offset + region[i].size;
                ck_assert(!(in_time && in_space));
            }
        }
    }
}
END_TEST

START_TEST(regions_alive_twice_do_not_collide)
{
    nm_region region[] = {{.size = 64, .intervals = 2, .live = {{10, 15}, {20, 25}}},
                          {.size = 64, .intervals = 1, .live = {{12, 13}}},
                          {.size = 64, .intervals = 2, .live = {{13, 20}, {23, 30}}},
                          {.size = 64, .intervals = 1, .live = {{16, 19}}},
                          {.size = 64, .intervals = 2, .live = {{12, 14}, {26, 28}}}};
    const bool meet[5][5] = {
        [0] = {[1] = true, [2] = true, [4] = true}, [1] = {[4] = true}, [2] = {[3] = true, [4] = true}};
    size_t slab, bound;
    ck_assert_int_eq(nm_memory_place(ctx, region, 5, NULL, &slab, &bound), NM_OK);
    for (int i = 0; i < 5; i++)
        for (int j = i + 1; j < 5; j++)
            if (meet[i][j])
                ck_assert_uint_ne(region[i].offset, region[j].offset);
    ck_assert_uint_ge(bound, 3 * 64);
}
END_TEST

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
            nm_plan_forward(plans[i], &in.batch);
            loss[i] = nm_plan_loss(plans[i], &in.batch).loss;
            nm_plan_backward(plans[i], &in.batch);
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
    nm_plan_forward(plan, &in->batch);
    return nm_plan_loss(plan, &in->batch).loss;
}

START_TEST(splits_sum_gradients)
{
    nm_network *net = built(branches);
    input in;
    fill(&in);
    nm_request request = {.mode = NM_TRAIN, .batch = BATCH, .threads = 1, .input_gradients = true};
    nm_plan *plan = plan_for(net, request);
    loss_of(plan, &in);
    nm_plan_backward(plan, &in.batch);
    real analytic[PIXELS], most = 0;
    memcpy(analytic, nm_plan_input_gradient(plan, 0), sizeof analytic);
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

/* ---- a few samples at a time ------------------------------------------------------------ */

/* Everything that can go wrong between stages: branches over them, losses in them, layers that
 * draw, that keep something, that work in place; batch norm on the input, before a join, as ghosts,
 * after dense. */
static const char *const staged[] = {
    branches,
    "input: {height: 6, width: 5, channels: 2}\nlayers:\n- {name: n0, batchnorm: {}}\n"
    "- {name: c1, conv: {filters: 8, kernel: 3, pad: same}}\n- {name: n1, batchnorm: {ghost: 2}}\n- relu\n"
    "- maxpool: {size: 2}\n"
    "- {name: n2, batchnorm: {}}\n- elu\n- dropout: {rate: 0.3}\n- {name: c2, conv: {filters: 6, kernel: 3, pad: "
    "same}}\n"
    "- lrn\n- {name: d1, dense: {units: 7}}\n- {name: n3, batchnorm: {}}\n- tanh\n- {name: d2, dense: {units: 3}}\n"
    "loss: softmax_ce\n",
    "input: {height: 6, width: 5, channels: 2}\nlayers:\n- {name: c1, conv: {filters: 4, kernel: 3}}\n- relu\n"
    "- dropout\n"
    "- {name: d1, dense: {units: 3}}\nloss: softmax_ce\n",
    "input: {height: 6, width: 5, channels: 2}\nlayers:\n- {name: c1, conv: {filters: 4, kernel: 3, pad: same}}\n"
    "- {name: n1, batchnorm: {}}\n- {name: same, concat: {}, from: [n1, c1, input]}\n- {name: n2, batchnorm: {}}\n"
    "- relu\n"
    "- {name: c2, conv: {filters: 2, kernel: 3, pad: same}}\n- {name: g, gap: {}}\n- {name: d1, dense: {units: 3}}\n"
    "loss: [{softmax_ce: {}, from: d1}, {mse: {}, from: c2, target: input, weight: 0.2}]\n",
    /* a batch norm after other layers of its stage: it goes backward after them */
    "input: {height: 6, width: 5, channels: 2}\ndefaults: {conv: {filters: 6, kernel: 3, pad: same}}\nlayers:\n"
    "- {name: a, conv: {}}\n- {name: na, batchnorm: {}}\n- tanh\n- {name: a2, conv: {}}\n- tanh\n"
    "- {name: a3, conv: {}}\n"
    "- {name: b, conv: {}, from: input}\n- {name: nb, batchnorm: {}}\n- tanh\n- {name: b2, conv: {}}\n"
    "- {name: j, add: {}, from: [a3, b2]}\n- gap\n- {name: d1, dense: {units: 3}}\nloss: softmax_ce\n"};
enum { STAGED = sizeof staged / sizeof *staged, MANY = 11 };

typedef struct outcome {
    nm_network *net;
    nm_plan *plan;
    nm_result result;
} outcome;

static outcome step_of(const char *text, nm_request request, const real *x)
{
    static const int32_t labels[MANY] = {0, 1, 2, 1, 0, 2, 2, 1, 0, 1, 2};
    const real *xs[1] = {x};
    nm_batch batch = {.n = MANY, .x = xs, .targets = {.labels = labels}, .seed = 5, .step = 3};
    outcome o = {.net = built(text)};
    o.plan = plan_for(o.net, request);
    nm_plan_step(o.plan, &batch); /* twice: nothing may stay behind but the running statistics */
    o.result = nm_plan_step(o.plan, &batch);
    return o;
}

static void free_outcome(outcome *o)
{
    nm_plan_free(o->plan);
    nm_network_free(o->net);
}

static void ck_near(const char *what, const real *found, const real *expected, size_t count)
{
    if (count)
        check_alike(what, found, expected, count, sizeof(real) == 8 ? 1e-12 : 1e-6);
}

START_TEST(a_few_samples_at_a_time_are_the_whole_batch)
{
    real x[MANY * 60];
    nm_rng r = nm_rng_stream(4, "test", "micro");
    for (int i = 0; i < MANY * 60; i++)
        x[i] = (real)nm_rng_normal(&r);
    for (int k = 0; k < STAGED; k++) {
        nm_request request = {.mode = NM_TRAIN, .batch = MANY + 3, .threads = 2};
        outcome whole = step_of(staged[k], request, x);
        for (int micro = 0; micro < 6; micro++) {
            request.micro = micro;
            request.recompute = micro % 2 == 0;
            request.threads = 1 + micro % 3;
            request.poison = true;
            outcome parts = step_of(staged[k], request, x);
            const char *what = staged[k];
            double tolerance = sizeof(real) == 8 ? 1e-12 : 1e-6;
            ck_assert_double_eq_tol(parts.result.loss, whole.result.loss, tolerance * whole.result.loss);
            ck_assert_double_eq(parts.result.correct, whole.result.correct);
            ck_near(what, nm_plan_gradients(parts.plan), nm_plan_gradients(whole.plan), whole.net->weight_count);
            ck_near(what, parts.net->states, whole.net->states, whole.net->state_count);
            nm_plan_memory memory = nm_plan_memory_use(parts.plan);
            ck_assert_uint_le(memory.activations, memory.lower_bound + memory.lower_bound / 10);
            free_outcome(&parts);
        }
        free_outcome(&whole);
    }
}
END_TEST

START_TEST(a_few_samples_at_a_time_have_the_same_bits_for_any_threads)
{
    real x[MANY * 60];
    nm_rng r = nm_rng_stream(4, "test", "micro");
    for (int i = 0; i < MANY * 60; i++)
        x[i] = (real)nm_rng_normal(&r);
    for (int k = 0; k < STAGED; k++) {
        nm_request request = {.mode = NM_TRAIN, .batch = MANY, .threads = 1, .micro = 3};
        outcome one = step_of(staged[k], request, x);
        for (request.threads = 2; request.threads < 9; request.threads += 3) {
            outcome more = step_of(staged[k], request, x);
            ck_assert_double_eq(one.result.loss, more.result.loss);
            ck_assert_mem_eq(nm_plan_gradients(one.plan), nm_plan_gradients(more.plan),
                             one.net->weight_count * sizeof(real));
            free_outcome(&more);
        }
        free_outcome(&one);
    }
}
END_TEST

static size_t activations_of(nm_network *net, nm_request request)
{
    nm_plan *plan = plan_for(net, request);
    size_t bytes = nm_plan_memory_use(plan).activations;
    nm_plan_free(plan);
    return bytes;
}

START_TEST(a_few_samples_at_a_time_need_less_memory)
{
    nm_network *net =
        built("input: {height: 16, width: 16, channels: 8}\n"
              "defaults: {conv: {kernel: 3, pad: same, filters: 8, bias: false}}\n"
              "layers: [conv: {}, batchnorm, relu, conv: {}, batchnorm, relu, conv: {}, batchnorm, relu, conv: {}, "
              "batchnorm, relu, gap, dense: {units: 3}]\nloss: softmax_ce\n");
    const size_t layer = 64 * 16 * 16 * 8 * sizeof(real);
    nm_request request = {.mode = NM_TRAIN, .batch = 64, .threads = 1, .no_fuse = true};
    size_t all = activations_of(net, request);
    request.no_fuse = false;
    request.recompute = true;
    size_t recomputed = activations_of(net, request);
    request.micro = 4;
    size_t micro = activations_of(net, request);
    ck_assert_uint_ge(all, 8 * layer);
    /* the inputs of the batch norms, and two gradients of one of them */
    ck_assert_uint_le(recomputed, 6 * layer + layer / 10);
    ck_assert_uint_le(micro, 5 * layer + layer / 10);
    nm_network_free(net);
}
END_TEST

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
    nm_plan_forward(plan, &in.batch);
    nm_plan_loss(plan, &in.batch);
    nm_plan_backward(plan, &in.batch);
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
        nm_plan_forward(plans[i], &batch);
        nm_plan_loss(plans[i], &batch);
        nm_plan_backward(plans[i], &batch);
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

SUITE_WITH("plan", set_up, regions_do_not_collide, regions_alive_twice_do_not_collide, tight_memory_gives_the_same_bits,
           a_few_samples_at_a_time_are_the_whole_batch, a_few_samples_at_a_time_have_the_same_bits_for_any_threads,
           a_few_samples_at_a_time_need_less_memory, evaluation_needs_two_layers_at_once,
           frozen_parameters_get_no_gradient, shared_parameters_sum_their_gradients)
