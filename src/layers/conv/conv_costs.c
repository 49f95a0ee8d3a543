/* The table of costs: see conv_costs.h. `build/bench/calibrate models/NAME.yaml...` prints the
 * entry of the instruction set and of OpenBLAS's kernel that it runs under (NORMA_ISA,
 * OPENBLAS_CORETYPE), and with --check how good the choices are. */
#include "conv_costs.h"

#include "find_once.h"
#include "gemm.h"

#include <stddef.h>

#if defined __AVX512F__
/* v4, OpenBLAS's kernel for Cooperlake */
static const nm_conv_costs costs = {
    .thin = 1.4,
    .thin_tiles = 9.6,
    .patch = 7.8,
    .patch_row = 480,
    .direct_sum = 1.4,
    .direct_pixel = 79,
    .depthwise_3x3 = 3.5,
    .depthwise_any = 4,
    .depthwise_strided = 9,
    .tile_4x4 = 480,
    .tile_2x2 = 130,
    .row_3_in = 47,
    .row_3_out = 75,
    .row_8_in = 47,
    .row_8_out = 69,
    .weights_1d = 1,
    .weights_2d = 1.3,
};
/* v4, OpenBLAS's kernel for Haswell */
static const nm_conv_costs costs_of_old_kernels = {
    .thin = 2.2,
    .thin_tiles = 4.5,
    .patch = 6.8,
    .patch_row = 160,
    .direct_sum = 0.71,
    .direct_pixel = 82,
    .depthwise_3x3 = 3.5,
    .depthwise_any = 4,
    .depthwise_strided = 9,
    .tile_4x4 = 370,
    .tile_2x2 = 92,
    .row_3_in = 38,
    .row_3_out = 27,
    .row_8_in = 50,
    .row_8_out = 69,
    .weights_1d = 1,
    .weights_2d = 1.2,
};
#elif defined __AVX2__
/* v3, OpenBLAS's kernel for Haswell */
static const nm_conv_costs costs = {
    .thin = 1.1,
    .thin_tiles = 9.4,
    .patch = 12,
    .patch_row = 390,
    .direct_sum = 1.4,
    .direct_pixel = 77,
    .depthwise_3x3 = 3.5,
    .depthwise_any = 4,
    .depthwise_strided = 9,
    .tile_4x4 = 440,
    .tile_2x2 = 120,
    .row_3_in = 73,
    .row_3_out = 46,
    .row_8_in = 86,
    .row_8_out = 84,
    .weights_1d = 0.96,
    .weights_2d = 1.2,
};
#else
/* base, OpenBLAS's kernel for Nehalem */
static const nm_conv_costs costs = {
    .thin = 3.5,
    .thin_tiles = 2.8,
    .patch = 11,
    .patch_row = 110,
    .direct_sum = 1.2,
    .direct_pixel = 80,
    .depthwise_3x3 = 3.5,
    .depthwise_any = 4,
    .depthwise_strided = 9,
    .tile_4x4 = 420,
    .tile_2x2 = 140,
    .row_3_in = 45,
    .row_3_out = 37,
    .row_8_in = 61,
    .row_8_out = 72,
    .weights_1d = 1.1,
    .weights_2d = 1.1,
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
