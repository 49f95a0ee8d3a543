/* Files that are no YAML, or not the YAML that was meant: the place, and what to do. */
#include "network.h"
#include "parse.h"
#include "run_suite.h"
#include "with_context.h"

#include <stdio.h>
#include <string.h>

#define HEAD "input: {height: 4, width: 4, channels: 1}\n"

static const struct {
    const char *text, *message;
} cases[] = {
    {HEAD "layers:\n- relu\nname: a\nname: b\n", "m:5:1: key 'name' is given twice, first in line 4: keep one of them"},
    {HEAD "layers:\n\t- relu\n", "m:3:1: not YAML: "},
    {HEAD "layers:\n\t- relu\n", "line 3 begins with a tab; YAML indents with spaces"},
    {HEAD "layers:\n- relu\ntrain:\n  \tbatch: 3\n", "line 5 begins with a tab"},
    {HEAD "layers:\n- relu\ntrain:\n  epochs:3\n  batch: 4\n", "m:6:8: not YAML: "},
    {HEAD "layers:\n- relu\ntrain:\n  epochs:3\n  batch: 4\n", "line 5: a space is missing after 'epochs:'"},
    {HEAD "layers:\n- {conv: {filters:3}}\n",
     "m:3:11: conv 'conv': unknown option 'filters:3' (a space is missing after"},
    {HEAD "layers:\n- {conv:{filters: 3}}\n", "line 3: a space is missing after 'conv:'"},
    {HEAD "layers:\n- conv:3\n", "m:3:3: unknown layer type 'conv:3' (a space is missing after the ':')"},
    {"input: {height:4}\nlayers:\n- relu\n",
     "m:1:9: input 'input': unknown option 'height:4' (a space is missing after"},
    {"name:a\ninput: {channels: 1}\n", "line 1: a space is missing after 'name:'"},
    {HEAD "layers:\n- {relu: {}, from: *x}\n",
     "m:3:20: not YAML: found undefined alias: *NAME repeats what &NAME marked"},
    {HEAD "layers:\n- relu\ntrain: {freeze: */bias}\n", "m:4:18: not YAML: "},
    {HEAD "layers:\n- relu\ntrain: {freeze: */bias}\n", "a word that begins with one of * & ! % @ ` is put in quotes"},
    {HEAD "layers:\n- relu\nname: @x\n", "m:4:7: not YAML: "},
    {HEAD "layers:\n- relu\nname: @x\n", "is put in quotes"},
    {HEAD "layers:\n- {name: a, relu: {}\n- {name: b, relu: {}}\n", "m:4:1: not YAML: "},
    {HEAD "layers:\n- {name: a, relu: {}\n- {name: b, relu: {}}\n", " that begins in line 3: "},
    {HEAD "layers:\n- relu\ntrain:\n  batch: 3\n   epochs: 4\n", "m:6:10: not YAML: mapping values are not allowed"},
    {HEAD "layers:\n- relu\ntrain:\n    batch: 3\n  epochs: 4\n", "it does not begin in the column"},
    {HEAD "layers:\n- &a {conv: {filters: 2}}\n- {conv: {<<: {filters: 3}, filters: 4}}\n", "merge keys are not read"},
    {HEAD "layers:\n- relu\ntrain: 'a\n", "m:5:1: not YAML: "},
};

START_TEST(place_and_what_to_do)
{
    nm_yaml *document = NULL;
    nm_network *net;
    const char *text = cases[_i].text;
    if (nm_yaml_parse(ctx, "m", text, strlen(text), &document) == NM_OK)
        ck_assert_int_eq(nm_network_build(ctx, document, NULL, &net), NM_INVALID);
    bool found = false;
    for (int i = 0; i < nm_error_count(ctx); i++)
        found = found || strstr(nm_error_message(ctx, i), cases[_i].message);
    ck_assert_msg(found, "expected '%s', found '%s'", cases[_i].message, nm_error_message(ctx, 0));
}
END_TEST

/* Anchors themselves are YAML's, and are read. */
START_TEST(anchors_are_read)
{
    nm_yaml *document = NULL;
    nm_network *net;
    const char *text = HEAD "layers:\n- {name: a, conv: &c {filters: 2, kernel: 1}}\n- {name: b, conv: *c}\n";
    ck_assert_int_eq(nm_yaml_parse(ctx, "m", text, strlen(text), &document), NM_OK);
    ck_assert_int_eq(nm_network_build(ctx, document, NULL, &net), NM_OK);
    ck_assert_int_eq(net->node[2].out.c, 2);
    nm_network_free(net);
}
END_TEST

static void set_up(TCase *tcase)
{
    with_context(tcase);
    tcase_add_loop_test(tcase, place_and_what_to_do, 0, (int)(sizeof cases / sizeof *cases));
}

SUITE_WITH("yaml advice", set_up, anchors_are_read)
