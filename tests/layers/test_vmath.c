/* The domains and errors that vmath.h states, against the C library in double. */
#include "vmath.h"

#include "run_suite.h"

#include <float.h>

typedef real narrow(real x);
typedef double wide(double x);

/* Distance between floating-point numbers at |value|. */
static double ulp_of(double value)
{
    double least = sizeof(real) == sizeof(float) ? FLT_MIN : DBL_MIN;
    int exponent;
    frexp(fmax(fabs(value), least), &exponent);
    return ldexp(1, exponent - (sizeof(real) == sizeof(float) ? FLT_MANT_DIG : DBL_MANT_DIG));
}

/* Every 997th float from least to most. */
static void check_errors(const char *name, narrow *f, wide *exact, float least, float most, double ulps)
{
    for (uint64_t bits = 0; bits <= UINT32_MAX; bits += 997) {
        float x;
        memcpy(&x, &(uint32_t){(uint32_t)bits}, sizeof x);
        if (!(x >= least && x <= most))
            continue;
        double expected = exact((double)x), off = fabs((double)f((real)x) - expected);
        if (!(off <= ulps * ulp_of(expected)))
            ck_abort_msg("%s(%.9g): expected %.9g, found %.9g, which is %.2f ulp off", name, (double)x, expected,
                         (double)f((real)x), off / ulp_of(expected));
    }
}

START_TEST(errors_in_the_domain)
{
    check_errors("exp", nm_exp, exp, -87.3f, 88.37f, 1);
    check_errors("tanh", nm_tanh, tanh, -INFINITY, INFINITY, 1.5);
    check_errors("log1p", nm_log1p, log1p, -0.5f, 1, 2);
    check_errors("expm1", nm_expm1, expm1, -INFINITY, 0, 3);
}
END_TEST

/* Of erfc the absolute and the relative error. */
START_TEST(errors_of_erfc)
{
    for (int i = -12000; i <= 9000; i++) {
        double x = i / 1000.0, expected = erfc((double)(real)x), off = fabs((double)nm_erfc((real)x) - expected);
        ck_assert_msg(off < 6e-7 && off < 1e-5 * expected, "erfc(%g): expected %.9g, found %.9g", x, expected,
                      (double)nm_erfc((real)x));
    }
}
END_TEST

START_TEST(ends_and_nan)
{
    ck_assert(nm_exp(-1000) == 0);
    ck_assert(isinf(nm_exp(1000)));
    ck_assert(nm_exp(0) == 1);
    ck_assert(nm_tanh(1000) == 1 && nm_tanh(-1000) == -1);
    ck_assert(nm_log1p(0) == 0 && nm_expm1(0) == 0 && nm_expm1(-1000) == -1);
    ck_assert(isnan(nm_exp((real)NAN)) && isnan(nm_tanh((real)NAN)) && isnan(nm_log1p((real)NAN)));
    ck_assert(isnan(nm_expm1((real)NAN)) && isnan(nm_erfc((real)NAN)));
}
END_TEST

SUITE("vmath", errors_in_the_domain, errors_of_erfc, ends_and_nan)
