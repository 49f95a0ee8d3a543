/* Model files that are made to be slow: many layers, names, errors. What takes a time by the square
 * of their number takes ten times as long as is allowed here, or never ends. */
#include "alloc.h"
#include "network.h"
#include "parse.h"
#include "run_suite.h"
#include "with_context.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define HEAD "input: {height: 8, width: 8, channels: 2}\nlayers:\n"
enum { MOST_SECONDS = 4 };

static char text[NM_YAML_MOST + 64];
static size_t size;

static void put(const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    size += (size_t)vsnprintf(text + size, sizeof text - size, fmt, args);
    va_end(args);
    ck_assert_uint_lt(size, sizeof text);
}

/* Builds the text, which is empty then. */
static nm_network *build(const char *without)
{
    nm_yaml *document;
    nm_network *net = NULL;
    char *types[] = {(char *)without};
    nm_strings left_out = {without ? 1 : 0, types};
    clock_t start = clock();
    ck_assert_int_eq(nm_yaml_parse(ctx, "m.yaml", text, size, &document), NM_OK);
    nm_status status = nm_network_build(ctx, document, &left_out, &net);
    double seconds = (double)(clock() - start) / CLOCKS_PER_SEC;
    ck_assert_msg(seconds < MOST_SECONDS, "it took %.1f s", seconds);
    ck_assert_int_eq(status, nm_error_count(ctx) ? NM_INVALID : NM_OK);
    size = 0;
    return net;
}

static void refuses(const char *message)
{
    ck_assert_ptr_null(build(NULL));
    ck_assert_str_eq(nm_error_message(ctx, 0), message);
    nm_errors_clear(ctx);
}

START_TEST(unnamed_layers)
{
    put(HEAD);
    for (int i = 0; i < 9000; i++)
        put("- relu\n");
    put("- {name: a, relu: {}}\n- {name: a.relu.2, relu: {}}\n- {name: b, relu: {}}\n- {name: a.relu, relu: {}}\n");
    nm_network *net = build(NULL);
    ck_assert_str_eq(net->node[9000].name, "relu.9000");
    ck_assert_int_eq(net->nodes, 9005);
    nm_network_free(net);
    put(HEAD "- {name: a, relu: {}}\n- relu\n- relu\n- {name: a.relu.4, relu: {}}\n- {name: b, relu: {}}\n- relu\n");
    net = build(NULL);
    ck_assert_str_eq(net->node[3].name, "a.relu.2");
    ck_assert_str_eq(net->node[6].name, "b.relu");
    nm_network_free(net);
    put(HEAD "- {name: a, relu: {}}\n- {name: a.relu, relu: {}}\n- {name: a, tanh: {}}\n");
    refuses("m.yaml:5:3: two layers are called 'a'");
}
END_TEST

/* A name has 199 bytes: these leave no room for the number behind them. */
START_TEST(names_without_room)
{
    put(HEAD "- {name: %099d, relu: {}}\n", 0);
    for (int i = 0; i < 1000; i++)
        put("- t%097d\n", 0);
    ck_assert_ptr_null(build(NULL));
    ck_assert_msg(strstr(nm_error_message(ctx, 0), "unknown layer type 't000"), "%s", nm_error_message(ctx, 0));
}
END_TEST

START_TEST(layers_in_reverse)
{
    put(HEAD);
    for (int i = 0; i < 9000; i++)
        put("- {name: r%d, relu: {}, from: r%d}\n", i, i + 1);
    put("- {name: r9000, relu: {}, from: input}\noutput: r0\n");
    nm_network *net = build(NULL);
    ck_assert_str_eq(net->node[1].name, "r9000");
    ck_assert_str_eq(net->node[9001].name, "r0");
    ck_assert_int_eq(net->output, 9001);
    nm_network_free(net);
}
END_TEST

START_TEST(many_inputs_of_a_layer)
{
    put(HEAD);
    for (int i = 0; i < 5000; i++)
        put("- {name: r%d, relu: {}, from: input}\n", i);
    put("- {concat: {}, from: [");
    for (int i = 0; i < 50000; i++)
        put("r%d,", 4999 - i % 100);
    put("]}\n");
    nm_network *net = build(NULL);
    ck_assert_int_eq(net->node[5001].inputs, 50000);
    ck_assert_int_eq(net->node[5001].from[1], 4999);
    nm_network_free(net);
}
END_TEST

START_TEST(layers_left_out)
{
    put(HEAD "- {name: c, conv: {filters: 2, kernel: 1}}\n");
    for (int i = 0; i < 9000; i++)
        put("- batchnorm\n");
    put("- relu\n");
    nm_network *net = build("batchnorm");
    ck_assert_int_eq(net->nodes, 3);
    ck_assert_int_eq(net->node[2].from[0], 1);
    nm_network_free(net);
}
END_TEST

/* A convolution is initialised for the rectifier that reads it through all of them. */
START_TEST(normalisations_in_a_row)
{
    put(HEAD);
    for (int k = 0; k < 3000; k++)
        put("- conv: {filters: 2, kernel: 1}\n- batchnorm\n- batchnorm\n");
    put("- relu\n- {name: last, conv: {filters: 2, kernel: 1}}\n");
    nm_network *net = build(NULL);
    ck_assert_int_eq(net->param[nm_network_find_param(net, "conv.3000/weight")].init.kind, NM_INIT_HE_NORMAL);
    ck_assert_int_eq(net->param[nm_network_find_param(net, "conv.2999/weight")].init.kind, NM_INIT_TORCH);
    ck_assert_int_eq(net->param[nm_network_find_param(net, "last/weight")].init.kind, NM_INIT_TORCH);
    nm_network_free(net);
}
END_TEST

START_TEST(too_many)
{
    put(HEAD);
    for (int i = 0; i < 10001; i++)
        put("- relu\n");
    refuses("m.yaml:3:1: found 10001 layers; expected at most 10000");
    put("inputs: {");
    for (int i = 0; i < 1001; i++)
        put("i%d: {height: 1, width: 1, channels: 1}, ", i);
    put("}\nlayers: [relu]\n");
    refuses("m.yaml:1:9: found 1001 inputs; expected at most 1000");
    put(HEAD "- relu\nloss: [");
    for (int i = 0; i < 1001; i++)
        put("mse,");
    put("]\n");
    refuses("m.yaml:4:7: found 1001 losses; expected at most 1000");
}
END_TEST

/* Each error is looked at for what may have been meant; 64 are told. */
START_TEST(many_errors)
{
    put(HEAD "- relu\n");
    for (int i = 0; i < 60000; i++)
        put("k%d: 1\n", i);
    refuses("m.yaml:4:1: unknown key 'k0'; known are name, input, inputs, defaults, layers, loss, output, train");
    put(HEAD "- relu\ndefaults: {");
    for (int i = 0; i < 60000; i++)
        put("k%d: {},", i);
    put("}\n");
    refuses("m.yaml:4:12: defaults for an unknown layer type 'k0' (norma layers lists all)");
    put(HEAD "- relu: {");
    for (int i = 0; i < 60000; i++)
        put("k%d: 1,", i);
    put("}\n");
    refuses("m.yaml:3:10: relu 'relu': unknown option 'k0' (it has no options)");
    put(HEAD);
    for (int i = 0; i < 10000; i++)
        put("- {relu: {}, from: rule}\n");
    refuses("m.yaml:3:20: relu 'relu': there is no layer 'rule' (did you mean 'relu'?)");
    put(HEAD);
    for (int i = 0; i < 10000; i++)
        put("- rule\n");
    refuses("m.yaml:3:3: unknown layer type 'rule' (did you mean 'relu'?)");
}
END_TEST

static void set_up(TCase *tcase)
{
    with_context(tcase);
    tcase_set_timeout(tcase, 120);
}

SUITE_WITH("large models", set_up, unnamed_layers, names_without_room, layers_in_reverse, many_inputs_of_a_layer,
           layers_left_out, normalisations_in_a_row, too_many, many_errors)
