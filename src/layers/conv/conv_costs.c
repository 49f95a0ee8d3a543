/* The table of costs: see conv_costs.h. `build/bench/calibrate models/NAME.yaml...` prints the entry
 * of the instruction set and of OpenBLAS's kernel that it runs under (NORMA_ISA,
 * OPENBLAS_CORETYPE), and with --check how good the choices are. */
#include "conv_costs.h"

#include "find_once.h"
#include "gemm.h"

#include <stddef.h>

#if defined __AVX512F__
/* v4, OpenBLAS's kernel for Cooperlake */
static const nm_conv_costs costs = {
    .thin_pixels = 1.6,
    .thin_patches = 22,
    .thin_tiles = 8.8,
    .patch = 8.8,
    .direct_sum = 1.6,
    .direct_pixel = 72,
    .depthwise_3x3 = 3.5,
    .depthwise_any = 4,
    .depthwise_strided = 9,
    .tile_4x4 = 560,
    .tile_2x2 = 180,
    .row_3_in = 54,
    .row_3_out = 71,
    .row_8_in = 45,
    .row_8_out = 78,
    .weights_1d = 1,
    .weights_2d = 1.2,
};
/* v4, OpenBLAS's kernel for Haswell */
static const nm_conv_costs costs_of_old_kernels = {
    .thin_pixels = 2,
    .thin_patches = 18,
    .thin_tiles = 6.8,
    .patch = 6.8,
    .direct_sum = 0.74,
    .direct_pixel = 82,
    .depthwise_3x3 = 3.5,
    .depthwise_any = 4,
    .depthwise_strided = 9,
    .tile_4x4 = 450,
    .tile_2x2 = 120,
    .row_3_in = 50,
    .row_3_out = 43,
    .row_8_in = 49,
    .row_8_out = 75,
    .weights_1d = 1,
    .weights_2d = 1.2,
};
#elif defined __AVX2__
/* v3, OpenBLAS's kernel for Haswell */
static const nm_conv_costs costs = {
    .thin_pixels = 2,
    .thin_patches = 16,
    .thin_tiles = 5.5,
    .patch = 10,
    .direct_sum = 1.5,
    .direct_pixel = 65,
    .depthwise_3x3 = 3.5,
    .depthwise_any = 4,
    .depthwise_strided = 9,
    .tile_4x4 = 580,
    .tile_2x2 = 170,
    .row_3_in = 71,
    .row_3_out = 71,
    .row_8_in = 44,
    .row_8_out = 81,
    .weights_1d = 1.1,
    .weights_2d = 1.3,
};
#else
static const nm_conv_costs costs = {
    .thin_pixels = 2,
    .thin_patches = 8,
    .thin_tiles = 10,
    .patch = 16,
    .direct_sum = 5,
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
#endif

#ifdef __AVX512F__
/* Whether OpenBLAS multiplies with less than AVX-512, at half its speed. */
static int find_old_kernels(void)
{
    return nm_gemm_core_for(NM_ISA_V4, nm_gemm_core()) != NULL;
}

const nm_conv_costs *NM_ISA(nm_conv_costs_here)(void)
{
    static atomic_int known = -1;
    return nm_find_once(&known, find_old_kernels) ? &costs_of_old_kernels : &costs;
}
#else
const nm_conv_costs *NM_ISA(nm_conv_costs_here)(void)
{
    return &costs;
}
#endif
