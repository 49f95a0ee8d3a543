/* F(4, 3) of one dimension, points 0, 1, -1, 2, -2, infinity: for winograd_4x4.c and winograd_1d.c.
 */
#ifndef NM_WINOGRAD_F43_H
#define NM_WINOGRAD_F43_H

#include "vector.h"

enum { TILE = 4 };

static const double G[6][3] = {{1.0 / 4, 0, 0},
                               {-1.0 / 6, -1.0 / 6, -1.0 / 6},
                               {-1.0 / 6, 1.0 / 6, -1.0 / 6},
                               {1.0 / 24, 1.0 / 12, 1.0 / 6},
                               {1.0 / 24, -1.0 / 12, 1.0 / 6},
                               {0, 0, 1}};

/* y = B' d */
static inline void input_points(const nm_vector *d, nm_vector *y)
{
    nm_vector p = d[4] - 4 * d[2], q = d[3] - 4 * d[1], r = d[4] - d[2], s = 2 * (d[3] - d[1]);
    y[0] = 4 * d[0] - 5 * d[2] + d[4];
    y[1] = p + q;
    y[2] = p - q;
    y[3] = r + s;
    y[4] = r - s;
    y[5] = 4 * d[1] - 5 * d[3] + d[5];
}

/* y = A' m */
static inline void output_points(const nm_vector *m, nm_vector *y)
{
    nm_vector p = m[1] + m[2], q = m[1] - m[2], r = m[3] + m[4], s = m[3] - m[4];
    y[0] = m[0] + p + r;
    y[1] = q + 2 * s;
    y[2] = p + 4 * r;
    y[3] = q + 8 * s + m[5];
}

/* y = A d */
static inline void gradient_points(const nm_vector *d, nm_vector *y)
{
    nm_vector p = d[0] + d[2], q = d[1] + d[3], r = d[0] + 4 * d[2], s = 2 * d[1] + 8 * d[3];
    y[0] = d[0];
    y[1] = p + q;
    y[2] = p - q;
    y[3] = r + s;
    y[4] = r - s;
    y[5] = d[3];
}

#endif
