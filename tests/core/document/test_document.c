/* Documents and option tables: values, places in messages, edits, writing. */
#include "alloc.h"
#include "option_read.h"
#include "run_suite.h"
#include "with_context.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

static nm_yaml *parsed(const char *text)
{
    nm_yaml *tree = NULL;
    ck_assert_int_eq(nm_yaml_parse(ctx, "t.yaml", text, strlen(text), &tree), NM_OK);
    return tree;
}

typedef struct sample {
    int count, kind;
    double rate;
    bool on;
    int size[2];
    nm_pad pad;
    char *word;
    nm_reals numbers;
    nm_strings words;
    nm_choice choice;
} sample;

static const char *const kinds[] = {"plain", "fancy", NULL};
static const nm_option table[] = {
    {"count", NM_OPT_INT, offsetof(sample, count), "3", 1, 9, .help = "how many"},
    {"kind", NM_OPT_ENUM, offsetof(sample, kind), "plain", .choices = kinds, .help = "which"},
    {"rate", NM_OPT_REAL, offsetof(sample, rate), "0.5", 0, 1, .help = "part"},
    {"on", NM_OPT_BOOL, offsetof(sample, on), "true", .help = "whether"},
    {"size", NM_OPT_PAIR, offsetof(sample, size), NULL, 1, 99, .help = "window"},
    {"pad", NM_OPT_PAD, offsetof(sample, pad), "0", 0, 99, .help = "border"},
    {"word", NM_OPT_STRING, offsetof(sample, word), "", .help = "text"},
    {"numbers", NM_OPT_REALS, offsetof(sample, numbers), "", .help = "list"},
    {"words", NM_OPT_STRINGS, offsetof(sample, words), "", .help = "list"},
    {"choice", NM_OPT_CHOICE, offsetof(sample, choice), "sgd", .help = "entry"},
    {0},
};

START_TEST(values_and_presets)
{
    nm_yaml *tree = parsed("{size: [2, 3], pad: [1, 2, 3, 4], rate: 0.25, on: off, word: hi, kind: fancy,\n"
                           " numbers: [1, 2.5], words: 'a,b', choice: {adam: {lr: 1}}}");
    sample s = {0};
    ck_assert_int_eq(nm_options_read(ctx, table, &s, tree, NULL, "thing 't'"), NM_OK);
    ck_assert_int_eq(s.count, 3);
    ck_assert_int_eq(s.kind, 1);
    ck_assert_double_eq(s.rate, 0.25);
    ck_assert(!s.on);
    ck_assert_int_eq(s.size[0], 2);
    ck_assert_int_eq(s.size[1], 3);
    ck_assert_int_eq(s.pad.bottom, 2);
    ck_assert_int_eq(s.pad.right, 4);
    ck_assert_str_eq(s.word, "hi");
    ck_assert_int_eq(s.numbers.count, 2);
    ck_assert_double_eq(s.numbers.values[1], 2.5);
    ck_assert_int_eq(s.words.count, 2);
    ck_assert_str_eq(s.words.values[1], "b");
    ck_assert_str_eq(s.choice.name, "adam");
    ck_assert_str_eq(nm_yaml_text(s.choice.options, "lr", ""), "1");
    nm_options_free(table, &s);
    nm_yaml_free(tree);
}
END_TEST

START_TEST(defaults_stand_behind_the_given)
{
    nm_yaml *given = parsed("{count: 4}"), *defaults = parsed("{count: 5, size: 7, pad: same}");
    sample s = {0};
    ck_assert_int_eq(nm_options_read(ctx, table, &s, given, defaults, "thing 't'"), NM_OK);
    ck_assert_int_eq(s.count, 4);
    ck_assert_int_eq(s.size[1], 7);
    ck_assert(s.pad.same);
    nm_options_free(table, &s);
    nm_yaml_free(given);
    nm_yaml_free(defaults);
}
END_TEST

/* Each wrong text gives this message. */
static const struct {
    const char *text, *message;
} wrongs[] = {
    {"{size: 1, cuont: 2}", "t.yaml:1:11: thing 't': unknown option 'cuont' (did you mean 'count'?)"},
    {"{size: 1, zzzzzz: 2}", "t.yaml:1:11: thing 't': unknown option 'zzzzzz'"},
    {"{size: 0}", "t.yaml:1:8: thing 't': option 'size' must be a whole number from 1 to 99, or [height, width]; "
                  "found '0'"},
    {"{size: 1.5}", "found '1.5'"},
    {"{size: [1, 2, 3]}", "found [1, 2, 3]"},
    {"{size: 1, count: 10}", "option 'count' must be a whole number from 1 to 9; found '10'"},
    {"{size: 1, count: 99999999999999999999}", "found '99999999999999999999'"},
    {"{size: 1, rate: nan}", "option 'rate' must be a number from 0 to 1; found 'nan'"},
    {"{size: 1, rate: {}}", "found a map of 0"},
    {"{size: 1, kind: odd}", "option 'kind' must be one of plain, fancy; found 'odd'"},
    {"{size: 1, on: maybe}", "option 'on' must be true or false; found 'maybe'"},
    {"{size: 1, pad: -1}", "found '-1'"},
    {"{size: 1, choice: {a: {}, b: {}}}", "found a map of 2"},
    {"{size: 1, words: [a, [b]]}", "option 'words' must be a list of words"},
    {"{size: 1, words: {a: b}}", "option 'words' must be a list of words; found a map of 1"},
    {"{size: 1, word: [a]}", "option 'word' must be a word; found [a]"},
    {"{size: 1, numbers: [1, x]}",
     "option 'numbers' must be a number that float holds, or a list of them; found [1, x]"},
    {"{size: 1, numbers: {}}", "found a map of 0"},
    {"{size: 1, choice: [a]}", "option 'choice' must be NAME or {NAME: {options}}; found [a]"},
    {"{size: 1, choice: {a: 5}}", "found a map of 1"},
    {"{size: 1, choice: ''}", "found ''"},
    {"{size: 1, choice: {'': {}}}", "found a map of 1"},
    {"{size: 1, kind: [plain]}", "option 'kind' must be one of plain, fancy; found [plain]"},
    {"{size: 1, on: [true]}", "option 'on' must be true or false; found [true]"},
    {"{size: 1, count: [2]}", "found [2]"},
    {"{size: 1, count: '2'}", "option 'count' must be a whole number from 1 to 9; found '2'"},
    {"{size: 1, count: ''}", "found ''"},
    {"{size: 1, count: 2147483648}", "found '2147483648'"},
    {"{size: 1, count: -2147483649}", "found '-2147483649'"},
    {"{size: 1, rate: '0.5'}", "option 'rate' must be a number from 0 to 1; found '0.5'"},
    {"{size: 1, rate: ''}", "found ''"},
    {"{size: 1, pad: {same: 1}}", "found a map of 1"},
    {"{size: 1, pad: [1, 2, 3, x]}", "found [1, 2, 3, x]"},
    {"{size: [[1], 2]}", "found a list of 2"},
    {"{size: [1111111111111111111111111111111, 2222222222222222222222222222222222222222222222]}", "found a list of 2"},
    {"size:\n- \n- 2\n", "found [, 2]"},
    {"size: 1\nnumbers:\n- \n- 2\n", "found [, 2]"},
    {"{count: 1}", "option 'size' (window) must be given"},
    {"[1]", "expected a map of options"},
    {"size:1", "expected a map of options, as {name: value} (a space is missing after the ':')"},
    {"size", "expected a map of options, as {name: value}"},
    {"{size: 1, 'count:2': 3}", "unknown option 'count:2' (a space is missing after the ':')"},
};

START_TEST(wrong_values_are_named)
{
    nm_yaml *tree = parsed(wrongs[_i].text);
    sample s = {0};
    ck_assert_int_eq(nm_options_read(ctx, table, &s, tree, NULL, "thing 't'"), NM_INVALID);
    bool found = false;
    for (int i = 0; i < nm_error_count(ctx); i++)
        found = found || strstr(nm_error_message(ctx, i), wrongs[_i].message);
    ck_assert_msg(found, "'%s' gave '%s'", wrongs[_i].text, nm_error_message(ctx, 0));
    nm_options_free(table, &s);
    nm_yaml_free(tree);
}
END_TEST

/* The flag of an option's own name is named alone; any other, and a place that there is none of,
 * stands before the message. */
START_TEST(flags_are_named)
{
    static const char *const flags[][2] = {{"--count", "--count must be a whole number"},
                                           {"--coun", "--coun: thing 't': option 'count' must be"},
                                           {"--counts", "--counts: thing 't': option 'count' must be"},
                                           {"--cound", "--cound: thing 't': option 'count' must be"},
                                           {"count", "count: thing 't': option 'count' must be"}};
    for (size_t i = 0; i < sizeof flags / sizeof *flags; i++) {
        nm_yaml *tree = parsed("{size: 1}");
        sample s = {0};
        const nm_change change = {"count", "10", flags[i][0], false};
        ck_assert_int_eq(nm_yaml_change(ctx, tree, &change), NM_OK);
        ck_assert_int_eq(nm_options_read(ctx, table, &s, tree, NULL, "thing 't'"), NM_INVALID);
        ck_assert_msg(strncmp(nm_error_message(ctx, 0), flags[i][1], strlen(flags[i][1])) == 0, "%s",
                      nm_error_message(ctx, 0));
        nm_errors_clear(ctx);
        nm_options_free(table, &s);
        nm_yaml_free(tree);
    }
    ck_assert_int_eq(nm_yaml_fail(ctx, NULL, "no place"), NM_INVALID);
    ck_assert_str_eq(nm_error_message(ctx, 0), "no place");
}
END_TEST

/* Null and what is left empty stand for the preset; commas that part nothing part nothing. */
START_TEST(nothing_is_the_preset)
{
    nm_yaml *given = parsed("{size: 1, count: null, rate: ~, choice: {sgd: null}, words: ',a,,b', kind: }");
    nm_yaml *defaults = parsed("{count: null, kind: fancy}"), *empty = parsed("null");
    sample s = {0};
    ck_assert_int_eq(nm_options_read(ctx, table, &s, given, defaults, "thing 't'"), NM_OK);
    ck_assert_int_eq(s.count, 3);
    ck_assert_int_eq(s.kind, 1);
    ck_assert(s.rate == 0.5 && s.choice.options == NULL && s.words.count == 2);
    ck_assert_str_eq(s.words.values[1], "b");
    nm_options_free(table, &s);
    ck_assert_int_eq(nm_options_read(ctx, table, &s, given, empty, "thing 't'"), NM_OK);
    nm_options_free(table, &s);
    ck_assert_int_eq(nm_options_read(ctx, table + 10, &s, empty, NULL, "thing 't'"), NM_OK); /* of no options */
    nm_yaml_free(given);
    nm_yaml_free(defaults);
    nm_yaml_free(empty);
}
END_TEST

START_TEST(several_errors_in_one_run)
{
    nm_yaml *tree = parsed("{size: 0, count: 0, rate: 7}");
    sample s = {0};
    ck_assert_int_eq(nm_options_read(ctx, table, &s, tree, NULL, "thing 't'"), NM_INVALID);
    ck_assert_int_eq(nm_error_count(ctx), 3);
    nm_options_free(table, &s);
    nm_yaml_free(tree);
}
END_TEST

START_TEST(not_yaml)
{
    static const char *const texts[] = {"a: [1, 2",   "a: b: c",    "\t- x",        "a: 1\na: 2",
                                        "? [x]\n: y", "a: \"\\0\"", "{a: *nowhere}"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        nm_yaml *tree = NULL;
        ck_assert_int_eq(nm_yaml_parse(ctx, "t.yaml", texts[i], strlen(texts[i]), &tree), NM_INVALID);
        ck_assert_ptr_null(tree);
        ck_assert_msg(strstr(nm_error_message(ctx, 0), "t.yaml:") != NULL, "%s", nm_error_message(ctx, 0));
        nm_errors_clear(ctx);
    }
}
END_TEST

/* Aliases of aliases ("billion laughs") and deep nesting end in a message, not in a full memory. */
START_TEST(bombs)
{
    char text[4000] = "a: &a [x,x,x,x,x,x,x,x,x]\n";
    for (int i = 1; i < 12; i++) {
        char line[100], c = (char)('a' + i), b = (char)(c - 1);
        snprintf(line, sizeof line, "%c: &%c [*%c,*%c,*%c,*%c,*%c,*%c,*%c,*%c,*%c]\n", c, c, b, b, b, b, b, b, b, b, b);
        strcat(text, line);
    }
    nm_yaml *tree = NULL;
    ck_assert_int_eq(nm_yaml_parse(ctx, "t.yaml", text, strlen(text), &tree), NM_INVALID);
    memset(text, '[', 3000);
    text[3000] = '\0';
    ck_assert_int_eq(nm_yaml_parse(ctx, "t.yaml", text, strlen(text), &tree), NM_INVALID);
}
END_TEST

START_TEST(edits_and_writing)
{
    nm_yaml *tree =
        parsed("name: x\ntrain: {lr: 0.1, augment: [flip]}\nlayers:\n- relu\n- {name: '1', conv: {filters: 2}}\n");
    ck_assert_int_eq(nm_yaml_set(ctx, tree, "train.lr", "0.2"), NM_OK);
    ck_assert_int_eq(nm_yaml_set(ctx, tree, "train.optimizer", "{adam: {}}"), NM_OK);
    ck_assert_int_eq(nm_yaml_set(ctx, tree, "defaults.conv.kernel", "3"), NM_OK);
    ck_assert_int_eq(nm_yaml_set(ctx, tree, "train.augment", ""), NM_OK);
    nm_yaml_remove(tree, "name");
    nm_yaml *copy = NULL;
    ck_assert_int_eq(nm_yaml_copy(ctx, tree, &copy), NM_OK);
    nm_yaml_free(tree);
    char *text = NULL;
    ck_assert_int_eq(nm_yaml_write(ctx, copy, &text), NM_OK);
    nm_yaml_free(copy);
    nm_yaml *back = parsed(text);
    ck_assert_ptr_null(nm_yaml_get(back, "name"));
    const nm_yaml *train = nm_yaml_get(back, "train");
    ck_assert_str_eq(nm_yaml_text(train, "lr", ""), "0.2");
    ck_assert_str_eq(nm_yaml_text(train, "augment", "?"), "");
    ck_assert_ptr_nonnull(nm_yaml_get(nm_yaml_get(train, "optimizer"), "adam"));
    ck_assert_str_eq(nm_yaml_text(nm_yaml_get(nm_yaml_get(back, "defaults"), "conv"), "kernel", ""), "3");
    const nm_yaml *name = nm_yaml_get(nm_yaml_get(back, "layers")->items[1], "name");
    ck_assert(name->quoted);
    char *again = NULL;
    ck_assert_int_eq(nm_yaml_write(ctx, back, &again), NM_OK);
    ck_assert_str_eq(text, again);
    nm_free(text);
    nm_free(again);
    nm_yaml_free(back);
}
END_TEST

START_TEST(nearest_words)
{
    static const char *const words[] = {"conv", "deconv", "relu", "batchnorm"};
    ck_assert_str_eq(nm_nearest("convv", words, 4), "conv");
    ck_assert_str_eq(nm_nearest("rleu", words, 4), "relu");
    ck_assert_str_eq(nm_nearest("bachnorm", words, 4), "batchnorm");
    ck_assert_ptr_null(nm_nearest("softmax", words, 4));
}
END_TEST

static void add_loop(TCase *tcase)
{
    with_context(tcase);
    tcase_add_loop_test(tcase, wrong_values_are_named, 0, (int)(sizeof wrongs / sizeof *wrongs));
}

/* What is given as text stays text: words that YAML reads as something else are quoted. */
START_TEST(words_that_need_quotes)
{
    static const struct {
        const char *word;
        bool as_text, as_value; /* quoted where it is given as text, where as a value */
    } cases[] = {{"", true, true},       {"~", true, true},     {"Null", true, true},    {"true", true, false},
                 {"FALSE", true, false}, {"yes", true, false},  {"no", true, false},     {"on", true, false},
                 {"Off", true, false},   {"12", true, false},   {"-1.5e3", true, false}, {"0x10", true, false},
                 {"12a", false, false},  {"tru", false, false}, {"nulls", false, false}, {"a b", false, false}};
    for (size_t i = 0; i < 2 * sizeof cases / sizeof *cases; i++) {
        bool text = i % 2 == 0, quoted = text ? cases[i / 2].as_text : cases[i / 2].as_value;
        nm_yaml *tree = parsed("{a: {b: 1}}");
        ck_assert_int_eq(nm_yaml_change(ctx, tree, &(nm_change){"a.b", cases[i / 2].word, NULL, text}), NM_OK);
        const nm_yaml *b = nm_yaml_get(nm_yaml_get(tree, "a"), "b");
        ck_assert_str_eq(b->text, cases[i / 2].word);
        ck_assert_msg(b->quoted == quoted, "'%s' as %s", b->text, text ? "text" : "a value");
        nm_yaml_free(tree);
    }
}
END_TEST

SUITE_WITH("document", add_loop, words_that_need_quotes, values_and_presets, defaults_stand_behind_the_given,
           nothing_is_the_preset, flags_are_named, several_errors_in_one_run, not_yaml, bombs, edits_and_writing,
           nearest_words)
