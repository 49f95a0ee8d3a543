/* Every network of models/ trains a little from its file: on one batch of noise its loss falls.
 * Those of ImageNet's size do one step. And what `norma summary` is known to say of some of them.
 */
#include "model_files.h"
#include "network.h"
#include "network_support.h"
#include "optimization.h"
#include "run_suite.h"
#include "sanitized.h"
#include "train.h"

#include "alloc.h"
#include "reversed_tasks.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static nm_context *ctx;

#define ck_assert_done(call) ck_assert_msg((call) == NM_OK, "%s", nm_error_message(ctx, 0))

static nm_network *build(const char *name)
{
    char *path;
    nm_yaml *document;
    nm_network *net;
    ctx = ctx ? ctx : nm_context_new();
    nm_context_set_threads(ctx, 2);
    ck_assert_done(nm_model_path(ctx, name, &path));
    ck_assert_done(nm_yaml_load(ctx, path, &document));
    nm_free(path);
    ck_assert_done(nm_network_build(ctx, document, NULL, &net));
    return net;
}

/* Plain gradient steps of a fixed relative length, so that one rate serves all. */
static void step(nm_network *net, const real *gradient, double rate)
{
    double norm = 0, size = 0;
    for (size_t i = 0; i < net->weight_count; i++) {
        norm += (double)gradient[i] * (double)gradient[i];
        size += (double)net->weights[i] * (double)net->weights[i];
    }
    real factor = (real)(rate * sqrt(size / (norm + 1e-30)));
    for (size_t i = 0; i < net->weight_count; i++)
        net->weights[i] -= factor * gradient[i];
}

/* The sanitizers, and the lower instruction sets, see every layer and kernel in the small networks:
 * the large ones add their size alone, and minutes. */
static bool is_brief(void)
{
    return SANITIZED || getenv("NORMA_ISA");
}

static bool is_left_out(const nm_network *net)
{
    return cost_of(net) > IMAGENET && is_brief();
}

static void free_network(nm_network *net)
{
    nm_network_free(net);
    nm_context_free(ctx);
    ctx = NULL;
}

static void train_a_little(const char *name)
{
    nm_network *net = build(name);
    double first = 0, last = 0;
    bool large = cost_of(net) > IMAGENET;
    if (is_left_out(net)) {
        free_network(net);
        return;
    }
    noise z = make_noise(net, large ? 1 : 4);
    nm_plan *plan;
    nm_network_initialise(net, 1);
    ck_assert_done(nm_plan_new(net, &(nm_request){.mode = NM_TRAIN, .batch = z.n, .threads = 2}, &plan));
    const real *xs[] = {z.x};
    for (int i = 0; i < (large ? 1 : 5); i++) {
        nm_batch batch = {.n = z.n, .x = xs, .targets = {.labels = z.labels}, .seed = 1}; /* dropout draws the same */
        nm_plan_run(plan, &batch, NM_PHASE_FORWARD);
        last = nm_plan_run(plan, &batch, NM_PHASE_LOSS).loss;
        first = i == 0 ? last : first;
        nm_plan_run(plan, &batch, NM_PHASE_BACKWARD);
        step(net, nm_plan_gradients(plan), 0.01);
        ck_assert_msg(isfinite(last), "%s: the loss is %g", name, last);
    }
    ck_assert_msg(large || last < first, "%s: the loss went from %g to %g", name, first, last);
    nm_plan_free(plan);
    nm_free(z.x);
    nm_free(z.labels);
    free_network(net);
}

START_TEST(trains)
{
    train_a_little(names[_i]);
}
END_TEST

/* No task writes what another one does, in training. */
START_TEST(same_bits_in_any_order_of_tasks)
{
    nm_network *net = build(names[_i]);
    if (cost_of(net) > IMAGENET) {
        free_network(net);
        return;
    }
    noise z = make_noise(net, 9);
    const real *xs[] = {z.x};
    real *gradients[2];
    nm_network_initialise(net, 1);
    for (int reversed = 0; reversed < 2; reversed++) {
        nm_plan *plan;
        ck_assert_done(nm_plan_new(net, &(nm_request){.mode = NM_TRAIN, .batch = z.n, .threads = 2}, &plan));
        reverse_tasks(reversed);
        nm_plan_run(plan, &(nm_batch){.n = z.n, .x = xs, .targets = {.labels = z.labels}, .seed = 1}, NM_PHASE_ALL);
        reverse_tasks(false);
        gradients[reversed] = nm_alloc(ctx, net->weight_count, sizeof *gradients[reversed]);
        memcpy(gradients[reversed], nm_plan_gradients(plan), net->weight_count * sizeof(real));
        nm_plan_free(plan);
    }
    ck_assert_mem_eq(gradients[0], gradients[1], net->weight_count * sizeof(real));
    nm_free(gradients[0]);
    nm_free(gradients[1]);
    nm_free(z.x);
    nm_free(z.labels);
    free_network(net);
}
END_TEST

static void check_known(const char *name, const char *layer, size_t parameters, double field, double jump)
{
    nm_network *net = build(name);
    nm_receptive *r = nm_alloc(ctx, (size_t)net->nodes, sizeof *r);
    size_t found = 0;
    ck_assert_done(nm_network_receptive(net, r));
    for (int i = net->inputs; i < net->nodes; i++)
        found += nm_node_weights(net, i);
    int at = nm_network_find(net, layer);
    ck_assert_int_ge(at, 0);
    ck_assert_uint_eq(found, parameters);
    ck_assert_double_eq(r[at].size[0], field);
    ck_assert_double_eq(r[at].size[1], field);
    ck_assert_double_eq(r[at].jump[0], jump);
    nm_free(r);
    free_network(net);
}

/* Araujo et al. 2019, and the papers' own counts. */
START_TEST(known_values)
{
    check_known("vgg16", "conv5_3", 138357544, 196, 16);
    check_known("vgg16", "pool5", 138357544, 212, 32);
    check_known("alexnet", "pool5", 60965224, 195, 32);
    check_known("resnet50", "b5_3", 25557032, 483, 32);
    check_known("resnet50-b", "b5_3", 25557032, 427, 32);
}
END_TEST

START_TEST(resnet20_by_hand)
{
    nm_network *net = build("resnet20");
    size_t parameters = 0;
    for (int i = net->inputs; i < net->nodes; i++)
        parameters += nm_node_weights(net, i);
    ck_assert_uint_eq(parameters, 272474);
    ck_assert_double_eq(cost_of(net), 40813184);
    nm_network_free(net);
    nm_context_free(ctx);
}
END_TEST

/* The memory of activations is within 10 % of what must be alive at one moment; trained whole, in
 * parts, evaluated. */
START_TEST(memory_is_planned_tightly)
{
    nm_network *net = build(names[_i]);
    const nm_request requests[] = {{.mode = NM_TRAIN, .batch = 32},
                                   {.mode = NM_EVAL, .batch = 32},
                                   {.mode = NM_TRAIN, .batch = 32, .recompute = true},
                                   {.mode = NM_TRAIN, .batch = 32, .micro = 8}};
    for (int k = 0; k < 4; k++) {
        nm_request request = requests[k];
        nm_plan *plan;
        request.threads = 2;
        request.dry = true;
        ck_assert_done(nm_plan_new(net, &request, &plan));
        nm_plan_memory m = nm_plan_memory_use(plan);
        ck_assert_msg((double)m.activations <= 1.1 * (double)m.lower_bound, "%s, plan %d: %zu bytes, at least %zu",
                      names[_i], k, m.activations, m.lower_bound);
        nm_plan_free(plan);
    }
    nm_network_free(net);
}
END_TEST

/* The outputs of all samples, evaluated `batch` at a time. */
static void evaluate(nm_network *net, const noise *z, int batch, real *y)
{
    size_t in = nm_shape_size(net->node[0].out), out = nm_shape_size(net->node[net->output].out);
    nm_plan *plan;
    ck_assert_done(nm_plan_new(net, &(nm_request){.mode = NM_EVAL, .batch = batch, .threads = 2}, &plan));
    for (int i = 0; i < z->n; i += batch) {
        int n = z->n - i < batch ? z->n - i : batch;
        const real *xs[] = {z->x + (size_t)i * in};
        nm_plan_run(plan, &(nm_batch){.n = n, .x = xs}, NM_PHASE_FORWARD);
        memcpy(y + (size_t)i * out, nm_plan_output(plan, net->output), (size_t)n * out * sizeof *y);
    }
    nm_plan_free(plan);
}

/* Whether what takes minutes is asked for too. */
static bool is_long(void)
{
    return getenv("NORMA_LONG") != NULL;
}

/* In evaluation a sample's output has the same bits alone, among 7 and among 100 (where it
 * is brief: among 16; of ImageNet's size: among 2, and with NORMA_LONG as the others). */
START_TEST(same_bits_at_any_batch)
{
    nm_network *net = build(names[_i]);
    if (is_left_out(net)) {
        free_network(net);
        return;
    }
    noise z = make_noise(net, cost_of(net) > IMAGENET && !is_long() ? 2 : SANITIZED ? 16 : 140);
    size_t count = (size_t)z.n * nm_shape_size(net->node[net->output].out);
    real *all = nm_alloc(ctx, count, sizeof *all), *few = nm_alloc(ctx, count, sizeof *few);
    nm_network_initialise(net, 1);
    evaluate(net, &z, z.n, all);
    reverse_tasks(true);
    evaluate(net, &z, z.n, few);
    reverse_tasks(false);
    ck_assert_msg(memcmp(all, few, count * sizeof *all) == 0, "%s: other bits with the last task first", names[_i]);
    for (int batch = 1; batch < 8 && batch < z.n; batch += 6) {
        evaluate(net, &z, batch, few);
        ck_assert_msg(memcmp(all, few, count * sizeof *all) == 0, "%s: other bits in a batch of %d", names[_i], batch);
    }
    nm_free(all);
    nm_free(few);
    nm_free(z.x);
    nm_free(z.labels);
    nm_network_free(net);
}
END_TEST

static void set_up(TCase *tcase)
{
    find_models();
    if (is_long())
        tcase_set_timeout(tcase, 3600);
    tcase_add_loop_test(tcase, trains, 0, models);
    tcase_add_loop_test(tcase, same_bits_in_any_order_of_tasks, 0, models);
    tcase_add_loop_test(tcase, memory_is_planned_tightly, 0, models);
    tcase_add_loop_test(tcase, same_bits_at_any_batch, 0, models);
}

SUITE_WITH("models", set_up, known_values, resnet20_by_hand)
