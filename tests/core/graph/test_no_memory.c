/* Each allocation in turn fails, with all that follow, in what reads, changes, builds and writes a
 * model file: a message, and nothing is left behind (the sanitizer sees). */
#include "alloc.h"
#include "network.h"
#include "option_read.h"
#include "option_text.h"
#include "parse.h"
#include "run_suite.h"
#include "with_context.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

static const char model[] =
    "name: all\n"
    "inputs: {a: {height: 12, width: 12, channels: 1}, b: {height: 12, width: 12, channels: 1}}\n"
    "defaults: {conv: &small {filters: 4, kernel: 3, pad: same}}\n"
    "layers:\n"
    "- {name: c1, conv: {}, from: a}\n"
    "- {name: c2, conv: *small, from: b}\n"
    "- {name: both, concat: {}, from: [c1, c2]}\n"
    "- batchnorm\n- relu\n- relu\n"
    "- {name: p, maxpool: {size: [2, 2]}}\n"
    "- {name: side, conv: {filters: 2}, from: p}\n"
    "- {gap: {}, from: p}\n"
    "- {name: logits, dense: {units: 3, init: he_normal}}\n"
    "loss: softmax_ce\n"
    "train: {optimizer: {adam: {lr: 0.1}}, watch: [c1/0, c2/1]}\n";

typedef struct sample {
    nm_reals numbers;
    nm_strings words;
    nm_choice choice;
    char *word;
} sample;

static const nm_option table[] = {
    {"numbers", NM_OPT_REALS, offsetof(sample, numbers), "1", .help = "list"},
    {"words", NM_OPT_STRINGS, offsetof(sample, words), "a,b", .help = "list"},
    {"choice", NM_OPT_CHOICE, offsetof(sample, choice), "sgd", .help = "entry"},
    {"word", NM_OPT_STRING, offsetof(sample, word), "w", .help = "text"},
    {0},
};

static nm_status change(nm_yaml *tree)
{
    NM_TRY(nm_yaml_set(ctx, tree, "train.lr", "0.2"));
    NM_TRY(nm_yaml_set(ctx, tree, "new.of.depth", "[1, {a: 2}]"));
    NM_TRY(nm_yaml_set(ctx, tree, "train.augment", ""));
    NM_TRY(nm_yaml_change(ctx, tree, &(nm_change){"train.data", "idx:x", "--data", true}));
    return nm_yaml_change(ctx, tree, &(nm_change){"train.watch", "[c1/1]", NULL, false});
}

static nm_status write_and_read(const nm_yaml *tree)
{
    char *text = NULL;
    nm_yaml *copy = NULL, *again = NULL;
    nm_status status = nm_yaml_copy(ctx, tree, &copy);
    if (status == NM_OK)
        status = nm_yaml_write(ctx, copy, &text);
    if (status == NM_OK)
        status = nm_yaml_parse(ctx, "again", text, strlen(text), &again);
    nm_yaml_free(again);
    nm_yaml_free(copy);
    nm_free(text);
    return status;
}

static nm_status edit_document(void)
{
    nm_yaml *tree;
    NM_TRY(nm_yaml_parse(ctx, "t.yaml", model, strlen(model), &tree));
    nm_status status = change(tree);
    if (status == NM_OK)
        status = write_and_read(tree);
    nm_yaml_free(tree);
    return status;
}

static nm_status read_options(void)
{
    static const char given[] = "{numbers: [1, 2.5, 3], words: [x, yy], choice: {adam: {lr: 1}}, word: 'a b'}";
    nm_yaml *tree;
    NM_TRY(nm_yaml_parse(ctx, "t.yaml", given, strlen(given), &tree));
    sample s = {0}, preset = {0};
    nm_text text = {.ctx = ctx};
    nm_status status = nm_options_read(ctx, table, &s, tree, NULL, "thing 't'");
    if (status == NM_OK)
        status = nm_options_read(ctx, table, &preset, NULL, NULL, "thing 't'");
    for (const nm_option *o = table; status == NM_OK && o->name; o++) {
        nm_text_add_option(&text, o, &s);
        (void)nm_option_same(ctx, o, &s, &preset);
    }
    nm_free(text.text);
    nm_options_free(table, &s);
    nm_options_free(table, &preset);
    nm_yaml_free(tree);
    return nm_error_count(ctx) ? NM_FAILED : status;
}

static nm_status build_network(void)
{
    static char type[] = "batchnorm", *types[] = {type};
    nm_yaml *tree;
    nm_network *net;
    NM_TRY(nm_yaml_parse(ctx, "t.yaml", model, strlen(model), &tree));
    NM_TRY(nm_network_build(ctx, tree, &(nm_strings){1, types}, &net));
    nm_network_free(net);
    return NM_OK;
}

static nm_status (*const works[])(void) = {edit_document, read_options, build_network};

START_TEST(each_allocation)
{
    nm_alloc_fail_at(0);
    nm_status status = works[_i]();
    ck_assert_msg(status == NM_OK, "%s", nm_error_count(ctx) ? nm_error_message(ctx, 0) : "no message");
    long needed = nm_alloc_count();
    ck_assert_int_gt(needed, 10);
    for (long k = 1; k <= needed; k++) {
        nm_alloc_fail_at(k);
        status = works[_i]();
        nm_alloc_fail_at(0);
        ck_assert_msg(status == NM_FAILED && nm_error_count(ctx) > 0, "allocation %ld of %ld: status %d", k, needed,
                      status);
        ck_assert_msg(strstr(nm_error_message(ctx, 0), "memory") || strstr(nm_error_message(ctx, 0), "written"),
                      "allocation %ld: %s", k, nm_error_message(ctx, 0));
        nm_errors_clear(ctx);
    }
}
END_TEST

static void set_up(TCase *tcase)
{
    with_context(tcase);
    tcase_add_loop_test(tcase, each_allocation, 0, (int)(sizeof works / sizeof *works));
}

/* More than there are addresses. */
START_TEST(too_much)
{
    ck_assert_ptr_null(nm_alloc(ctx, SIZE_MAX / 2, 4));
    ck_assert_ptr_nonnull(strstr(nm_error_message(ctx, 0), "more than can be addressed"));
}
END_TEST

SUITE_WITH("no memory", set_up, too_much)
