/* Winograd convolution F(4x4, 3x3), points 0, 1, -1, 2, -2, infinity: a quarter of the products.
 * See winograd_2d_template.h. */
#include "winograd_f43.h"

enum { FEWEST_ROWS = 3 };
#define WINOGRAD(name) winograd_4x4_##name

#include "winograd_2d_template.h"

extern const nm_conv_algorithm NM_ISA(nm_conv_winograd_4x4);
const nm_conv_algorithm NM_ISA(nm_conv_winograd_4x4) = {
    .name = "winograd_4x4",
    WINOGRAD_2D_FIELDS,
    .setup = 40,
    .block = 16 * NM_GEMM_BLOCK,
};
