/* Winograd convolution F(2, 7) along the width, eight points: eight products where direct summation
 * has fourteen. More outputs at once err too much: F(3, 7) and F(4, 7) came to 1e-5 with the best
 * points found. See winograd_1d_template.h. */
#include "winograd_8_points.h"

enum { TILE = 2, WIDTH = 7, DEEPEST = 160 };

static const double G[8][7] = {{-1, 0, 0, 0, 0, 0, 0},
                               {-2.0 / 9, -2.0 / 9, -2.0 / 9, -2.0 / 9, -2.0 / 9, -2.0 / 9, -2.0 / 9},
                               {-2.0 / 9, 2.0 / 9, -2.0 / 9, 2.0 / 9, -2.0 / 9, 2.0 / 9, -2.0 / 9},
                               {1.0 / 90, 2.0 / 90, 4.0 / 90, 8.0 / 90, 16.0 / 90, 32.0 / 90, 64.0 / 90},
                               {1.0 / 90, -2.0 / 90, 4.0 / 90, -8.0 / 90, 16.0 / 90, -32.0 / 90, 64.0 / 90},
                               {32.0 / 45, 16.0 / 45, 8.0 / 45, 4.0 / 45, 2.0 / 45, 1.0 / 45, 0.5 / 45},
                               {32.0 / 45, -16.0 / 45, 8.0 / 45, -4.0 / 45, 2.0 / 45, -1.0 / 45, 0.5 / 45},
                               {0, 0, 0, 0, 0, 0, 1}};

/* y = A' m */
static inline void output_points(const nm_vector *m, nm_vector *y)
{
    y[0] = m[0] + (m[1] + m[2]) + (m[3] + m[4]) + (m[5] + m[6]);
    y[1] = (m[1] - m[2]) + 2 * (m[3] - m[4]) + 0.5 * (m[5] - m[6]) + m[7];
}

/* y = A d */
static inline void gradient_points(const nm_vector *d, nm_vector *y)
{
    y[0] = d[0];
    y[1] = d[0] + d[1];
    y[2] = d[0] - d[1];
    y[3] = d[0] + 2 * d[1];
    y[4] = d[0] - 2 * d[1];
    y[5] = d[0] + 0.5 * d[1];
    y[6] = d[0] - 0.5 * d[1];
    y[7] = d[1];
}

#define WINOGRAD(name) winograd_1d_7_##name
#include "winograd_1d_template.h"

/* Where neither side fills a vector it was measured no faster than im2col. */
static double WINOGRAD(cost)(const nm_conv_geometry *g, nm_conv_kind kind, bool by_sample, const nm_conv_costs *costs)
{
    (void)by_sample;
    bool narrow = g->in.c < LANES && g->out.c < LANES;
    return cost_of(g, kind, costs, costs->row_8_in, costs->row_8_out) * (narrow ? 2 : 1);
}

extern const nm_conv_algorithm NM_ISA(nm_conv_winograd_1d_7);
const nm_conv_algorithm NM_ISA(nm_conv_winograd_1d_7) = {
    .name = "winograd_1d_7",
    WINOGRAD_1D_FIELDS,
};
