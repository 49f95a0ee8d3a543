/* Products of small matrices where they lie, for CPUs with AVX2 whose OpenBLAS copies both operands
 * of each product first. On the tiles of a convolution that takes as long as the product. */
#ifndef NM_GEMM_SMALL_H
#define NM_GEMM_SMALL_H

#include "real.h"

#include <stdbool.h>

/* Whether there is such a kernel for this CPU and precision. */
bool nm_gemm_small_exists(void);
/* c[m][n] = op(a)[m][k] * b[k][n], added to c where `add`; op the transpose where `ta`. Each number
 * is one sum in the order of k, of fused multiply-adds: its bits depend on no other row or column.
 */
void nm_gemm_small(bool ta, int m, int n, int k, const real *a, int lda, const real *b, int ldb, bool add, real *c,
                   int ldc);

#endif
