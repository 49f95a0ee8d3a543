/* Winograd convolution F(4, 3) along the width, points 0, 1, -1, 2, -2, infinity: half the
 * products. With few channels it beats F(4x4, 3x3), since its products are kernel height times
 * deeper and its transforms smaller; its error lies nearer to that of direct summation. See
 * winograd_1d_template.h. */
#include "winograd_f43.h"

enum { WIDTH = 3, DEEPEST = 1 << 30 };

#define WINOGRAD(name) winograd_1d_##name
#include "winograd_1d_template.h"

static double WINOGRAD(cost)(const nm_conv_geometry *g, nm_conv_kind kind, bool by_sample, const nm_conv_costs *costs)
{
    (void)by_sample;
    return cost_of(g, kind, costs, costs->row_3_in, costs->row_3_out);
}

extern const nm_conv_algorithm NM_ISA(nm_conv_winograd_1d);
const nm_conv_algorithm NM_ISA(nm_conv_winograd_1d) = {
    .name = "winograd_1d",
    WINOGRAD_1D_FIELDS,
};
