/* exp and tanh in plain arithmetic, so that loops over them become vector code: in float within two units in the last
 * place (coefficients of Moshier's Cephes library), in double the C library's. */
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

#else

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
    int32_t exponent = (bits - 0x4b400000 + 127) << 23; /* bits of 2^n; n <= 127 by the clamp */
    float power;
    memcpy(&power, &exponent, sizeof power);
    float y = p * power;
    y = x < -87.3f ? 0.0f : y;
    y = x > 88.7f ? INFINITY : y;
    return x != x ? x : y;
}

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

static inline float nm_log1p(float x)
{
    return log1pf(x);
}

#endif
#endif
