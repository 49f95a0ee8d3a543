/* Names within rows of CSV: back as they were, and no formula. */
#include "csv.h"

#include "run_suite.h"

#include <stdlib.h>
#include <string.h>

static char *field_of(const char *text)
{
    char *field;
    size_t size;
    FILE *f = open_memstream(&field, &size);
    nm_csv_put(f, text);
    fputs(",7\n", f);
    fclose(f);
    return field;
}

START_TEST(as_they_are_written)
{
    static const char *const cases[][2] = {
        {"c1", "c1,7\n"},       {"a b", "a b,7\n"},
        {"a,b", "\"a,b\",7\n"}, {"a\"b", "\"a\"\"b\",7\n"},
        {"\"", "\"\"\"\",7\n"}, {"=1+2", "'=1+2,7\n"},
        {"+1", "'+1,7\n"},      {"-x", "'-x,7\n"},
        {"@y", "'@y,7\n"},      {"=HYPERLINK(\"http://x\",\"y\")", "\"'=HYPERLINK(\"\"http://x\"\",\"\"y\"\")\",7\n"},
        {"'=1", "''=1,7\n"},    {"'x", "'x,7\n"},
        {"a=b", "a=b,7\n"},     {"", ",7\n"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *field = field_of(cases[i][0]), back[64];
        const char *at = field;
        ck_assert_str_eq(field, cases[i][1]);
        ck_assert(nm_csv_take(&at, back, sizeof back));
        ck_assert_str_eq(back, cases[i][0]);
        ck_assert_str_eq(at, "7\n");
        free(field);
    }
}
END_TEST

START_TEST(every_short_name)
{
    static const char letters[] = "',\"=+-@a ";
    enum { LETTERS = sizeof letters - 1 };
    for (int n = 0; n < LETTERS * LETTERS * LETTERS * LETTERS; n++) {
        char text[5] = "", back[8];
        for (int i = 0, rest = n; i < 4; i++, rest /= LETTERS)
            text[i] = letters[rest % LETTERS];
        char *field = field_of(text);
        const char *at = field;
        ck_assert_msg(nm_csv_take(&at, back, sizeof back) && strcmp(back, text) == 0, "%s: %s", text, field);
        char first = field[*field == '"'];
        ck_assert_msg(!strchr("=+-@", first) || first == '\0', "%s", field);
        free(field);
    }
}
END_TEST

START_TEST(what_is_no_field)
{
    static const char *const wrong[] = {"",         "\n",      "a",     "a\n,",    "\"a",
                                        "\"a\n\",", "\"a\"b,", "\"a\"", "\"\"\",", "12345678,"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        char text[8];
        const char *at = wrong[i];
        ck_assert_msg(!nm_csv_take(&at, text, sizeof text), "%s", wrong[i]);
        ck_assert_ptr_eq(at, wrong[i]);
    }
}
END_TEST

SUITE("csv", as_they_are_written, every_short_name, what_is_no_field)
