/* A batch in shards: the sums of the whole batch, with the same bits for any threads; what several
 * processes make of it is tests/mpi's. */
#include "branched_network.h"
#include "run_suite.h"
#include "two_steps.h"

#include <stdio.h>
#include <string.h>

/* Batch norm with each tail that it takes, on the input, before a join and after dense; layers that
 * draw, that keep something, that work in place; losses in the middle. */
static const char *const networks[] = {
    branches,
    "input: {height: 6, width: 6, channels: 2}\nlayers:\n- {name: n0, batchnorm: {}}\n"
    "- {name: c1, conv: {filters: 8, kernel: 3, pad: same}}\n- {name: n1, batchnorm: {}}\n- relu\n"
    "- maxpool: {size: 2}\n- {name: n2, batchnorm: {affine: false}}\n- elu\n- dropout: {rate: 0.3}\n"
    "- {name: c2, conv: {filters: 6, kernel: 3, pad: same}}\n- maxpool: {size: 2, stride: 1}\n- lrn\n"
    "- {name: d1, dense: {units: 7}}\n- {name: n3, batchnorm: {}}\n- tanh\n- {name: d2, dense: {units: 3}}\n"
    "loss: softmax_ce\n",
    "input: {height: 6, width: 6, channels: 2}\ndefaults: {conv: {filters: 4, kernel: 3, pad: same}}\nlayers:\n"
    "- {name: c1, conv: {}}\n- {name: n1, batchnorm: {}}\n- {name: r1, relu: {}}\n- {name: c2, conv: {groups: 4}}\n"
    "- {name: n2, batchnorm: {}}\n- {name: a, add: {}, from: [n2, r1]}\n- relu\n"
    "- {name: c3, conv: {stride: 2}}\n- prelu\n- {name: g, gap: {}}\n- {name: d1, dense: {units: 3}}\n"
    "loss: [{softmax_ce: {}, from: d1}, {mse: {}, from: n1, target: r1, weight: 0.2}]\n"};
/* Batch norm with ghost batches, alone, before what it does too, and between layers in place. */
static const char *const ghost_networks[] = {
    "input: {height: 6, width: 6, channels: 2}\ndefaults: {conv: {filters: 4, kernel: 3, pad: same}}\nlayers:\n"
    "- {name: n0, batchnorm: {ghost: 2}}\n- {name: c1, conv: {}}\n- {name: n1, batchnorm: {ghost: 2}}\n"
    "- {name: r1, relu: {}}\n- {name: c2, conv: {}}\n- {name: n2, batchnorm: {ghost: 2, rate: 0.3}}\n"
    "- {name: a, add: {}, from: [n2, r1]}\n- relu\n- {name: c3, conv: {}}\n- {name: n3, batchnorm: {ghost: 2}}\n"
    "- relu\n- maxpool: {size: 2}\n- dropout: {rate: 0.3}\n- {name: c4, conv: {}}\n- {name: n4, batchnorm: {}}\n"
    "- {name: d1, dense: {units: 3}}\nloss: softmax_ce\n",
    "input: {height: 6, width: 6, channels: 2}\nlayers:\n- {name: c1, conv: {filters: 70, kernel: 3}}\n"
    "- {name: n1, batchnorm: {ghost: 4, affine: false}}\n- elu\n- {name: g, gap: {}}\n"
    "- {name: n2, batchnorm: {ghost: 4}}\n- {name: d1, dense: {units: 3}}\nloss: softmax_ce\n"};
enum { GHOST_NETWORKS = sizeof ghost_networks / sizeof *ghost_networks };
static const int ghosts[GHOST_NETWORKS] = {2, 4};
enum { NETWORKS = sizeof networks / sizeof *networks, MANY = 22, BATCH = 24 };

static real x[BATCH * 72];

static outcome step_of(const char *text, nm_request request, int n)
{
    static int32_t labels[BATCH];
    nm_rng r = nm_rng_stream(4, "test", "shards");
    for (int i = 0; i < BATCH * 72; i++)
        x[i] = (real)nm_rng_normal(&r);
    for (int i = 0; i < BATCH; i++)
        labels[i] = i * 7 % 3;
    return two_steps(text, request, n, x, labels);
}

static void ck_near(const char *what, const real *found, const real *expected, size_t count)
{
    ck_sums(what, found, expected, count, 1e-5);
}

/* Of whole batches and of short ones, whose last shards have few samples or none. A shard's samples
 * are multiples of `unit`. */
static void check_sums(const char *text, int n, int unit)
{
    nm_request request = {.mode = NM_TRAIN, .batch = BATCH, .threads = 2};
    double tolerance = sizeof(real) == 8 ? 1e-12 : 1e-6;
    outcome whole = step_of(text, request, n);
    request.poison = true;
    for (int shards = 2; shards <= BATCH / 2; shards += shards < 4 ? 1 : 2) {
        if (BATCH % (shards * unit))
            continue;
        request.shards = shards;
        request.threads = 1 + shards % 3;
        request.no_fuse = shards % 4 == 2;
        outcome parts = step_of(text, request, n);
        ck_assert_double_eq_tol(parts.result.loss, whole.result.loss, tolerance * whole.result.loss);
        ck_assert_double_eq(parts.result.correct, whole.result.correct);
        ck_assert_double_eq(parts.result.counted, whole.result.counted);
        ck_near(text, nm_plan_gradients(parts.plan), nm_plan_gradients(whole.plan), whole.net->weight_count);
        ck_near(text, parts.net->states, whole.net->states, whole.net->state_count);
        free_outcome(&parts);
    }
    free_outcome(&whole);
}

START_TEST(shards_are_the_whole_batch)
{
    check_sums(networks[_i], BATCH, 1);
    check_sums(networks[_i], MANY, 1);
    check_sums(networks[_i], 5, 1);
    if (sizeof(real) == 8) /* a batch norm of two rows is too ill-conditioned to be compared in float */
        check_sums(networks[_i], 2, 1);
}
END_TEST

/* Shards of whole ghost batches: the batch's. */
START_TEST(ghost_batches_in_shards)
{
    check_sums(ghost_networks[_i], BATCH, ghosts[_i]);
    check_sums(ghost_networks[_i], 20, ghosts[_i]);
    check_sums(ghost_networks[_i], ghosts[_i], ghosts[_i]);
}
END_TEST

/* What is left over of a last, short batch where a shard begins is a ghost batch of its own: the
 * gradients are those of the ghosts' batches, each alone. */
START_TEST(a_ghost_batch_that_is_left_over)
{
    const char *text =
        "input: {height: 6, width: 6, channels: 2}\nlayers:\n- {name: c1, conv: {filters: 5, kernel: 3}}\n"
        "- batchnorm: {ghost: %d}\n- elu\n- {name: d1, dense: {units: 3}}\nloss: softmax_ce\n";
    enum { ALL = 10, GHOST = 4 };
    char with[512], without[512];
    snprintf(with, sizeof with, text, GHOST);
    snprintf(without, sizeof without, text, 0);
    nm_request request = {.mode = NM_TRAIN, .batch = BATCH, .threads = 2, .shards = 3};
    outcome parts = step_of(with, request, ALL); /* shards of 8: ghosts of 4, 4 and 2 */
    int32_t labels[ALL];
    real sum[1000] = {0};
    size_t count = parts.net->weight_count;
    double loss = 0;
    ck_assert_uint_lt(count, 1000);
    for (int i = 0; i < ALL; i++)
        labels[i] = i * 7 % 3;
    for (int first = 0; first < ALL; first += GHOST) {
        int n = ALL - first < GHOST ? ALL - first : GHOST;
        outcome ghost = two_steps(without, (nm_request){.mode = NM_TRAIN, .batch = n, .threads = 2}, n,
                                  x + (size_t)first * 72, labels + first);
        for (size_t i = 0; i < count; i++)
            sum[i] += nm_plan_gradients(ghost.plan)[i] * (real)n / ALL;
        loss += ghost.result.loss * n / ALL;
        free_outcome(&ghost);
    }
    ck_near("ghosts", nm_plan_gradients(parts.plan), sum, count);
    ck_assert_double_eq_tol(parts.result.loss, loss, 1e-6 * loss);
    free_outcome(&parts);
}
END_TEST

START_TEST(the_same_bits_for_any_threads)
{
    nm_request request = {.mode = NM_TRAIN, .batch = BATCH, .threads = 1, .shards = 6};
    const char *text = _i < NETWORKS ? networks[_i] : ghost_networks[_i - NETWORKS];
    outcome one = step_of(text, request, MANY);
    for (request.threads = 2; request.threads < 9; request.threads += 3) {
        outcome more = step_of(text, request, MANY);
        ck_assert_double_eq(one.result.loss, more.result.loss);
        ck_assert_mem_eq(nm_plan_gradients(one.plan), nm_plan_gradients(more.plan),
                         one.net->weight_count * sizeof(real));
        ck_assert_mem_eq(one.net->states, more.net->states, one.net->state_count * sizeof(real));
        free_outcome(&more);
    }
    free_outcome(&one);
}
END_TEST

/* A shard's samples go through the network as they would alone: the sums of two shards that hold
 * the same are twice those of one. */
START_TEST(a_shard_is_computed_as_if_it_were_alone)
{
    const char *text = "input: {height: 6, width: 6, channels: 2}\nlayers:\n- conv: {filters: 8, kernel: 3}\n- relu\n"
                       "- dense: {units: 3}\nloss: softmax_ce\n";
    nm_request request = {.mode = NM_TRAIN, .batch = BATCH, .threads = 2, .shards = 2};
    outcome warm = step_of(text, request, BATCH); /* fills x */
    memcpy(x + (size_t)BATCH / 2 * 72, x, sizeof x / 2);
    static int32_t labels[BATCH];
    const real *xs[1] = {x};
    nm_batch batch = {.n = BATCH, .x = xs, .targets = {.labels = labels}};
    nm_plan_run(warm.plan, &batch, NM_PHASE_ALL);
    request.shards = 0;
    request.batch = batch.n = BATCH / 2;
    nm_plan *half = plan_for(warm.net, request);
    nm_plan_run(half, &batch, NM_PHASE_ALL); /* its loss has twice the scale */
    ck_assert_mem_eq(nm_plan_gradients(half), nm_plan_gradients(warm.plan), warm.net->weight_count * sizeof(real));
    nm_plan_free(half);
    free_outcome(&warm);
}
END_TEST

START_TEST(what_does_not_go_with_shards)
{
    const struct {
        nm_request request;
        const char *says;
    } cases[] = {
        {{.mode = NM_TRAIN, .batch = 24, .threads = 1, .shards = 5}, "expected a divisor of the batch (24)"},
        {{.mode = NM_TRAIN, .batch = 4096, .threads = 1, .shards = 2048}, "at most 1024"},
        {{.mode = NM_TRAIN, .batch = 24, .threads = 1, .shards = 2, .micro = 4}, "neither train.micro_batch"},
        {{.mode = NM_TRAIN, .batch = 24, .threads = 1, .shards = 2, .recompute = true}, "nor train.recompute"},
    };
    nm_network *net = built(networks[1]), *cut = built("input: {height: 6, width: 6, channels: 2}\nlayers:\n"
                                                       "- batchnorm: {ghost: 2}\n- dense: {units: 3}\n"
                                                       "loss: softmax_ce\n");
    nm_plan *plan;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ck_assert_int_eq(nm_plan_new(net, &cases[i].request, &plan), NM_INVALID);
        ck_assert_ptr_nonnull(strstr(nm_error_message(net->ctx, 0), cases[i].says));
        nm_errors_clear(net->ctx);
    }
    nm_request request = {.mode = NM_TRAIN, .batch = 24, .threads = 1, .shards = 8};
    ck_assert_int_eq(nm_plan_new(cut, &request, &plan), NM_INVALID);
    ck_assert_ptr_nonnull(strstr(nm_error_message(net->ctx, 0),
                                 "ghost batches of 2 samples do not fill shards of 3 (a batch "
                                 "of 24 in 8)"));
    nm_network_free(net);
    nm_network_free(cut);
}
END_TEST

static void add_loops(TCase *tcase)
{
    with_context(tcase);
    tcase_add_loop_test(tcase, shards_are_the_whole_batch, 0, NETWORKS);
    tcase_add_loop_test(tcase, ghost_batches_in_shards, 0, GHOST_NETWORKS);
    tcase_add_loop_test(tcase, the_same_bits_for_any_threads, 0, NETWORKS + GHOST_NETWORKS);
}

SUITE_WITH("shards", add_loops, a_ghost_batch_that_is_left_over, a_shard_is_computed_as_if_it_were_alone,
           what_does_not_go_with_shards)
