/* Model files to networks: names, edges, shapes, parameters, and every way to be wrong. */
#include "alloc.h"
#include "network.h"
#include "parse.h"
#include "run_suite.h"
#include "with_context.h"

#include <string.h>

#define HEAD "input: {height: 8, width: 8, channels: 2}\nlayers:\n"

static nm_status build_without(const char *text, const char *type, nm_network **net)
{
    nm_yaml *document = NULL;
    nm_status status = nm_yaml_parse(ctx, "m.yaml", text, strlen(text), &document);
    if (status != NM_OK)
        return status;
    char *types[] = {(char *)type};
    nm_strings without = {type ? 1 : 0, types};
    return nm_network_build(ctx, document, &without, net);
}

static nm_network *built(const char *text)
{
    nm_network *net = NULL;
    nm_status status = build_without(text, NULL, &net);
    ck_assert_msg(status == NM_OK, "%s", nm_error_message(ctx, 0));
    return net;
}

START_TEST(unnamed_layers)
{
    nm_network *net = built(HEAD "- relu\n- {name: c1, conv: {filters: 3, kernel: 3, pad: same}}\n- batchnorm: {}\n"
                                 "- relu: {}\n- relu:\n- relu\n- {name: c2, conv: {filters: 3, kernel: 1}}\n- relu\n");
    static const char *const names[] = {"input",     "relu",      "c1", "c1.batchnorm", "c1.relu",
                                        "c1.relu.2", "c1.relu.3", "c2", "c2.relu"};
    ck_assert_int_eq(net->nodes, 9);
    for (int i = 0; i < 9; i++)
        ck_assert_str_eq(net->node[i].name, names[i]);
    ck_assert_int_eq(net->output, 8);
    ck_assert_int_ge(nm_network_find_param(net, "c1/weight"), 0);
    ck_assert_int_ge(nm_network_find_param(net, "c1.batchnorm/running_var"), 0);
    nm_network_free(net);
}
END_TEST

START_TEST(any_order_of_layers)
{
    nm_network *net = built(HEAD "- {name: sum, add: {}, from: [b, a]}\n- {name: a, relu: {}, from: input}\n"
                                 "- {name: b, sigmoid: {}, from: a}\noutput: sum\n");
    ck_assert_str_eq(net->node[1].name, "a");
    ck_assert_str_eq(net->node[2].name, "b");
    ck_assert_str_eq(net->node[3].name, "sum");
    ck_assert_int_eq(net->node[3].from[0], 2);
    ck_assert_int_eq(net->node[3].from[1], 1);
    ck_assert_int_eq(net->output, 3);
    ck_assert_int_eq(net->node[1].users, 2);
    nm_network_free(net);
}
END_TEST

START_TEST(left_out_batchnorm_gives_its_bias)
{
    const char *text = HEAD "- {name: c1, conv: {filters: 3, kernel: 3, bias: false}}\n- batchnorm: {}\n- relu\n"
                            "- {name: s, add: {}, from: [c1.batchnorm, c1.relu]}\n";
    nm_network *with = built(text), *without = NULL;
    ck_assert_int_eq(nm_network_find_param(with, "c1/bias"), -1);
    ck_assert_int_eq(build_without(text, "batchnorm", &without), NM_OK);
    ck_assert_int_eq(without->nodes, with->nodes - 1);
    ck_assert_int_ge(nm_network_find_param(without, "c1/bias"), 0);
    int sum = nm_network_find(without, "s");
    ck_assert_str_eq(without->node[without->node[sum].from[0]].name, "c1");
    /* the arms start from the same weights */
    nm_network_initialise(with, 3);
    nm_network_initialise(without, 3);
    const nm_param *a = &with->param[nm_network_find_param(with, "c1/weight")];
    const nm_param *b = &without->param[nm_network_find_param(without, "c1/weight")];
    ck_assert_mem_eq(nm_param_values(with, a), nm_param_values(without, b), a->count * sizeof(real));
    nm_network_free(with);
    nm_network_free(without);
}
END_TEST

START_TEST(shared_parameters)
{
    nm_network *net = built(HEAD "- {name: a, conv: {filters: 2, kernel: 3, pad: same}}\n"
                                 "- {name: b, conv: {filters: 2, kernel: 3, pad: same}, share: a}\n");
    ck_assert_int_eq(net->params, 2);
    ck_assert_int_eq(net->node[2].first_param, net->node[1].first_param);
    ck_assert_uint_eq(nm_node_weights(net, 1), 3 * 3 * 2 * 2 + 2);
    ck_assert_uint_eq(nm_node_weights(net, 2), 0);
    nm_network_free(net);
}
END_TEST

START_TEST(options_set_from_outside)
{
    const char *text = HEAD "- {name: c1, conv: {filters: 3, kernel: 3}}\n- batchnorm\n- relu\n";
    nm_yaml *document = NULL;
    ck_assert_int_eq(nm_yaml_parse(ctx, "m.yaml", text, strlen(text), &document), NM_OK);
    ck_assert_int_eq(nm_document_set(ctx, document, "c1.filters", "5"), NM_OK);
    ck_assert_int_eq(nm_document_set(ctx, document, "c1.batchnorm.epsilon", "0.25"), NM_OK);
    ck_assert_int_eq(nm_document_set(ctx, document, "input.height", "16"), NM_OK);
    ck_assert_int_eq(nm_document_set(ctx, document, "train.lr", "0.5"), NM_OK);
    ck_assert_int_eq(nm_document_set(ctx, document, "c7.filters", "5"), NM_INVALID);
    nm_network *net = NULL;
    ck_assert_int_eq(nm_network_build(ctx, document, NULL, &net), NM_OK);
    ck_assert_int_eq(net->node[1].out.c, 5);
    ck_assert_int_eq(net->node[1].out.h, 14);
    nm_network_free(net);
}
END_TEST

START_TEST(initial_values_follow_from_seed_and_name)
{
    nm_network *small = built(HEAD "- {name: c2, conv: {filters: 2, kernel: 1}}\n");
    nm_network *large = built(HEAD "- {name: c1, conv: {filters: 2, kernel: 1}}\n"
                                   "- {name: c2, conv: {filters: 2, kernel: 1}}\n");
    nm_network_initialise(small, 1);
    nm_network_initialise(large, 1);
    const nm_param *a = &small->param[nm_network_find_param(small, "c2/weight")];
    const nm_param *b = &large->param[nm_network_find_param(large, "c2/weight")];
    const nm_param *c = &large->param[nm_network_find_param(large, "c1/weight")];
    ck_assert_mem_eq(nm_param_values(small, a), nm_param_values(large, b), a->count * sizeof(real));
    ck_assert_mem_ne(nm_param_values(large, c), nm_param_values(large, b), a->count * sizeof(real));
    nm_network_initialise(small, 2);
    ck_assert_mem_ne(nm_param_values(small, a), nm_param_values(large, b), a->count * sizeof(real));
    nm_network_free(small);
    nm_network_free(large);
}
END_TEST

static const struct {
    const char *text, *message;
} wrongs[] = {
    {HEAD "- {name: c1, conv: {filters: 2, kernle: 3}}\n",
     "m.yaml:3:33: conv 'c1': unknown option 'kernle' (did you mean 'kernel'?)"},
    {HEAD "- {name: c1, convv: {}}\n", "m.yaml:3:14: unknown layer type 'convv' (did you mean 'conv'?)"},
    {HEAD "- {name: x, relu: {}, from: nowhere}\n", "m.yaml:3:29: relu 'x': there is no layer 'nowhere'"},
    {HEAD "- {name: conv1, relu: {}}\n- {add: {}, from: [conv1, conv2]}\n", "did you mean 'conv1'?"},
    {HEAD "- {name: a, relu: {}, from: c}\n- {name: b, relu: {}}\n- {name: c, relu: {}}\n",
     "its input depends on its own output: "},
    {HEAD "- {name: a, relu: {}, from: a}\n", "its input depends on its own output: a <- a"},
    {HEAD "- {name: a, relu: {}}\n- {name: a, relu: {}}\n", "m.yaml:4:3: two layers are called 'a'"},
    {HEAD "- {name: a, relu: {}, sigmoid: {}}\n", "a layer has one type; found 'relu' and 'sigmoid'"},
    {HEAD "- {name: a}\n", "a layer without a type"},
    {HEAD "- {name: a/b, relu: {}}\n", "a layer's name must be a word without '/'"},
    {HEAD "- {name: ., relu: {}}\n", "a layer's name must be a word without '/'"},
    {HEAD "- {name: \"a\\nb\", relu: {}}\n", "a layer's name must be of printable characters; found 'a\\nb'"},
    {HEAD "- {name: \"\\e[31m\", relu: {}}\n",
     "m.yaml:3:10: a layer's name must be of printable characters; found '\\x1b[31m'"},
    {HEAD "- {name: \"a\\x7f\", relu: {}}\n", "found 'a\\x7f'"},
    {HEAD "- {name: \"a\\x9bm\", relu: {}}\n", "found 'a\\u009bm'"},
    {HEAD "- {name: \"a\u202eb\", relu: {}}\n", "found 'a\\u202eb'"},
    {HEAD "- {\"a\\nb\": {}}\n", "unknown layer type 'a\\nb'"},
    {HEAD "- relu\nname: \"a\\nb\"\n", "m.yaml:4:7: a network's name must be of printable characters; found 'a\\nb'"},
    {"inputs: {\"a\\nb\": {channels: 1}}\nlayers:\n- relu\n",
     "an input's name must be of printable characters; found 'a\\nb'"},
    {"inputs: {a/b: {channels: 1}}\nlayers:\n- relu\n", "an input's name must be a word without '/'"},
    {HEAD "- {name: input, relu: {}}\n", "the layer has the name of the input 'input'"},
    {HEAD "- 7: {}\n", "unknown layer type '7'"},
    {HEAD "- [relu]\n", "a layer must be written as {TYPE: {options}}"},
    {HEAD "- {relu: {}, from: [input, input]}\n", "takes 1 input (by 'from'); found 2"},
    {HEAD "- {name: c1, conv: {filters: 4, kernel: 3}}\n- {add: {}, from: [c1, input]}\n", "6x6x4"},
    {HEAD "- {name: c1, conv: {filters: 4, kernel: 9}}\n", "conv 'c1'"},
    {HEAD "- {name: c1, conv: {filters: 4}, share: c9}\n- relu\n", "there is no layer 'c9'"},
    {HEAD "- {name: c1, conv: {filters: 4, kernel: 1}}\n- {conv: {filters: 4, kernel: 1}, share: c1}\n",
     "its weight has another shape"},
    {HEAD "- relu\nlos: softmax_ce\n", "m.yaml:4:1: unknown key 'los' (did you mean 'loss'?)"},
    {HEAD "- relu\nloss: softmax_cee\n", "unknown loss 'softmax_cee' (did you mean 'softmax_ce'?)"},
    {HEAD "- relu\nloss: {softmax_ce: {label_smothing: 1}}\n", "did you mean 'label_smoothing'?"},
    {HEAD "- relu\ndefaults: {convv: {}}\n", "defaults for an unknown layer type 'convv'"},
    {HEAD "- {name: c, conv: {filters: 1, kernel: 1}}\ndefaults: {conv: {kernle: 3}}\n", "did you mean 'kernel'?"},
    {"input: {height: 0, channels: 1}\nlayers:\n- relu\n", "option 'height' must be a whole number from 1"},
    {"input: {height: 4}\nlayers:\n- relu\n", "option 'channels' (numbers a pixel) must be given"},
    {"layers:\n- relu\n", "expected 'input: {height: …"},
    {"input: {channels: 1}\n", "expected 'layers:' with a list of layers"},
    {"input: {channels: 1}\nlayers: []\n", "expected 'layers:'"},
    {"- a\n", "a model file is a map"},
    {"", "expected 'layers:'"},
};

START_TEST(wrong_files_are_named)
{
    nm_network *net = NULL;
    ck_assert_int_eq(build_without(wrongs[_i].text, NULL, &net), NM_INVALID);
    ck_assert_ptr_null(net);
    bool found = false;
    for (int i = 0; i < nm_error_count(ctx); i++) {
        found = found || strstr(nm_error_message(ctx, i), wrongs[_i].message);
        ck_assert_msg(strncmp(nm_error_message(ctx, i), "m.yaml:", 7) == 0, "%s", nm_error_message(ctx, i));
    }
    ck_assert_msg(found, "'%s' gave '%s'", wrongs[_i].text, nm_error_message(ctx, 0));
}
END_TEST

START_TEST(several_errors_in_one_run)
{
    nm_network *net = NULL;
    ck_assert_int_eq(build_without(HEAD "- {conv: {kernle: 1, filters: -1}}\n- {relu: {x: 1}}\nlos: 1\n", NULL, &net),
                     NM_INVALID);
    ck_assert_int_ge(nm_error_count(ctx), 4);
}
END_TEST

START_TEST(unknown_type_to_leave_out)
{
    nm_network *net = NULL;
    ck_assert_int_eq(build_without(HEAD "- relu\n", "bachnorm", &net), NM_INVALID);
    ck_assert_msg(strstr(nm_error_message(ctx, 0), "unknown layer type 'bachnorm'") != NULL, "%s",
                  nm_error_message(ctx, 0));
}
END_TEST

/* Every allocation fails once: a message, no leak (under the address sanitizer), no crash. */
START_TEST(every_allocation_can_fail)
{
    const char *text =
        HEAD "- {name: c1, conv: {filters: 3, kernel: 3, pad: same}}\n- batchnorm\n- relu\n"
             "- {name: s, add: {}, from: [c1, c1.relu]}\n- gap\n- {dense: {units: 2}}\nloss: softmax_ce\n";
    for (long k = 1;; k++) {
        nm_network *net = NULL;
        nm_alloc_fail_at(k);
        nm_status status = build_without(text, NULL, &net);
        nm_plan *plan = NULL;
        if (status == NM_OK)
            status = nm_plan_new(net, &(nm_request){.mode = NM_TRAIN, .batch = 2, .threads = 1}, &plan);
        long made = nm_alloc_count();
        nm_alloc_fail_at(0);
        nm_plan_free(plan);
        nm_network_free(net);
        ck_assert_int_gt(k < made || status == NM_OK || nm_error_count(ctx) > 0, 0);
        nm_errors_clear(ctx);
        if (status == NM_OK)
            break;
        ck_assert_int_lt(k, 5000);
    }
}
END_TEST

static void add_loop(TCase *tcase)
{
    with_context(tcase);
    tcase_add_loop_test(tcase, wrong_files_are_named, 0, (int)(sizeof wrongs / sizeof *wrongs));
}

SUITE_WITH("network", add_loop, unnamed_layers, any_order_of_layers, left_out_batchnorm_gives_its_bias,
           shared_parameters, options_set_from_outside, initial_values_follow_from_seed_and_name,
           several_errors_in_one_run, unknown_type_to_leave_out, every_allocation_can_fail)
