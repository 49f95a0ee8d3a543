/* Words from the command line: taken as they stand, and the same words when the document that was
 * written is read. */
#include "alloc.h"
#include "network.h"
#include "option_read.h"
#include "run_suite.h"
#include "with_context.h"

#include <stdio.h>
#include <string.h>

#define DOCUMENT "name: n\ninput: {channels: 1}\nlayers:\n- relu\n- {name: c, conv: {filters: 2}}\ntrain: {batch: 3}\n"

static const char *const words[] = {
    "digits",
    "images:set #1",
    "images:a: b",
    "*/bias",
    "*",
    "&a",
    "!x",
    "~",
    "null",
    "NULL",
    "true",
    "off",
    "No",
    "12",
    "1e3",
    "0x10",
    ".inf",
    "-",
    "- a",
    "a:",
    ":",
    "#",
    "",
    " ",
    " a",
    "a ",
    "[x]",
    "{a: 1}",
    "'",
    "\"",
    "it's",
    "say \"x\"",
    "@x",
    "`x`",
    "%x",
    "|",
    ">",
    "?",
    "? a",
    "a, b",
    "a\tb",
    "a\nb",
    "\n",
    "caf\xc3\xa9",
    "\xf0\x9f\x98\x80",
    "a\\b",
    "---",
    "...",
    "<<",
    "=",
    "a #b",
    "a#b",
    "C:\\x",
    "//",
    "a  b",
    "\x7f",
    "\x01",
};

typedef struct sample {
    char *data;
} sample;
static const nm_option table[] = {{"data", NM_OPT_STRING, offsetof(sample, data), "preset", .help = "a word"},
                                  {"batch", NM_OPT_INT, 0, "", .help = "not read here"},
                                  {0}};

static nm_yaml *parsed(const char *text)
{
    nm_yaml *tree = NULL;
    ck_assert_int_eq(nm_yaml_parse(ctx, "t.yaml", text, strlen(text), &tree), NM_OK);
    return tree;
}

static void check_word(const nm_yaml *tree, const char *word)
{
    sample s = {0};
    const nm_yaml *node = nm_yaml_get(nm_yaml_get(tree, "train"), "data");
    ck_assert_msg(node && node->kind == NM_YAML_SCALAR && strcmp(node->text, word) == 0, "'%s' became '%s'", word,
                  node && node->text ? node->text : "?");
    const nm_yaml only = {.kind = NM_YAML_MAP,
                          .count = 1,
                          .keys = (nm_yaml *[]){&(nm_yaml){.text = (char[]){"data"}}},
                          .items = (nm_yaml *[]){(nm_yaml *)node}};
    ck_assert_int_eq(nm_options_read(ctx, table, &s, &only, NULL, "train"), NM_OK);
    ck_assert_str_eq(s.data, word);
    nm_options_free(table, &s);
}

START_TEST(a_word_stays_the_same)
{
    nm_yaml *tree = parsed(DOCUMENT), *back;
    char *text;
    nm_change change = {"train.data", words[_i], "--data", true};
    ck_assert_int_eq(nm_document_change(ctx, tree, &change), NM_OK);
    check_word(tree, words[_i]);
    for (int twice = 0; twice < 2; twice++) {
        ck_assert_int_eq(nm_yaml_write(ctx, tree, &text), NM_OK);
        back = parsed(text);
        check_word(back, words[_i]);
        nm_free(text);
        nm_yaml_free(tree);
        tree = back;
    }
    nm_yaml_free(tree);
}
END_TEST

START_TEST(what_is_yaml_and_what_is_not)
{
    nm_yaml *tree = parsed(DOCUMENT);
    ck_assert_int_eq(nm_document_set(ctx, tree, "train.freeze", "*/bias,c/*"), NM_OK);
    ck_assert_int_eq(nm_document_set(ctx, tree, "train.augment", "[flip, 'pad-crop=2']"), NM_OK);
    ck_assert_int_eq(nm_document_set(ctx, tree, "train.optimizer", "{adam: {lr: 1}}"), NM_OK);
    ck_assert_int_eq(nm_document_set(ctx, tree, "train.data", "'12'"), NM_OK);
    ck_assert_int_eq(nm_document_set(ctx, tree, "name", "a: b # c"), NM_OK);
    ck_assert_int_eq(nm_document_set(ctx, tree, "c.kernel", "[1, 3]"), NM_OK);
    const nm_yaml *train = nm_yaml_get(tree, "train");
    ck_assert_str_eq(nm_yaml_text(train, "freeze", "?"), "*/bias,c/*");
    ck_assert_int_eq(nm_yaml_get(train, "augment")->count, 2);
    ck_assert_ptr_nonnull(nm_yaml_get(nm_yaml_get(train, "optimizer"), "adam"));
    ck_assert(nm_yaml_get(train, "data")->quoted);
    ck_assert_str_eq(nm_yaml_text(train, "data", "?"), "12");
    ck_assert_str_eq(nm_yaml_text(tree, "name", "?"), "a: b # c");
    ck_assert_int_eq(nm_yaml_get(nm_yaml_get(nm_yaml_get(tree, "layers")->items[1], "conv"), "kernel")->count, 2);
    /* a plain word is written without quotes, as a person would */
    char *text;
    ck_assert_int_eq(nm_document_set(ctx, tree, "train.data", "a-b/c.h5"), NM_OK);
    ck_assert_int_eq(nm_yaml_write(ctx, tree, &text), NM_OK);
    ck_assert_ptr_nonnull(strstr(text, "data: a-b/c.h5"));
    nm_free(text);
    nm_yaml_free(tree);
}
END_TEST

START_TEST(what_cannot_be_written_is_refused)
{
    nm_yaml *tree = parsed(DOCUMENT);
    static const char *const bytes[] = {
        "\xff",     "caf\xe9",      "\xc0\x80",         "\xed\xa0\x80",     "\xf4\x90\x80\x80",
        "\xe2\x82", "\xe0\x9f\xbf", "\xf0\x8f\xbf\xbf", "\xf5\x80\x80\x80", "\x80"};
    for (size_t i = 0; i < sizeof bytes / sizeof *bytes; i++) {
        nm_change change = {"train.data", bytes[i], "--data", true};
        nm_errors_clear(ctx);
        ck_assert_int_eq(nm_document_change(ctx, tree, &change), NM_INVALID);
        ck_assert_ptr_nonnull(strstr(nm_error_message(ctx, 0), "--data: expected UTF-8"));
    }
    nm_yaml_free(tree);
}
END_TEST

/* The first and the last characters of each length, and around what is none. */
START_TEST(all_of_unicode_is_taken)
{
    static const char *const texts[] = {"\x7f",         "\xc2\x80",         "\xdf\xbf",
                                        "\xe0\xa0\x80", "\xed\x9f\xbf",     "\xee\x80\x80",
                                        "\xef\xbf\xbd", "\xf0\x90\x80\x80", "\xf4\x8f\xbf\xbf"};
    nm_yaml *tree = parsed(DOCUMENT);
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        nm_change change = {"train.data", texts[i], "--data", true};
        ck_assert_int_eq(nm_document_change(ctx, tree, &change), NM_OK);
    }
    nm_yaml_free(tree);
}
END_TEST

static void set_up(TCase *tcase)
{
    with_context(tcase);
    tcase_add_loop_test(tcase, a_word_stays_the_same, 0, (int)(sizeof words / sizeof *words));
}

SUITE_WITH("words", set_up, what_is_yaml_and_what_is_not, what_cannot_be_written_is_refused, all_of_unicode_is_taken)
