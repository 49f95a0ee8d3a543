#include "fusion_check.h"
#include "parse.h"

#include "layer_check.h"

#include <check.h>
#include <math.h>
#include <string.h>

nm_network *fusion_network(nm_context *ctx, const char *layers, nm_shape in)
{
    const char *model = text("input: {height: %d, width: %d, channels: %d}\nlayers:\n%s", in.h, in.w, in.c, layers);
    nm_yaml *document = NULL;
    nm_network *net = NULL;
    ck_assert_int_eq(nm_yaml_parse(ctx, "m", model, strlen(model), &document), NM_OK);
    ck_assert_msg(nm_network_build(ctx, document, NULL, &net) == NM_OK, "%s", nm_error_message(ctx, 0));
    nm_network_initialise(net, 1);
    nm_rng r = nm_rng_stream(2, "test", "fusion"); /* biases, scales, shifts and statistics of any value */
    for (int i = 0; i < net->params; i++)
        for (size_t k = 0; net->param[i].kind != NM_WEIGHT && k < net->param[i].count; k++)
            nm_param_values(net, &net->param[i])[k] =
                (real)(strstr(net->param[i].name, "var") ? 0.2 + nm_rng_uniform(&r) : nm_rng_normal(&r));
    return net;
}

int fused_nodes(const nm_plan *plan, int nodes)
{
    int count = 0;
    for (int i = 0; i < nodes; i++)
        count += plan->node[i].tail.layers;
    return count;
}

int lazy_nodes(const nm_plan *plan, int nodes)
{
    int count = 0;
    for (int i = 0; i < nodes; i++)
        count += plan->node[i].leaves_normalisation;
    return count;
}

void check_training(nm_context *ctx, const char *layers, nm_shape in, int fused, int lazy)
{
    const char *model = text("%s- {name: end, dense: {units: 3}}\nloss: softmax_ce\n", layers);
    static real x[FUSION_BATCH * 32 * 32 * 24], gradients[3][1 << 16], states[3][1 << 10];
    double loss[3];
    size_t count = FUSION_BATCH * nm_shape_size(in), weights = 0, stats = 0;
    static const int32_t labels[FUSION_BATCH] = {0, 2, 1, 1, 0};
    nm_rng r = nm_rng_stream(4, "test", "fusion");
    ck_assert(count <= sizeof x / sizeof *x);
    for (size_t i = 0; i < count; i++)
        x[i] = (real)nm_rng_normal(&r);
    for (int k = 0; k < 3; k++) {
        nm_network *net = fusion_network(ctx, model, in);
        nm_request request = {.mode = NM_TRAIN, .batch = FUSION_BATCH, .threads = 1 + k, .no_fuse = k == 0};
        nm_plan *plan;
        const real *xs[] = {x};
        ck_assert_int_eq(nm_plan_new(net, &request, &plan), NM_OK);
        if (k == 0 || fused >= 0)
            ck_assert_int_eq(fused_nodes(plan, net->nodes), k == 0 ? 0 : fused);
        if (k == 0 || lazy >= 0)
            ck_assert_msg(lazy_nodes(plan, net->nodes) == (k == 0 ? 0 : lazy), "%s: %d are left to the reader", layers,
                          lazy_nodes(plan, net->nodes));
        loss[k] =
            nm_plan_run(plan, &(nm_batch){.n = FUSION_BATCH, .x = xs, .targets = {.labels = labels}}, NM_PHASE_ALL)
                .loss;
        weights = net->weight_count;
        stats = net->state_count;
        ck_assert(weights <= sizeof gradients[0] / sizeof(real) && stats <= sizeof states[0] / sizeof(real));
        memcpy(gradients[k], nm_plan_gradients(plan), weights * sizeof(real));
        memcpy(states[k], net->states, stats * sizeof(real));
        nm_plan_free(plan);
        nm_network_free(net);
    }
    const double tolerance = FUSION_TOLERANCE;
    check_alike(layers, gradients[1], gradients[0], weights, tolerance);
    for (size_t i = 0; i < stats; i++)
        ck_assert_double_le(fabs((double)states[1][i] - (double)states[0][i]),
                            tolerance * (1 + fabs((double)states[0][i])));
    ck_assert_double_le(fabs(loss[1] - loss[0]), tolerance * (1 + fabs(loss[0])));
    ck_assert_msg(memcmp(gradients[1], gradients[2], weights * sizeof(real)) == 0 &&
                      memcmp(states[1], states[2], stats * sizeof(real)) == 0,
                  "%s: other bits by other threads", layers);
}
