/* A few samples at a time: the sums of the whole batch, in less memory, with the same bits for any
 * threads. */
#include "branched_network.h"
#include "run_suite.h"
#include "two_steps.h"

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

static outcome step_of(const char *text, nm_request request, const real *x)
{
    static const int32_t labels[MANY] = {0, 1, 2, 1, 0, 2, 2, 1, 0, 1, 2};
    return two_steps(text, request, MANY, x, labels);
}

static void ck_near(const char *what, const real *found, const real *expected, size_t count)
{
    ck_sums(what, found, expected, count, 1e-6);
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

SUITE_WITH("micro_batch", with_context, a_few_samples_at_a_time_are_the_whole_batch,
           a_few_samples_at_a_time_have_the_same_bits_for_any_threads, a_few_samples_at_a_time_need_less_memory)
