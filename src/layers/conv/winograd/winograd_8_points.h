/* The inputs' transform y = B' d of eight points 0, 1, -1, 2, -2, 1/2, -1/2, infinity: of F(4, 5)
 * and F(2, 7), and of every other F(m, r) with m + r = 9. */
#ifndef NM_WINOGRAD_8_POINTS_H
#define NM_WINOGRAD_8_POINTS_H

#include "vector.h"

static inline void input_points(const nm_vector *d, nm_vector *y)
{
    nm_vector p = d[2] - 4.25 * d[4] + d[6], q = d[1] - 4.25 * d[3] + d[5];
    nm_vector r = 0.25 * d[2] - 1.25 * d[4] + d[6], s = 0.5 * d[1] - 2.5 * d[3] + 2 * d[5];
    nm_vector t = 4 * d[2] - 5 * d[4] + d[6], u = 2 * d[1] - 2.5 * d[3] + 0.5 * d[5];
    y[0] = d[6] - d[0] + 5.25 * (d[2] - d[4]);
    y[1] = p + q;
    y[2] = p - q;
    y[3] = r + s;
    y[4] = r - s;
    y[5] = t + u;
    y[6] = t - u;
    y[7] = d[7] - d[1] + 5.25 * (d[3] - d[5]);
}

#endif
