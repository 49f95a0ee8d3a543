#include "finite.h"

enum { LANES = 16 }; /* side by side, so that the compiler makes vectors of them */

bool nm_all_finite(const real *values, size_t count)
{
    real sums[LANES] = {0}, sum = 0; /* 0, or NaN from a NaN or an infinity on */
    size_t whole = count - count % LANES;
    for (size_t i = 0; i < whole; i += LANES)
        for (size_t k = 0; k < LANES; k++)
            sums[k] += values[i + k] * (real)0;
    for (size_t i = whole; i < count; i++)
        sum += values[i] * (real)0;
    for (size_t k = 0; k < LANES; k++)
        sum += sums[k];
    return sum == 0;
}
