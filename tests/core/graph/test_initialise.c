/* Initial values: which distribution a parameter has, and what `auto` makes of the graph. */
#include "network.h"
#include "network_support.h"
#include "run_suite.h"
#include "with_context.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define HEAD "input: {height: 6, width: 6, channels: 4}\nlayers:\n"

static nm_network *built(const char *layers, const nm_strings *without)
{
    static char text[4096];
    snprintf(text, sizeof text, HEAD "%s", layers);
    return network_from(ctx, text, without);
}

static const nm_param *param_of(const nm_network *net, const char *name)
{
    int i = nm_network_find_param(net, name);
    ck_assert_msg(i >= 0, "there is no %s", name);
    return &net->param[i];
}

/* `l` is he_normal with a bias of zeros, or torch in both. */
static void check_kind(const char *layers, const nm_strings *without, bool he)
{
    nm_network *net = built(layers, without);
    const nm_param *weight = param_of(net, "l/weight"), *bias = param_of(net, "l/bias");
    ck_assert_msg(weight->init.kind == (he ? NM_INIT_HE_NORMAL : NM_INIT_TORCH), "%s", layers);
    ck_assert_msg(bias->init.kind == (he ? NM_INIT_CONSTANT : NM_INIT_TORCH), "%s", layers);
    nm_network_free(net);
}

START_TEST(he_normal_where_a_rectifier_reads)
{
    static const char *const rectified[] = {
        "- {name: l, conv: {filters: 8, activation: relu}}\n",
        "- {name: l, dense: {units: 8}}\n- relu6: {}\n",
        "- {name: l, deconv: {filters: 8}}\n- leaky: {}\n",
        "- {name: l, conv: {filters: 8}}\n- prelu: {}\n",
        "- {name: l, conv: {filters: 8}}\n- elu: {}\n",
        "- {name: l, conv: {filters: 8}}\n- selu: {}\n",
        "- {name: l, conv: {filters: 8}}\n- gelu: {}\n",
        "- {name: l, conv: {filters: 8}}\n- silu: {}\n",
        "- {name: l, conv: {filters: 8}}\n- softplus: {}\n",
        "- {name: l, conv: {filters: 8}}\n- batchnorm: {}\n- relu: {}\n",
        "- {name: l, conv: {filters: 8}}\n- groupnorm: {groups: 2}\n- relu: {}\n",
        "- {name: l, conv: {filters: 8}}\n- layernorm: {}\n- relu: {}\n",
        "- {name: l, conv: {filters: 8}}\n- instancenorm: {}\n- relu: {}\n",
        "- {name: l, conv: {filters: 8}}\n- lrn: {}\n- batchnorm: {}\n- relu: {}\n",
        /* one of several readers; the file's order does not matter */
        "- {name: last, relu: {}, from: l}\n- {name: l, conv: {filters: 8}, from: input}\n"
        "- {name: t, tanh: {}, from: l}\n"
        "- {name: sum, add: {}, from: [t, last]}\n",
    };
    static const char *const others[] = {
        "- {name: l, conv: {filters: 8}}\n",
        "- {name: l, dense: {units: 8}}\n- softmax: {}\n",
        "- {name: l, deconv: {filters: 8}}\n- batchnorm: {}\n- sigmoid: {}\n",
        "- {name: l, conv: {filters: 8}}\n- tanh: {}\n- relu: {}\n",
        "- {name: l, conv: {filters: 8}}\n- batchnorm: {}\n- conv: {filters: 8, kernel: 1, activation: relu}\n",
    };
    for (size_t i = 0; i < sizeof rectified / sizeof *rectified; i++)
        check_kind(rectified[i], NULL, true);
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        check_kind(others[i], NULL, false);
}
END_TEST

/* Arms of a comparison with and without batch norm start from the same values. */
START_TEST(seen_through_what_is_left_out)
{
    char *types[] = {"batchnorm"};
    const nm_strings without = {.values = types, .count = 1};
    check_kind("- {name: l, conv: {filters: 8}}\n- batchnorm: {}\n- relu: {}\n", &without, true);
    check_kind("- {name: l, conv: {filters: 8}}\n- batchnorm: {}\n- tanh: {}\n", &without, false);
}
END_TEST

static void check_uniform(const nm_network *net, const char *name, double bound)
{
    const nm_param *p = param_of(net, name);
    const real *values = nm_param_values(net, p);
    double least = 0, most = 0, squares = 0;
    for (size_t i = 0; i < p->count; i++) {
        least = fmin(least, (double)values[i]);
        most = fmax(most, (double)values[i]);
        squares += (double)values[i] * (double)values[i] / (double)p->count;
    }
    ck_assert_double_le(fmax(most, -least), bound * (1 + 1e-6));
    ck_assert_double_ge(fmin(most, -least), 0.9 * bound);
    ck_assert_double_eq_tol(squares, bound * bound / 3,
                            0.1 * bound * bound); /* the variance of a uniform distribution */
}

/* Weights and biases within 1 / sqrt(fan_in), whether torch is asked for or the preset. */
START_TEST(torch_is_uniform)
{
    nm_network *net = built("- {name: c, conv: {filters: 128, kernel: [3, 5], groups: 2}}\n"
                            "- {name: d, deconv: {filters: 128, kernel: 4, stride: 2, init: torch}}\n- relu: {}\n"
                            "- {name: l, dense: {units: 256}}\n",
                            NULL);
    nm_network_initialise(net, 3);
    check_uniform(net, "c/weight", 1 / sqrt(3 * 5 * 2));
    check_uniform(net, "c/bias", 1 / sqrt(3 * 5 * 2));
    check_uniform(net, "d/weight", 1 / sqrt(2 * 2 * 128)); /* of 4x4 taps an output meets 2x2 */
    check_uniform(net, "d/bias", 1 / sqrt(2 * 2 * 128));
    double inputs = (double)nm_shape_size(net->node[nm_network_find(net, "l")].in[0]);
    check_uniform(net, "l/weight", 1 / sqrt(inputs));
    check_uniform(net, "l/bias", 1 / sqrt(inputs));
    nm_network_free(net);
}
END_TEST

START_TEST(he_normal_has_its_deviation)
{
    nm_network *net = built("- {name: l, conv: {filters: 256, kernel: 3}}\n- batchnorm: {}\n- relu: {}\n", NULL);
    nm_network_initialise(net, 3);
    const nm_param *weight = param_of(net, "l/weight"), *bias = param_of(net, "l/bias");
    double squares = 0;
    for (size_t i = 0; i < weight->count; i++)
        squares += pow((double)nm_param_values(net, weight)[i], 2) / (double)weight->count;
    ck_assert_double_eq_tol(squares, 2.0 / (9 * 4), 0.05 * 2.0 / (9 * 4));
    for (size_t i = 0; i < bias->count; i++)
        ck_assert(nm_param_values(net, bias)[i] == 0);
    nm_network_free(net);
}
END_TEST

SUITE_WITH("initial values", with_context, he_normal_where_a_rectifier_reads, seen_through_what_is_left_out,
           torch_is_uniform, he_normal_has_its_deviation)
