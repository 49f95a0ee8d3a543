/* Numbers as text: few digits, and the same number again. */
#include "number_text.h"

#include "rng.h"
#include "run_suite.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

START_TEST(as_a_person_writes_them)
{
    static const struct {
        double number;
        const char *text;
    } cases[] = {{0.1, "0.1"},
                 {-2, "-2"},
                 {1e-5, "1e-05"},
                 {250, "250"},
                 {1234567, "1234567"},
                 {0.3, "0.3"},
                 {1e300, "1e+300"},
                 {0.1 + 0.2, "0.30000000000000004"},
                 {0, "0"},
                 {-0.0, "-0"},
                 {(double)NAN, "nan"},
                 {(double)-INFINITY, "-inf"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[NM_NUMBER_TEXT];
        nm_number_text(cases[i].number, text);
        ck_assert_str_eq(text + (cases[i].number != cases[i].number && *text == '-'), cases[i].text);
    }
    char text[NM_NUMBER_TEXT];
    nm_float_text(0.1f, text);
    ck_assert_str_eq(text, "0.1");
    nm_float_text(16777216, text);
    ck_assert_str_eq(text, "16777216");
}
END_TEST

START_TEST(the_same_again)
{
    nm_rng r = nm_rng_stream(3, "test", "numbers");
    for (int i = 0; i < 20000; i++) {
        char text[NM_NUMBER_TEXT];
        double x = (nm_rng_uniform(&r) - 0.5) * pow(10, 600 * nm_rng_uniform(&r) - 300);
        float f = (float)((nm_rng_uniform(&r) - 0.5) * pow(10, 70 * nm_rng_uniform(&r) - 35));
        nm_number_text(x, text);
        double again = strtod(text, NULL);
        ck_assert(memcmp(&again, &x, sizeof x) == 0);
        nm_float_text(f, text);
        float again_f = strtof(text, NULL);
        ck_assert(memcmp(&again_f, &f, sizeof f) == 0);
    }
}
END_TEST

SUITE("number text", as_a_person_writes_them, the_same_again)
