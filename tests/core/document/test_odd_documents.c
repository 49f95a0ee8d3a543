/* Models whose nodes are of another kind than is read there: each is refused with its place. And
 * what is written where memory ends, or the text is no text. */
#include "alloc.h"
#include "network.h"
#include "parse.h"
#include "run_suite.h"
#include "with_context.h"

#include <stdio.h>
#include <string.h>

#define INPUT "input: {height: 12, width: 12, channels: 6}\n"
#define LAYERS "layers: [{relu: {}}]\n"
#define A_MODEL_IS "a model file is a map with the keys name, input, layers, loss, train"
#define A_LIST_OF_LAYERS "expected 'layers:' with a list of layers"

static const struct {
    const char *model, *message;
} cases[] = {
    {"[]", "m:1:1: " A_MODEL_IS},
    {"input", "m:1:1: " A_MODEL_IS},
    {"input:5", "m:1:1: " A_MODEL_IS " (a space is missing after the ':')"},
    {INPUT, A_LIST_OF_LAYERS},
    {INPUT "layers: []\n", A_LIST_OF_LAYERS},
    {INPUT "layers: {relu: {}}\n", A_LIST_OF_LAYERS},
    {INPUT "layers: relu\n", A_LIST_OF_LAYERS},
    {LAYERS, "expected 'input: {height: …, width: …, channels: …}'"},
    {LAYERS "inputs: []\n", "m:2:9: expected 'input: {height: …, width: …, channels: …}'"},
    {LAYERS "inputs: {}\n", "m:2:9: expected 'input: {height: …, width: …, channels: …}'"},
    {LAYERS "inputs: {a/b: {height: 1, width: 1, channels: 1}}\n", "an input's name must be a word without '/'"},
    {INPUT LAYERS "inputs: {a: {height: 1, width: 1, channels: 1}}\n", "'input' and 'inputs' are both given"},
    {INPUT LAYERS "name: [a]\n", "m:3:7: a network's name must be a word"},
    {INPUT LAYERS "name: {a: b}\n", "m:3:7: a network's name must be a word"},
    {INPUT LAYERS "name: \"a\\tb\"\n", "m:3:7: a network's name must be of printable characters"},
    {INPUT LAYERS "'loss:mse': 1\n", "m:3:1: unknown key 'loss:mse' (a space is missing after the ':')"},
    {INPUT LAYERS "defaults: []\n", "m:3:11: defaults must be a map of layer types, as {conv: {pad: same}}"},
    {INPUT LAYERS "defaults: conv\n", "m:3:11: defaults must be a map of layer types, as {conv: {pad: same}}"},
    {INPUT LAYERS "defaults: {covn: {}}\n", "m:3:12: defaults for an unknown layer type 'covn'"},
    {INPUT LAYERS "defaults: {relu: 5}\n", "expected a map of options"},
    {INPUT "layers: [{name: [a], relu: {}}]\n", "m:2:17: a layer's name must be a word without '/'"},
    {INPUT "layers: [{name: '', relu: {}}]\n", "m:2:17: a layer's name must be a word without '/'"},
    {INPUT "layers: [{name: a/b, relu: {}}]\n", "m:2:17: a layer's name must be a word without '/'"},
    {INPUT "layers: [{name: ., relu: {}}]\n", "m:2:17: a layer's name must be a word without '/'"},
    {INPUT "layers: ['']\n", "m:2:10: a layer must be written as {TYPE: {options}}"},
    {INPUT "layers: [[relu]]\n", "m:2:10: a layer must be written as {TYPE: {options}}"},
    {INPUT "layers: [{name: a}]\n", "m:2:10: a layer without a type: expected {TYPE: {options}}"},
    {INPUT "layers: [{relu: {}, tanh: {}}]\n", "m:2:21: a layer has one type; found 'relu' and 'tanh'"},
    {INPUT "layers: ['relu:5']\n", "m:2:10: unknown layer type 'relu:5' (a space is missing after the ':')"},
    {INPUT "layers: [zzzzzzzz]\n", "m:2:10: unknown layer type 'zzzzzzzz'"},
    {INPUT "layers: [{conv: {filters: 4, activation: add}}]\n", "a layer of one input can be an activation"},
    {INPUT "layers: [{name: input, relu: {}}]\n", "the layer has the name of the input 'input'"},
    {INPUT LAYERS "loss: [{mse: {}, weight: x}]\n", "m:3:26: "},
    {INPUT LAYERS "loss: [[mse]]\n", "m:3:8: a loss must be written as NAME or {NAME: {options}}"},
    {INPUT LAYERS "loss: [{from: a}]\n", "m:3:8: a loss must be written as NAME or {NAME: {options}}"},
    {INPUT LAYERS "loss: [{mse: {}, bce: {}}]\n", "m:3:18: a loss has one type; found 'mse' and 'bce'"},
};

START_TEST(refused_with_its_place)
{
    nm_yaml *document = NULL;
    nm_network *net = NULL;
    ck_assert_int_eq(nm_yaml_parse(ctx, "m", cases[_i].model, strlen(cases[_i].model), &document), NM_OK);
    ck_assert_int_eq(nm_network_build(ctx, document, NULL, &net), NM_INVALID);
    ck_assert_ptr_null(net);
    bool found = false;
    for (int i = 0; i < nm_error_count(ctx); i++)
        found = found || strstr(nm_error_message(ctx, i), cases[_i].message);
    ck_assert_msg(found, "%s gave '%s'", cases[_i].model, nm_error_message(ctx, 0));
}
END_TEST

/* As if the key were not there. */
START_TEST(defaults_of_nothing)
{
    static const char *const models[] = {INPUT LAYERS "defaults:\n", INPUT LAYERS "defaults: null\n",
                                         INPUT LAYERS "defaults: {}\n"};
    for (int i = 0; i < 3; i++) {
        nm_yaml *document = NULL;
        nm_network *net = NULL;
        ck_assert_int_eq(nm_yaml_parse(ctx, "m", models[i], strlen(models[i]), &document), NM_OK);
        ck_assert_int_eq(nm_network_build(ctx, document, NULL, &net), NM_OK);
        nm_network_free(net);
    }
}
END_TEST

/* ---- writing ------------------------------------------------------------------------------- */

static nm_yaml *long_document(int layers)
{
    static char text[200000];
    size_t used = (size_t)snprintf(text, sizeof text, "name: 'quoted'\nlayers:\n");
    for (int i = 0; i < layers; i++)
        used += (size_t)snprintf(text + used, sizeof text - used, "- {name: l%d, conv: {filters: %d, pad: [1, 2]}}\n",
                                 i, i + 1);
    nm_yaml *tree = NULL;
    ck_assert_int_eq(nm_yaml_parse(ctx, "m", text, used, &tree), NM_OK);
    return tree;
}

/* Several times what libyaml hands over at once; and with memory that ends at any time. */
START_TEST(written_whole_or_not_at_all)
{
    nm_yaml *tree = long_document(3000), *again = NULL;
    char *text, *second;
    nm_alloc_fail_at(1000000);
    ck_assert_int_eq(nm_yaml_write(ctx, tree, &text), NM_OK);
    long allocations = nm_alloc_count();
    ck_assert_int_gt(allocations, 2);
    nm_alloc_fail_at(0);
    ck_assert_int_eq(nm_yaml_parse(ctx, "again", text, strlen(text), &again), NM_OK);
    ck_assert_int_eq(nm_yaml_write(ctx, again, &second), NM_OK);
    ck_assert_str_eq(text, second);
    ck_assert_str_eq(nm_yaml_text(nm_yaml_get(again, "layers")->items[2999], "name", ""), "l2999");
    nm_free(second);
    for (long k = 1; k <= allocations; k++) {
        nm_alloc_fail_at(k);
        ck_assert_int_eq(nm_yaml_write(ctx, tree, &second), NM_FAILED);
        nm_alloc_fail_at(0);
        ck_assert_ptr_null(second);
        ck_assert_ptr_nonnull(strstr(nm_error_message(ctx, nm_error_count(ctx) - 1), "could not be written"));
        nm_errors_clear(ctx);
    }
    nm_free(text);
    nm_yaml_free(again);
    nm_yaml_free(tree);
}
END_TEST

/* libyaml itself refuses it. */
START_TEST(no_text_is_not_written)
{
    nm_yaml *tree = long_document(1);
    char *text;
    nm_yaml_get(tree, "name")->text[0] = '\xff';
    ck_assert_int_eq(nm_yaml_write(ctx, tree, &text), NM_FAILED);
    ck_assert_ptr_null(text);
    nm_yaml_free(tree);
}
END_TEST

/* Edits of what is no map. */
START_TEST(only_maps_are_edited)
{
    nm_yaml *list = NULL, *map = NULL;
    const nm_change change = {"a", "1", NULL, false};
    ck_assert_int_eq(nm_yaml_parse(ctx, "m", "[1]", 3, &list), NM_OK);
    ck_assert_int_eq(nm_yaml_set(ctx, list, "a", "1"), NM_INVALID);
    ck_assert_ptr_nonnull(strstr(nm_error_message(ctx, 0), "m:1:1: expected a map of keys"));
    nm_errors_clear(ctx);
    ck_assert_int_eq(nm_yaml_change(ctx, list, &change), NM_INVALID);
    ck_assert_ptr_nonnull(strstr(nm_error_message(ctx, 0), "m:1:1: expected a map of keys"));
    nm_yaml_remove(list, "1");
    nm_yaml_remove(NULL, "1");
    ck_assert_int_eq(list->count, 1);
    ck_assert_int_eq(nm_yaml_parse(ctx, "m", "{a: 1, b: [2], c: 3}", 20, &map), NM_OK);
    nm_yaml_remove(map, "zzz");
    nm_yaml_remove(map, "a");
    ck_assert_int_eq(map->count, 2);
    ck_assert_str_eq(nm_yaml_text(map, "c", ""), "3");
    ck_assert_str_eq(nm_yaml_text(map, "b", "no scalar"), "no scalar");
    nm_yaml_free(list);
    nm_yaml_free(map);
}
END_TEST

static void set_up(TCase *tcase)
{
    with_context(tcase);
    tcase_add_loop_test(tcase, refused_with_its_place, 0, (int)(sizeof cases / sizeof *cases));
}

SUITE_WITH("odd documents", set_up, defaults_of_nothing, written_whole_or_not_at_all, no_text_is_not_written,
           only_maps_are_edited)
