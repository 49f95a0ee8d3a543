/* Matrix products: the only door to OpenBLAS. Row-major,
 * c[m][n] = alpha * op(a)[m][k] * op(b)[k][n] + beta * c, with op the transpose where asked.
 * Serial: call it from inside a task of nm_parallel, on blocks that fit a core's L2. */
#ifndef NM_GEMM_H
#define NM_GEMM_H

#include "error.h"
#include "real.h"

#include <stdbool.h>

void nm_gemm(bool ta, bool tb, int m, int n, int k, real alpha, const real *a, int lda,
             const real *b, int ldb, real beta, real *c, int ldc);

/* Fails unless the OpenBLAS that was loaded is the OpenMP build: the pthread build would oversubscribe the cores. */
nm_status nm_gemm_check(nm_context *ctx) NM_MUST_USE;

/* The kernel that OpenBLAS chose ("Haswell", "SkylakeX", …) and its version line. */
const char *nm_gemm_core(void);
const char *nm_gemm_config(void);

/* GFLOP/s of a 1024^3 product on `threads` threads at once (one serial product each), best of a few. */
nm_status nm_gemm_peak(nm_context *ctx, int threads, double *gflops) NM_MUST_USE;

#endif
