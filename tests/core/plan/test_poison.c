/* Every network of models/ with the memory of what is dead filled with NaN: a plan that lets
 * something live too short reads it. The loss, the gradients and the output have the bits of a run
 * that leaves memory alone. Networks of ImageNet's size read smaller images. */
#include "alloc.h"
#include "model_files.h"
#include "network_support.h"
#include "plan.h"
#include "run_suite.h"
#include "sanitized.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { MANY_WEIGHTS = 1 << 21 }; /* it takes seconds to compare them: only the first of the plans below */

static nm_context *ctx;

#define ck_assert_done(call) ck_assert_msg((call) == NM_OK, "%s", nm_error_message(ctx, 0))

/* side: of the images; NULL: as the file has it. */
static nm_network *built_with(const char *name, const char *side)
{
    char path[4096];
    nm_yaml *document;
    nm_network *net;
    ctx = ctx ? ctx : nm_context_new();
    snprintf(path, sizeof path, "%s/%s.yaml", models_folder(), name);
    ck_assert_done(nm_yaml_load(ctx, path, &document));
    if (side) {
        ck_assert_done(nm_document_set(ctx, document, "input.height", side));
        ck_assert_done(nm_document_set(ctx, document, "input.width", side));
    }
    ck_assert_done(nm_network_build(ctx, document, NULL, &net));
    return net;
}

/* NULL: left out. The sanitizers see every kind of plan in the small networks. */
static nm_network *built(const char *name)
{
    nm_network *net = built_with(name, NULL);
    if (cost_of(net) < IMAGENET)
        return net;
    nm_network_free(net);
    return SANITIZED ? NULL : built_with(name, "80"); /* the least that googlenet takes */
}

typedef struct outcome {
    double loss;
    size_t weights, outputs;
    real *gradients, *output;
} outcome;

/* Two runs of the plan: the second finds what the first has left. `states`: what the running
 * statistics begin with. */
static outcome run(nm_network *net, nm_request request, const noise *s, const real *states)
{
    nm_plan *plan;
    const real *xs[] = {s->x};
    nm_batch batch = {.n = s->n, .x = xs, .targets = {.labels = s->labels}, .seed = 1};
    outcome o = {0};
    if (net->state_count)
        memcpy(net->states, states, net->state_count * sizeof *states);
    ck_assert_done(nm_plan_new(net, &request, &plan));
    for (int twice = 0; twice < 2; twice++)
        if (request.mode == NM_TRAIN) {
            o.loss = nm_plan_run(plan, &batch, NM_PHASE_ALL).loss;
        } else {
            nm_plan_run(plan, &batch, NM_PHASE_FORWARD);
            o.loss = nm_plan_run(plan, &batch, NM_PHASE_LOSS).loss;
        }
    o.weights = request.mode == NM_TRAIN ? net->weight_count : 0;
    o.outputs = (size_t)s->n * nm_shape_size(net->node[net->output].out);
    o.gradients = nm_alloc(ctx, o.weights + 1, sizeof(real));
    o.output = nm_alloc(ctx, o.outputs, sizeof(real));
    if (o.weights)
        memcpy(o.gradients, nm_plan_gradients(plan), o.weights * sizeof(real));
    memcpy(o.output, nm_plan_output(plan, net->output), o.outputs * sizeof(real));
    nm_plan_free(plan);
    return o;
}

static void free_outcome(outcome *o)
{
    nm_free(o->gradients);
    nm_free(o->output);
}

START_TEST(nothing_dead_is_read)
{
    nm_network *net = built(names[_i]);
    if (!net)
        return;
    noise s = make_noise(net, 3);
    nm_network_initialise(net, 1);
    real *states = nm_alloc(ctx, net->state_count + 1, sizeof *states);
    if (net->state_count)
        memcpy(states, net->states, net->state_count * sizeof *states);
    const nm_request requests[] = {{.mode = NM_TRAIN, .threads = 2},
                                   {.mode = NM_TRAIN, .threads = 2, .micro = 1, .recompute = true},
                                   {.mode = NM_EVAL, .threads = 2},
                                   {.mode = NM_TRAIN, .threads = 2, .recompute = true},
                                   {.mode = NM_TRAIN, .threads = 1, .micro = 2},
                                   {.mode = NM_TRAIN, .threads = 2, .no_fuse = true},
                                   {.mode = NM_TRAIN, .threads = 2, .no_fuse = true, .micro = 2},
                                   {.mode = NM_EVAL, .threads = 3, .no_fuse = true}};
    size_t count = net->weight_count > MANY_WEIGHTS ? 3 : sizeof requests / sizeof *requests;
    for (size_t k = 0; k < count; k++) {
        nm_request request = requests[k];
        request.batch = s.n + 1; /* one sample fewer than there is memory for */
        outcome plain = run(net, request, &s, states);
        request.poison = true;
        outcome poisoned = run(net, request, &s, states);
        ck_assert_msg(isfinite(poisoned.loss) && poisoned.loss == plain.loss,
                      "%s, plan %zu: the loss is %.9g, not %.9g", names[_i], k, poisoned.loss, plain.loss);
        ck_assert_msg(memcmp(poisoned.output, plain.output, plain.outputs * sizeof(real)) == 0,
                      "%s, plan %zu: another output", names[_i], k);
        ck_assert_msg(memcmp(poisoned.gradients, plain.gradients, plain.weights * sizeof(real)) == 0,
                      "%s, plan %zu: other gradients", names[_i], k);
        free_outcome(&plain);
        free_outcome(&poisoned);
    }
    nm_free(states);
    nm_free(s.x);
    nm_free(s.labels);
    nm_network_free(net);
}
END_TEST

/* The comparison sees it: an output is poisoned as soon as it is written. */
START_TEST(a_life_cut_short_shows)
{
    nm_network *net = built("mnist-cnn");
    noise s = make_noise(net, 2);
    nm_plan *plan;
    const real *xs[] = {s.x};
    nm_batch batch = {.n = s.n, .x = xs, .targets = {.labels = s.labels}};
    ck_assert_done(
        nm_plan_new(net, &(nm_request){.mode = NM_TRAIN, .batch = s.n, .threads = 1, .poison = true}, &plan));
    ck_assert(isfinite(nm_plan_run(plan, &batch, NM_PHASE_ALL).loss));
    int first = 0;
    while (plan->op[first].kind != NM_OP_FORWARD)
        first++;
    const nm_plan_node *node = &plan->node[plan->op[first].index];
    nm_region_owner(plan->node[node->last].value[0])->last = first;
    ck_assert(!isfinite(nm_plan_run(plan, &batch, NM_PHASE_ALL).loss));
    nm_plan_free(plan);
    nm_free(s.x);
    nm_free(s.labels);
    nm_network_free(net);
}
END_TEST

static void set_up(TCase *tcase)
{
    find_models();
    tcase_add_loop_test(tcase, nothing_dead_is_read, 0, models);
}

SUITE_WITH("poison", set_up, a_life_cut_short_shows)
