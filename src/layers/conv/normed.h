/* A convolution with the batch norm behind it, in training, and what batch norm does besides
 * (batchnorm_passes.h: a sum, a relu, a max pool). The convolution leaves the moments of its
 * outputs as it writes them, where its algorithm can; batch norm then reads them once instead of
 * twice. They are kept for backward. */
#ifndef NM_CONV_NORMED_H
#define NM_CONV_NORMED_H

#include "batchnorm_passes.h"
#include "conv.h"

/* Bytes into scratch, as reserved. */
typedef struct nm_conv_normed_offsets {
    size_t norm;     /* batch norm's */
    size_t gradient; /* the gradient by a slice's outputs, where it lies over nothing else */
} nm_conv_normed_offsets;

typedef struct nm_conv_normed {
    nm_conv_call call; /* x, w, bias, dw, db; y and dy are the last layer's */
    nm_pass pass;      /* batch norm's: its parameters; saved and scratch are the convolution's */
    const nm_batch_normalisation *norm;
    bool bf16; /* outputs are kept in bfloat16 */
    nm_conv_normed_offsets at;
} nm_conv_normed;

/* Reserves batch norm's memory behind what the convolution's passes take, which is reserved
 * already; bf16: outputs are kept in it; slice: samples that go backward at once. */
void NM_ISA(nm_conv_normed_reserve)(const nm_conv_geometry *g, const nm_conv_algorithm *by, bool bf16, int slice,
                                    nm_reservation *b, nm_conv_normed_offsets *at);
/* Where pass.y is NULL, the reader of y reads the outputs, and nm_conv_normed_lazy_normalisation
 * says how.
 */
void NM_ISA(nm_conv_normed_forward)(const nm_conv_normed *s, const nm_conv_algorithm *by);
void NM_ISA(nm_conv_normed_lazy_normalisation)(const nm_conv_normed *s, nm_lazy_normalisation *out);
/* Batch norm's backward: first its sums, then the gradient by the convolution's outputs of samples
 * first to first + n, a few at a time. Returns where it is: over dy, which is in cache and need not
 * be written back; with a pool, which makes dy smaller, over the outputs, or in scratch. */
void NM_ISA(nm_conv_normed_sums)(const nm_conv_normed *s);
const real *NM_ISA(nm_conv_normed_gradient)(const nm_conv_normed *s, int first, int n);

#endif
