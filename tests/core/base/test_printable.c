/* What others wrote: each byte, each form of UTF-8, and messages that hold it. */
#include "printable.h"
#include "run_suite.h"
#include "with_context.h"

#include <stdio.h>
#include <string.h>

START_TEST(every_byte)
{
    for (int b = 1; b < 256; b++) {
        const char text[] = {'a', (char)b, 'b', '\0'}, *at = text + 1;
        char out[16], expected[16];
        bool fine = b >= ' ' && b < 127;
        if (fine)
            snprintf(expected, sizeof expected, "%s", text);
        else if (b == '\n')
            snprintf(expected, sizeof expected, "a\\nb");
        else
            snprintf(expected, sizeof expected, "a\\x%02xb", (unsigned)b);
        ck_assert_int_eq(nm_utf8_next(&at), b < 128 ? b : -1);
        ck_assert_ptr_eq(at, text + 2);
        ck_assert_int_eq(nm_text_is_printable(text, ""), fine);
        ck_assert_int_eq(nm_text_is_printable(text, "\n"), fine || b == '\n');
        ck_assert_uint_eq(nm_text_escape(out, sizeof out, text), strlen(expected));
        ck_assert_str_eq(out, expected);
    }
}
END_TEST

static const struct {
    const char *text;
    int character; /* -1: its first byte belongs to none */
    const char *escaped;
} forms[] = {
    {"\u00e4", 0xe4, "\u00e4"},
    {"\u72ac", 0x72ac, "\u72ac"},
    {"\U0001f600", 0x1f600, "\U0001f600"},
    {"\xf4\x8f\xbf\xbf", 0x10ffff, "\xf4\x8f\xbf\xbf"},
    {"\xc2\x9b", 0x9b, "\\u009b"}, /* begins a command of a terminal, as ESC [ does */
    {"\xc2\xa0", 0xa0, "\xc2\xa0"},
    {"\u2028", 0x2028, "\\u2028"},
    {"\u202e", 0x202e, "\\u202e"}, /* turns what follows around */
    {"\u2066", 0x2066, "\\u2066"},
    {"\u200f", 0x200f, "\\u200f"},
    {"\ufeff", 0xfeff, "\\ufeff"},
    {"\xc0\x80", -1, "\\xc0\\x80"}, /* a longer form of NUL */
    {"\xc1\xbf", -1, "\\xc1\\xbf"},
    {"\xe0\x9f\xbf", -1, "\\xe0\\x9f\\xbf"},
    {"\xf0\x8f\xbf\xbf", -1, "\\xf0\\x8f\\xbf\\xbf"},
    {"\xed\xa0\x80", -1, "\\xed\\xa0\\x80"}, /* half of a pair of UTF-16 */
    {"\xf4\x90\x80\x80", -1, "\\xf4\\x90\\x80\\x80"},
    {"\xf8\x88\x80\x80\x80", -1, "\\xf8\\x88\\x80\\x80\\x80"},
    {"\xe7\x8a", -1, "\\xe7\\x8a"}, /* cut */
    {"\xe7\x8a.", -1, "\\xe7\\x8a."},
    {"\xe7", -1, "\\xe7"},
};

START_TEST(every_form_of_utf8)
{
    char out[64];
    const char *at = forms[_i].text;
    ck_assert_int_eq(nm_utf8_next(&at), forms[_i].character);
    ck_assert_ptr_eq(at, forms[_i].text + (forms[_i].character < 0 ? 1 : strlen(forms[_i].text)));
    ck_assert_uint_eq(nm_text_escape(out, sizeof out, forms[_i].text), strlen(forms[_i].escaped));
    ck_assert_str_eq(out, forms[_i].escaped);
    ck_assert_int_eq(nm_text_is_printable(forms[_i].text, ""), strcmp(forms[_i].text, forms[_i].escaped) == 0);
}
END_TEST

START_TEST(what_does_not_fit_is_left_out_whole)
{
    static const char
        text[] = "a\u72ac\x1b"
                 "b",
        *const expected[] = {
            "", "", "a", "a", "a", "a\u72ac", "a\u72ac", "a\u72ac", "a\u72ac", "a\u72ac\\x1b", "a\u72ac\\x1bb"};
    for (size_t size = 1; size < 11; size++) {
        char out[12];
        memset(out, '#', sizeof out);
        ck_assert_uint_eq(nm_text_escape(out, size, text), 9);
        ck_assert_str_eq(out, expected[size]);
        ck_assert_int_eq(out[size], '#');
    }
    ck_assert_uint_eq(nm_text_escape(NULL, 0, text), 9);
}
END_TEST

static char logged[256];

static void keep_line(void *arg, const char *line)
{
    (void)arg;
    snprintf(logged, sizeof logged, "%s", line);
}

START_TEST(messages_are_one_line)
{
    static const char evil[] = "a\nnorma: b\r\x1b[2J\xff";
    ck_assert_int_eq(nm_fail(ctx, NM_INVALID, "%s: not there", evil), NM_INVALID);
    nm_errors_place(ctx, 0, "x\ty");
    ck_assert_str_eq(nm_error_message(ctx, 0), "x\\x09y: a\\nnorma: b\\x0d\\x1b[2J\\xff: not there");
    nm_context_set_log(ctx, keep_line, NULL);
    nm_log(ctx, "%s was passed over", evil);
    ck_assert_str_eq(logged, "a\\nnorma: b\\x0d\\x1b[2J\\xff was passed over");
}
END_TEST

static void add_forms(TCase *tcase)
{
    with_context(tcase);
    tcase_add_loop_test(tcase, every_form_of_utf8, 0, sizeof forms / sizeof *forms);
}

SUITE_WITH("printable", add_forms, every_byte, what_does_not_fit_is_left_out_whole, messages_are_one_line)
