/* The table of costs: see conv_costs.h. `build/bench/calibrate` prints the entry of the instruction
 * set and the kernel that it runs under. */
#include "conv_costs.h"

#include "gemm.h"

static const nm_conv_costs costs = {
    .thin_pixels = 2,
    .thin_patches = 8,
    .thin_tiles = 10,
    .patch = 16,
#if defined __AVX512F__
    .direct_sum = 1.35,
#elif defined __AVX2__
    .direct_sum = 1.75,
#else
    .direct_sum = 5,
#endif
    .direct_pixel = 60,
    .depthwise_3x3 = 3.5,
    .depthwise_any = 4,
    .depthwise_strided = 9,
    .tile_4x4 = 900,
    .tile_2x2 = 400,
    .row_3_in = 60,
    .row_3_out = 120,
    .row_8_in = 30,
    .row_8_out = 60,
    .weights_1d = 1.15,
    .weights_2d = 1.15,
};

const nm_conv_costs *NM_ISA(nm_conv_costs_here)(void)
{
    return &costs;
}
