/* Winograd convolution F(4x4, 3x3), points 0, 1, -1, 2, -2, infinity: a quarter of the products.
 * See winograd_2d.h. */
#include "winograd_f43.h" /* the template is made of it */

#include "winograd_2d_template.h"

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
    /* measured: thin products run below full speed, and a transform costs about as much as 900
     * multiply-adds */
    double thin = (1 + 10.0 / g->out.c) * (1 + 10.0 / g->in.c);
    return thin * products * (kind == NM_CONV_WEIGHTS ? 1.15 : 1) + 900 * transforms;
}

extern const nm_conv_algorithm NM_ISA(nm_conv_winograd_4x4);
const nm_conv_algorithm NM_ISA(nm_conv_winograd_4x4) = {
    "winograd_4x4",
    declines,
    cost,
    book,
    forward,
    weights,
    NULL,
    .pieces = pieces,
    .reads_lazy_normalisation = normalises,
    .setup = 40,
    .block = 16 * NM_GEMM_BLOCK,
    .adds = true,
    .pools = true,
};
