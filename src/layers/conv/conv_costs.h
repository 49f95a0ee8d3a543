/* What the cost functions of the convolution algorithms know of the machine. conv_costs.c has a
 * table for each instruction set and, where OpenBLAS's kernel makes a difference, for that; the
 * program bench/calibrate measures the algorithms and prints the table in place of its own. The
 * choice must not depend on the clock: the tables are constants. */
#ifndef NM_CONV_COSTS_H
#define NM_CONV_COSTS_H

#include "isa.h"

/* Times are in multiply-adds of a large matrix product: the faster the product is on a machine, the
 * larger they are. All are numbers of type double (bench/calibrate_fit.c goes through them as
 * through an array). */
typedef struct nm_conv_costs {
    /* A product of n columns takes 1 + thin / n times as long as its share of a large one, and the
     * same once more for its depth: im2col's, Winograd's. */
    double thin, thin_tiles;
    double patch;             /* im2col: to lay out one number of a patch, */
    double patch_row;         /* and to begin a row of one */
    double direct_sum;        /* direct: a multiply-add, */
    double direct_pixel;      /* and what an output pixel takes besides */
    double depthwise_3x3;     /* depthwise: a multiply-add of a kernel of 3x3, */
    double depthwise_any;     /* of another one, */
    double depthwise_strided; /* and with a stride, where reading takes longer than the sums */
    double tile_4x4;          /* Winograd in two dimensions: to transform a tile of 4x4 outputs in one */
    double tile_2x2;          /* channel or filter; one of 2x2 */
    double row_3_in;          /* F(4, 3) along the width: to transform a tile of inputs in one channel, or to */
    double row_3_out;         /* store it for one row of the kernel; a tile of outputs in one filter */
    double row_8_in;          /* the same of F(4, 5) and F(2, 7), which have eight points */
    double row_8_out;
    double weights_1d; /* Winograd's products for the gradient by the weights take so many times as long: */
    double weights_2d; /* along the width, in two dimensions */
} nm_conv_costs;

/* Those of this machine. */
const nm_conv_costs *NM_ISA(nm_conv_costs_here)(void);

#endif
