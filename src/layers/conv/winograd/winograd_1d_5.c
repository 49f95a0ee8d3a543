/* Winograd convolution F(4, 5) along the width, eight points: eight products where direct summation
 * has twenty, and hardly more error than F(4, 3). See winograd_1d_template.h. */
#include "winograd_8_points.h"

enum { TILE = 4, WIDTH = 5, DEEPEST = 160 };

static const double G[8][5] = {{-1, 0, 0, 0, 0},
                               {-2.0 / 9, -2.0 / 9, -2.0 / 9, -2.0 / 9, -2.0 / 9},
                               {-2.0 / 9, 2.0 / 9, -2.0 / 9, 2.0 / 9, -2.0 / 9},
                               {1.0 / 90, 2.0 / 90, 4.0 / 90, 8.0 / 90, 16.0 / 90},
                               {1.0 / 90, -2.0 / 90, 4.0 / 90, -8.0 / 90, 16.0 / 90},
                               {32.0 / 45, 16.0 / 45, 8.0 / 45, 4.0 / 45, 2.0 / 45},
                               {32.0 / 45, -16.0 / 45, 8.0 / 45, -4.0 / 45, 2.0 / 45},
                               {0, 0, 0, 0, 1}};

/* y = A' m */
static inline void output_points(const nm_vector *m, nm_vector *y)
{
    nm_vector p = m[1] + m[2], q = m[1] - m[2], r = m[3] + m[4], s = m[3] - m[4], t = m[5] + m[6], u = m[5] - m[6];
    y[0] = m[0] + p + r + t;
    y[1] = q + 2 * s + 0.5 * u;
    y[2] = p + 4 * r + 0.25 * t;
    y[3] = q + 8 * s + 0.125 * u + m[7];
}

/* y = A d */
static inline void gradient_points(const nm_vector *d, nm_vector *y)
{
    nm_vector p = d[0] + d[2], q = d[1] + d[3], r = d[0] + 4 * d[2], s = 2 * d[1] + 8 * d[3];
    nm_vector t = d[0] + 0.25 * d[2], u = 0.5 * d[1] + 0.125 * d[3];
    y[0] = d[0];
    y[1] = p + q;
    y[2] = p - q;
    y[3] = r + s;
    y[4] = r - s;
    y[5] = t + u;
    y[6] = t - u;
    y[7] = d[3];
}

#define WINOGRAD(name) winograd_1d_5_##name
#include "winograd_1d_template.h"

static double WINOGRAD(cost)(const nm_conv_geometry *g, nm_conv_kind kind, bool by_sample, const nm_conv_costs *costs)
{
    (void)by_sample;
    return cost_of(g, kind, costs, costs->row_8_in, costs->row_8_out);
}

extern const nm_conv_algorithm NM_ISA(nm_conv_winograd_1d_5);
const nm_conv_algorithm NM_ISA(nm_conv_winograd_1d_5) = {
    .name = "winograd_1d_5",
    WINOGRAD_1D_FIELDS,
};
