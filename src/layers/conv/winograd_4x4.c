/* Winograd convolution F(4x4, 3x3), points 0, 1, -1, 2, -2, infinity: a quarter of the products. See winograd_2d.h. */
#include "conv.h"

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

#include "winograd_run.h"

static const char *declines(const nm_conv_geometry *g, nm_conv_kind kind)
{
    (void)kind;
    const char *why = declines_geometry(g);
    return why ? why : g->out.h < 3 || g->out.w < 3 ? "needs an output of at least 3x3 pixels" : NULL;
}

static double cost(const nm_conv_geometry *g, nm_conv_kind kind)
{
    blocking b = blocking_of(g, 1, 1, false);
    double tiles = (double)b.tiles;
    double products = tiles * POINTS * g->in.c * g->out.c, transforms = tiles * (g->in.c + g->out.c);
    /* measured: thin products run below full speed, and a transform costs about as much as 900 multiply-adds */
    double thin = (1 + 10.0 / g->out.c) * (1 + 10.0 / g->in.c);
    return thin * products * (kind == NM_CONV_WEIGHTS ? 1.15 : 1) + 900 * transforms;
}

extern const nm_conv_algorithm NM_ISA(nm_conv_winograd_4x4);
const nm_conv_algorithm NM_ISA(nm_conv_winograd_4x4) = {
    "winograd_4x4", declines, cost, book, forward, weights, NULL, .pieces = pieces, .setup = 40, .block = 16 * NM_GEMM_BLOCK, .adds = true, .pools = true,
};
