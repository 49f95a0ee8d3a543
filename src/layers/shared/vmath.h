/* exp, tanh and their like in plain arithmetic, so that loops over them become vector code. In
 * double they are the C library's; in float each has a domain and an error, which stand at it (ulp:
 * units in the last place of the exact value; tests/layers/test_vmath.c holds them). NaN gives NaN.
 * Where float's exp would leave its domain, write the formula with exp(-|x|). */
#ifndef NM_VMATH_H
#define NM_VMATH_H

#include "real.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

#ifdef NM_DOUBLE

static inline double nm_exp(double x)
{
    return exp(x);
}
static inline double nm_tanh(double x)
{
    return tanh(x);
}
static inline double nm_log1p(double x)
{
    return log1p(x);
}
static inline double nm_expm1(double x)
{
    return expm1(x);
}
static inline double nm_erfc(double x)
{
    return erfc(x);
}

#else

/* Any x. Within 1 ulp from -87.3 to 88.37; 0 below, infinity above, where float still has numbers
 * up to 88.72. Coefficients of Moshier's Cephes library. */
static inline float nm_exp(float x)
{
    const float magic = 12582912.0f; /* 1.5 * 2^23: adding it rounds to a whole number */
    float clamped = x < -87.3f ? -87.3f : x > 88.7f ? 88.7f : x;
    float turns = clamped * 1.44269504088896341f + magic;
    float n = turns - magic;
    float r = clamped - n * 0.693359375f + n * 2.12194440e-4f;
    float p = 1.9875691500e-4f;
    p = p * r + 1.3981999507e-3f;
    p = p * r + 8.3334519073e-3f;
    p = p * r + 4.1665795894e-2f;
    p = p * r + 1.6666665459e-1f;
    p = p * r + 5.0000001201e-1f;
    p = p * r * r + r + 1.0f;
    int32_t bits;
    memcpy(&bits, &turns, sizeof bits);
    int32_t exponent = (bits - 0x4b400000 + 127) << 23; /* bits of 2^n; n is at most 128, for infinity */
    float power;
    memcpy(&power, &exponent, sizeof power);
    float y = p * power;
    y = x < -87.3f ? 0.0f : y;
    y = x > 88.7f ? INFINITY : y;
    return x != x ? x : y;
}

/* Any x, within 1.5 ulp. Coefficients of Cephes. */
static inline float nm_tanh(float x)
{
    float z = x * x, a = x < 0 ? -x : x;
    float p = -5.70498872745e-3f;
    p = p * z + 2.06390887954e-2f;
    p = p * z - 5.37397155531e-2f;
    p = p * z + 1.33314422036e-1f;
    p = p * z - 3.33332819422e-1f;
    float near = p * z * x + x, far = 1.0f - 2.0f / (nm_exp(2.0f * a) + 1.0f);
    far = x < 0 ? -far : far;
    float y = a < 0.625f ? near : far;
    return x != x ? x : y;
}

/* log(1 + x) for x from -0.5 to 1 only, within 2 ulp: 2 atanh(x / (2 + x)) by the series in z^2 <=
 * 1/9. log(1 + exp(x)) is therefore max(x, 0) + nm_log1p(nm_exp(-|x|)). */
static inline float nm_log1p(float x)
{
    float z = x / (2.0f + x), s = z * z;
    float p = 1.0f / 13;
    p = p * s + 1.0f / 11;
    p = p * s + 1.0f / 9;
    p = p * s + 1.0f / 7;
    p = p * s + 1.0f / 5;
    p = p * s + 1.0f / 3;
    return 2.0f * z + 2.0f * z * s * p;
}

/* exp(x) - 1 for x <= 0 only, within 3 ulp (above zero the series near zero is too short): near
 * zero by the series, else exp(x) - 1. */
static inline float nm_expm1(float x)
{
    float p = 1.0f / 720;
    p = p * x + 1.0f / 120;
    p = p * x + 1.0f / 24;
    p = p * x + 1.0f / 6;
    p = p * x + 0.5f;
    float near = p * x * x + x, far = nm_exp(x) - 1.0f;
    return x > -0.25f ? near : far;
}

/* Any x. Absolute error below 6e-7, relative below 1e-5 up to 9, behind which the values leave
 * float's normal range: a Chebyshev fit (Press et al., Numerical Recipes, section 6.2), whose
 * exponent is rounded to float. */
static inline float nm_erfc(float x)
{
    float a = x < 0 ? -x : x, t = 1.0f / (1.0f + 0.5f * a);
    float p = 0.17087277f;
    p = p * t - 0.82215223f;
    p = p * t + 1.48851587f;
    p = p * t - 1.13520398f;
    p = p * t + 0.27886807f;
    p = p * t - 0.18628806f;
    p = p * t + 0.09678418f;
    p = p * t + 0.37409196f;
    p = p * t + 1.00002368f;
    p = p * t - 1.26551223f;
    float y = t * nm_exp(p - a * a);
    return x < 0 ? 2.0f - y : y;
}

#endif
#endif
