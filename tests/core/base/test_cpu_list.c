/* Lists of CPUs: read, written, refused. */
#include "cpu_list.h"

#include "run_suite.h"

#include <stdio.h>
#include <unistd.h>

static const struct {
    const char *text, *again; /* as it is written; NULL: refused */
} lists[] = {
    {"", ""},
    {"\n", ""},
    {"0\n", "0"},
    {"0-3", "0-3"},
    {"0-3,8,10-11\n", "0-3,8,10-11"},
    {"3,1,2,1", "1-3"},
    {"0-1,2-3", "0-3"},
    {"1020-2000", "1020-1023"}, /* of a machine that is larger than cpu_set_t */
    {"5000", ""},
    {"99999999999999999999", ""},
    {"-1", NULL},
    {"3-1", NULL},
    {"0-", NULL},
    {"0,", NULL},
    {",0", NULL},
    {"0 1", NULL},
    {"0-3x", NULL},
    {"all", NULL},
    {"+1", NULL},
};

START_TEST(texts)
{
    cpu_set_t set;
    char text[64];
    ck_assert_int_eq(nm_cpu_list_parse(lists[_i].text, &set), lists[_i].again != NULL);
    if (lists[_i].again)
        ck_assert_str_eq(nm_cpu_list_text(&set, text, sizeof text), lists[_i].again);
}
END_TEST

START_TEST(too_long_for_the_text)
{
    cpu_set_t set;
    char text[64];
    ck_assert(nm_cpu_list_parse("0,2,4-5,100", &set));
    ck_assert_str_eq(nm_cpu_list_text(&set, text, 15), "0,2,4-5,100");
    ck_assert_str_eq(nm_cpu_list_text(&set, text, 14), "0,2,4-5…");
    ck_assert_str_eq(nm_cpu_list_text(&set, text, 4), "…");
    ck_assert_str_eq(nm_cpu_list_text(&set, text, 1), "");
}
END_TEST

START_TEST(files)
{
    cpu_set_t set;
    char name[] = "/tmp/norma-cpu-list-XXXXXX", text[64];
    int file = mkstemp(name);
    ck_assert(file >= 0 && write(file, "0-1,7\n", 6) == 6);
    ck_assert(nm_cpu_list_read(name, &set));
    ck_assert_str_eq(nm_cpu_list_text(&set, text, sizeof text), "0-1,7");
    for (int i = 0; i < 5000; i++)
        ck_assert(write(file, ",12", 3) == 3);
    ck_assert(!nm_cpu_list_read(name, &set)); /* what is cut off is not believed */
    close(file);
    unlink(name);
    ck_assert(!nm_cpu_list_read(name, &set) && !nm_cpu_list_read("/", &set));
}
END_TEST

static void set_up(TCase *tcase)
{
    tcase_add_loop_test(tcase, texts, 0, sizeof lists / sizeof *lists);
}

SUITE_WITH("CPU lists", set_up, too_long_for_the_text, files)
