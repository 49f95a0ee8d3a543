/* Winograd convolution F(4, 3) along the width, points 0, 1, -1, 2, -2, infinity: half the products. With few channels it beats
 * F(4x4, 3x3), since its products are kernel height times deeper and its transforms smaller; its error lies nearer to that of
 * direct summation. See winograd_1d.h. */
#include "conv.h"

enum { TILE = 4, WIDTH = 3 };

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

#include "winograd_1d_run.h"

static const char *declines(const nm_conv_geometry *g, nm_conv_kind kind)
{
    (void)kind;
    return g->kernel[1] != WIDTH ? "needs a kernel of width 3" : declines_geometry(g);
}

static double cost(const nm_conv_geometry *g, nm_conv_kind kind)
{
    double tiles = (double)g->out.h * nm_pieces(g->out.w, TILE), depth = depth_of(g), width = g->out.c;
    double products = tiles * POINTS * depth * width, thin = (1 + 10 / width) * (1 + 10 / depth);
    /* transforms work on whole vectors of channels */
    double in = nm_pieces(g->in.c, LANES) * (double)LANES, out = nm_pieces(g->out.c, LANES) * (double)LANES;
    double transforms = tiles * (60.0 * (1 + g->kernel[0]) * in + 120.0 * out);
    return thin * products * (kind == NM_CONV_WEIGHTS ? 1.15 : 1) + transforms;
}

extern const nm_conv_algorithm NM_ISA(nm_conv_winograd_1d);
const nm_conv_algorithm NM_ISA(nm_conv_winograd_1d) = {
    "winograd_1d", declines, cost, book, forward, weights, NULL,
};
