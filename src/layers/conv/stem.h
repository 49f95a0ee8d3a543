/* A convolution of few input channels with the batch norm behind it (and a relu and a max pool of
 * 2x2, where they are), in training, where nobody asks for the gradient by x: a network's first
 * layer. Its outputs are cheap to compute and many to write and to read, so that every pass
 * computes them again, a chunk at a time, and they are never kept:
 *
 *     forward    chunk -> statistics;  chunk -> normalised (relu, pooled) to y
 *     backward   chunk -> sums of dy and of dy * (z - mean);  chunk -> dz -> gradient by the
 * weights
 */
#ifndef NM_STEM_H
#define NM_STEM_H

#include "normed.h"

/* Whether the geometry is such a one (the order of layers is the caller's to check). */
bool NM_ISA(nm_conv_stem_suits)(const nm_conv_geometry *g);
void NM_ISA(nm_conv_stem_reserve)(const nm_conv_geometry *g, int n, size_t *saved, size_t *shared, size_t *thread);
void NM_ISA(nm_conv_stem_forward)(const nm_conv_normed *s);
void NM_ISA(nm_conv_stem_backward)(const nm_conv_normed *s);

/* ---- of conv/direct.c ---------------------------------------------------------------------- */

/* Numbers of the input rows of one output row. */
size_t NM_ISA(nm_conv_direct_rows_size)(const nm_conv_geometry *g);
/* One row of a sample's outputs; `rows`: so much memory. */
void NM_ISA(nm_conv_direct_row)(const nm_conv_call *call, const real *sample, int row, real *rows, real *y);
/* Adds to dw what one row of output gradients makes of it. */
void NM_ISA(nm_conv_direct_add_row)(const nm_conv_geometry *g, const real *sample, int row, real *rows, const real *dy,
                                    real *dw);
extern const nm_conv_algorithm NM_ISA(nm_conv_direct);

#endif
