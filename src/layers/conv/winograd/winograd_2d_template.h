/* Winograd convolution F(TILE x TILE, 3x3) (Winograd 1980; Lavin, Gray 2016): a tile of TILE x TILE
 * outputs comes from SIZE x SIZE inputs (SIZE = TILE + 2) through SIZE^2 products instead of 9
 * TILE^2, each of them one matrix product over many tiles:
 *
 *     V = B' d B        [SIZE^2][tiles][C]     inputs
 *     U = G w G'        [SIZE^2][C][K]         weights
 *     M = V U           [SIZE^2][tiles][K]
 *     y = A' M A
 *
 * and for the gradient by the weights, dU = V' (A dy A'), dw = G' dU G.
 *
 * A file includes this header after the constants TILE and FEWEST_ROWS, the macro
 * WINOGRAD(name), which makes a function's name its own, G, and the transforms of one dimension
 * (input_points, output_points, gradient_points); it ends in the algorithm's table. Work is done in
 * one of two ways, which give the same bits going forward:
 *
 *     blocked    a block of tiles goes through all three steps while it is in the core's cache; the
 *                gradient by the weights is summed in partial sums (conv.h);
 *     staged     each step is done for all tiles before the next: where weights are so many that
 *                reading them once for each block would take the time, or blocks so few that
 *                threads would stand idle. Products are then split by points. */
#ifndef NM_WINOGRAD_2D_TEMPLATE_H
#define NM_WINOGRAD_2D_TEMPLATE_H

#include "winograd_2d_forward_template.h"
#include "winograd_2d_weights_template.h"

static const char *WINOGRAD(declines)(const nm_conv_geometry *g, nm_conv_kind kind)
{
    (void)kind;
    if (!nm_conv_is_plain(g))
        return "needs stride 1, dilation 1 and one group";
    if (g->kernel[0] != 3 || g->kernel[1] != 3)
        return "needs a 3x3 kernel";
    if (g->out.h < FEWEST_ROWS || g->out.w < FEWEST_ROWS)
        return FEWEST_ROWS == 2 ? "needs an output of at least 2x2 pixels" : "needs an output of at least 3x3 pixels";
    return NULL;
}

static double WINOGRAD(cost)(const nm_conv_geometry *g, nm_conv_kind kind, bool by_sample, const nm_conv_costs *costs)
{
    blocking b = blocking_of(g, 1, 1, by_sample ? EVALUATION : TRAINING);
    double products = (double)b.rows.padded_rows * POINTS * g->in.c * g->out.c;
    double transforms = (double)b.tiles * (g->in.c + g->out.c);
    double thin = (1 + costs->thin_tiles / g->out.c) * (1 + costs->thin_tiles / g->in.c);
    double each = TILE == 4 ? costs->tile_4x4 : costs->tile_2x2;
    return thin * products * (kind == NM_CONV_WEIGHTS ? costs->weights_2d : 1) + each * transforms;
}

/* Whole rows are normalised, in turn for each block that reads them: worth it where a block has
 * most of them. */
static bool WINOGRAD(normalises)(const nm_conv_geometry *g)
{
    return g->out.w <= TILE * NM_GEMM_BLOCK;
}

static void reserve_way(const nm_conv_geometry *g, int n, way of, size_t *shared, size_t *thread)
{
    int slice = slice_of(g, n, of);
    blocking b = blocking_of(g, slice, slice, of);
    nm_scratch all = {0}, own = {0};
    if (of == WEIGHTS) {
        weights_shared_layout(&all, g, &b, slice);
        weights_own_layout(&own, g, &b);
    } else {
        forward_shared_layout(&all, g, &b);
        forward_own_layout(&own, g, &b);
    }
    *shared = all.size > *shared ? all.size : *shared;
    *thread = own.size > *thread ? own.size : *thread;
}

static int WINOGRAD(chunks)(const nm_conv_geometry *g, int n, int most)
{
    int slice = slice_of(g, most, TRAINING);
    return n / slice * groups_of_slice(g, slice, slice) + groups_of_slice(g, n % slice, slice);
}

/* Training and evaluation may go forward in different ways. */
static void WINOGRAD(reserve)(const nm_conv_geometry *g, nm_conv_kind kind, int n, size_t *shared, size_t *thread)
{
    *shared = *thread = 0;
    if (kind == NM_CONV_WEIGHTS)
        reserve_way(g, n, WEIGHTS, shared, thread);
    for (way of = TRAINING; kind != NM_CONV_WEIGHTS && of <= SLICE; of++)
        reserve_way(g, n, of, shared, thread);
}

/* What the algorithms made by this template have in common. */
#define WINOGRAD_2D_FIELDS                                                                                             \
    .declines = WINOGRAD(declines), .cost = WINOGRAD(cost), .reserve = WINOGRAD(reserve),                              \
    .forward = WINOGRAD(forward), .weights = WINOGRAD(weights), .chunks = WINOGRAD(chunks),                            \
    .reads_lazy_normalisation = WINOGRAD(normalises), .adds = true, .pools = true, .narrows = true

#endif
