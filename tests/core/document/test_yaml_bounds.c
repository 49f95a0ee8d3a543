/* Texts that are made to be slow or large: each is read, or refused with a message, in time that is
 * in proportion to its length. */
#include "alloc.h"
#include "document.h"
#include "run_suite.h"
#include "with_context.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

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

/* The text up to a megabyte. */
static void fill(const char *part)
{
    size_t length = strlen(part);
    for (size = 0; size + length <= NM_YAML_MOST; size += length)
        memcpy(text + size, part, length);
}

/* Processor time, for the machine may be busy. What takes a time by the square of the length takes
 * 20 s and more for any of these texts. */
enum { MOST_SECONDS = 4 };

static nm_status parse(nm_yaml **tree)
{
    clock_t start = clock();
    nm_status status = nm_yaml_parse(ctx, "t.yaml", text, size, tree);
    double seconds = (double)(clock() - start) / CLOCKS_PER_SEC;
    ck_assert_msg(seconds < MOST_SECONDS, "%.40s… took %.1f s", text, seconds);
    return status;
}

static void refuses(const char *message)
{
    nm_yaml *tree;
    ck_assert_int_eq(parse(&tree), NM_INVALID);
    ck_assert_ptr_null(tree);
    ck_assert_msg(strstr(nm_error_message(ctx, 0), message) != NULL, "%.40s gave '%s', not '%s'", text,
                  nm_error_message(ctx, 0), message);
    nm_errors_clear(ctx);
}

static const struct {
    const char *part, *message;
} repeated[] = {
    {"[", "t.yaml:1:66: nested too deeply: expected at most 64 levels"},
    {"{", "t.yaml:1:66: nested too deeply"},
    {"- ", "nested too deeply"},
    {"? ", "nested too deeply"},
    {"[a, ", "nested too deeply"},
    {"{a: ", "nested too deeply"},
    {"[{x: ", "nested too deeply"},
    {"- a\n", "too many values: expected at most 131072"},
    {"%TAG ! x\n", "%TAG is not read"},
    {"---\n", "a second document begins: expected one"},
    {"a: ", "not YAML: mapping values are not allowed"},
    {"&a ", "not YAML"},
    {"\t", "not YAML"},
    {"\"", "not YAML"},
    {":", "not YAML"},
    {"\n[", "nested too deeply"},
};

START_TEST(a_megabyte_of)
{
    fill(repeated[_i].part);
    refuses(repeated[_i].message);
}
END_TEST

START_TEST(many_keys)
{
    nm_yaml *tree;
    size = 0;
    for (int i = 0; i < 60000; i++)
        put("k%d: %d\n", i, i);
    ck_assert_int_eq(parse(&tree), NM_OK);
    ck_assert_int_eq(tree->count, 60000);
    ck_assert_str_eq(nm_yaml_text(tree, "k59999", ""), "59999");
    nm_yaml_free(tree);
    put("k7: again\n");
    refuses("t.yaml:60001:1: key 'k7' is given twice, first in line 8: keep one of them");
}
END_TEST

START_TEST(keys_given_often)
{
    size = 0;
    put("a: 1\nb: 2\nb: &x {c: 1}\na: *x\n[l]: 3\na: 4\nd: *x\n");
    nm_yaml *tree;
    ck_assert_int_eq(parse(&tree), NM_INVALID);
    ck_assert_int_eq(nm_error_count(ctx), 4);
    ck_assert_str_eq(nm_error_message(ctx, 0), "t.yaml:3:1: key 'b' is given twice, first in line 2: keep one of them");
    ck_assert_str_eq(nm_error_message(ctx, 1), "t.yaml:4:1: key 'a' is given twice, first in line 1: keep one of them");
    ck_assert_str_eq(nm_error_message(ctx, 2), "t.yaml:5:1: a key must be a word");
    ck_assert_str_eq(nm_error_message(ctx, 3), "t.yaml:6:1: key 'a' is given twice, first in line 1: keep one of them");
}
END_TEST

START_TEST(aliases)
{
    nm_yaml *tree;
    size = 0;
    put("a: &a {k: [1, 'x']}\nb: *a\nc: &c word\nd: [*c, *a]\n*c : e\n");
    ck_assert_int_eq(parse(&tree), NM_OK);
    const nm_yaml *b = nm_yaml_get(tree, "b"), *k = nm_yaml_get(b, "k");
    ck_assert_int_eq(k->count, 2);
    ck_assert_int_eq(k->items[0]->column, 12); /* where its value stands */
    ck_assert(k->items[1]->quoted);
    ck_assert_str_eq(nm_yaml_get(tree, "d")->items[0]->text, "word");
    ck_assert_str_eq(nm_yaml_text(tree, "word", ""), "e");
    nm_yaml_free(tree);
    size = 0;
    for (int i = 0; i < 30000; i++)
        put("- &a%d x\n- *a%d\n", i, i);
    ck_assert_int_eq(parse(&tree), NM_OK);
    ck_assert_int_eq(tree->count, 60000);
    nm_yaml_free(tree);
}
END_TEST

START_TEST(aliases_that_grow)
{
    size = 0;
    put("a: &a [x,x,x,x,x,x,x,x,x]\n");
    for (int i = 1; i < 9; i++) {
        put("%c: &%c [", 'a' + i, 'a' + i);
        for (int k = 0; k < 9; k++)
            put("*%c,", 'a' + i - 1);
        put("]\n");
    }
    refuses("too many values: expected at most 131072 (what aliases repeat counts each time)");
    size = 0;
    put("a: &a %0400000d\nb: [", 0);
    for (int i = 0; i < 100000; i++)
        put("*a,");
    put("]\n");
    refuses("aliases repeat more than 4 MiB of text");
    size = 0;
    put("a: &a [*a]\n");
    refuses("t.yaml:1:8: not YAML: found undefined alias");
    size = 0;
    put("a: &a 1\nb: &a 2\n");
    refuses("t.yaml:2:4: not YAML: found duplicate anchor");
    size = 0; /* nested below an alias deeper than the text is */
    put("a0: &a0 x\n");
    for (int i = 1; i < 70; i++)
        put("a%d: &a%d [*a%d]\n", i, i, i - 1);
    refuses("nested too deeply");
}
END_TEST

START_TEST(tags)
{
    size = 0;
    for (int i = 0; i < 60000; i++)
        put("%%TAG !a%d! x\n", i);
    put("---\na: 1\n");
    refuses("%TAG is not read");
    size = 0; /* in UTF-16 */
    for (int i = 0; i < 20000; i++) {
        char line[32];
        int length = snprintf(line, sizeof line, "%%TAG !a%d! x\n", i);
        for (int k = 0; k < length; k++, size += 2)
            memcpy(text + size, (char[]){line[k], 0}, 2);
    }
    refuses("%TAG is not read");
    size = 0;
    put("%%TAG ! %0400000d\n---\n[", 0);
    for (int i = 0; i < 100000; i++)
        put("!a b,");
    put("]\n");
    refuses("%TAG is not read");
    size = 0;
    put("a: '%%TAG'\nb: !x 1\n");
    nm_yaml *tree;
    ck_assert_int_eq(parse(&tree), NM_OK);
    ck_assert_str_eq(nm_yaml_text(tree, "b", ""), "1");
    nm_yaml_free(tree);
}
END_TEST

START_TEST(long_words)
{
    nm_yaml *tree;
    static const char *const around[][2] = {{"a: ", "\n"}, {"a: \"", "\"\n"}, {"a: |\n ", "\n"}, {"# ", "\na: 0\n"}};
    for (size_t i = 0; i < sizeof around / sizeof *around; i++) {
        size = 0;
        put("%s%01000000d%s", around[i][0], 0, around[i][1]);
        ck_assert_int_eq(parse(&tree), NM_OK);
        ck_assert_uint_ge(strlen(nm_yaml_text(tree, "a", "")), i < 3 ? 1000000 : 1);
        nm_yaml_free(tree);
    }
}
END_TEST

START_TEST(what_follows_the_document)
{
    size = 0;
    put("{a: 1} junk\n");
    refuses("t.yaml:1:8: not YAML");
    size = 0;
    put("a: 1\n---\nb: 2\n");
    refuses("t.yaml:2: a second document begins: expected one");
    size = 0;
    put("---\na: 1\n...\n# the end\n");
    nm_yaml *tree;
    ck_assert_int_eq(parse(&tree), NM_OK);
    nm_yaml_free(tree);
}
END_TEST

START_TEST(size_of_a_file)
{
    char path[] = "/tmp/norma-test-XXXXXX";
    int fd = mkstemp(path);
    nm_yaml *tree;
    ck_assert_int_ge(fd, 0);
    fill("\n");
    ck_assert_int_eq(parse(&tree), NM_OK); /* just as long as it may be */
    nm_yaml_free(tree);
    text[size++] = '\n';
    refuses("expected at most 1024 KiB of YAML");
    ck_assert_int_eq(ftruncate(fd, (off_t)1 << 40), 0); /* no block of it is there */
    close(fd);
    ck_assert_int_eq(nm_yaml_load(ctx, path, &tree), NM_INVALID);
    ck_assert_msg(strstr(nm_error_message(ctx, 0), "found 1099511627776 bytes; expected a model file of at most"), "%s",
                  nm_error_message(ctx, 0));
    unlink(path);
}
END_TEST

static void set_up(TCase *tcase)
{
    with_context(tcase);
    tcase_set_timeout(tcase, 120);
    tcase_add_loop_test(tcase, a_megabyte_of, 0, (int)(sizeof repeated / sizeof *repeated));
}

SUITE_WITH("yaml bounds", set_up, many_keys, keys_given_often, aliases, aliases_that_grow, tags, long_words,
           what_follows_the_document, size_of_a_file)
