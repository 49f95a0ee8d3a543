/* The door to OpenBLAS. */
#include "gemm.h"

#include "alloc.h"
#include "clock.h"
#include "find_once.h"
#include "gemm_callers.h"
#include "gemm_small.h"
#include "threads.h"

#include <cblas.h>
#include <math.h>
#include <string.h>

static void whole(bool ta, bool tb, int m, int n, int k, real alpha, const real *a, int lda, const real *b, int ldb,
                  real beta, real *c, int ldc)
{
    bool counted = nm_blas_enter();
#ifdef NM_DOUBLE
    cblas_dgemm(CblasRowMajor, ta ? CblasTrans : CblasNoTrans, tb ? CblasTrans : CblasNoTrans, m, n, k, alpha, a, lda,
                b, ldb, beta, c, ldc);
#else
    cblas_sgemm(CblasRowMajor, ta ? CblasTrans : CblasNoTrans, tb ? CblasTrans : CblasNoTrans, m, n, k, alpha, a, lda,
                b, ldb, beta, c, ldc);
#endif
    nm_blas_leave(counted);
}

/* ---- tiles -------------------------------------------------------------------------------
 *
 * For AVX-512, OpenBLAS (0.3.17 and later) has kernels that multiply small matrices where they lie,
 * without packing them first; it takes them up to 10^6 multiply-adds. On the products of
 * convolutions they are faster than the packing kernels by 1.1 to 1.35 times, also when a larger
 * product is cut into such tiles. The cuts follow from the sizes alone. */

enum { TILE_ROWS = NM_GEMM_BLOCK, TILE_COLUMNS = 64, TILE_DEPTH = 320, TILE_WORK = 1000000 };

static int find_small_kernels(void)
{
    static const char *const cores[] = {"SkylakeX", "Cooperlake", "SapphireRapids"};
    for (size_t i = 0; i < sizeof cores / sizeof *cores; i++)
        if (strcmp(openblas_get_corename(), cores[i]) == 0)
            return true;
    return false;
}

static bool has_small_kernels(void)
{
    static atomic_int known = -1;
    return nm_find_once(&known, find_small_kernels);
}

/* One span of depth, at most TILE_DEPTH. */
static void in_tiles(bool ta, int m, int n, int k, real alpha, const real *a, int lda, const real *b, int ldb,
                     real beta, real *c, int ldc)
{
    int rows = TILE_ROWS, columns = TILE_COLUMNS;
    if ((double)rows * columns * k > TILE_WORK)
        columns /= 2;
    if ((double)rows * columns * k > TILE_WORK)
        rows /= 2;
    for (int j = 0; j < n; j += columns)
        for (int i = 0; i < m; i += rows)
            whole(ta, false, m - i < rows ? m - i : rows, n - j < columns ? n - j : columns, k, alpha,
                  ta ? a + i : a + (size_t)i * (size_t)lda, lda, b + j, ldb, beta, c + (size_t)i * (size_t)ldc + j,
                  ldc);
}

/* Whether the product is cut: its sums over the depth then have other bits. */
static bool is_cut(int m, int n, int k)
{
    return (double)m * n * k > TILE_WORK && sizeof(real) == sizeof(float) && has_small_kernels();
}

static void cut(bool ta, int m, int n, int k, real alpha, const real *a, int lda, const real *b, int ldb, real beta,
                real *c, int ldc)
{
    int spans = (k + TILE_DEPTH - 1) / TILE_DEPTH, span = (k + spans - 1) / spans;
    for (int first = 0; first < k; first += span)
        in_tiles(ta, m, n, k - first < span ? k - first : span, alpha, ta ? a + (size_t)first * (size_t)lda : a + first,
                 lda, b + (size_t)first * (size_t)ldb, ldb, first ? 1 : beta, c, ldc);
}

/* ---- small products -----------------------------------------------------------------------
 *
 * b, which all rows of a are multiplied by, stays in the caches. How many rows there are does not
 * count: whether a product is small follows from the layer, not from the batch. */

enum { SMALL_B = 16384 }; /* numbers of b */

static int find_our_kernel(void)
{
    return !has_small_kernels() && nm_gemm_small_exists();
}

bool nm_gemm_is_small(int n, int k)
{
    static atomic_int known = -1;
    return (double)n * k <= SMALL_B && nm_find_once(&known, find_our_kernel);
}

void nm_gemm(bool ta, bool tb, int m, int n, int k, real alpha, const real *a, int lda, const real *b, int ldb,
             real beta, real *c, int ldc)
{
    if (!tb && alpha == 1 && (beta == 0 || beta == 1) && nm_gemm_is_small(n, k))
        nm_gemm_small(ta, m, n, k, a, lda, b, ldb, beta == 1, c, ldc);
    else if (!tb && is_cut(m, n, k))
        cut(ta, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
    else
        whole(ta, tb, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
}

void nm_gemm_of_block(int block, int m, int n, int k, const real *a, int lda, const real *b, int ldb, real beta,
                      real *c, int ldc)
{
    if (nm_gemm_is_small(n, k)) {
        nm_gemm(false, false, m, n, k, 1, a, lda, b, ldb, beta, c, ldc);
        return;
    }
    if (is_cut(block, n, k)) {
        cut(false, m, n, k, 1, a, lda, b, ldb, beta, c, ldc);
        return;
    }
    for (int row = 0; row < m; row += block)
        whole(false, false, m - row < block ? m - row : block, n, k, 1, a + (size_t)row * (size_t)lda, lda, b, ldb,
              beta, c + (size_t)row * (size_t)ldc, ldc);
}

nm_status nm_gemm_check(nm_context *ctx)
{
    enum { OPENMP_BUILD = 2 };
    if (openblas_get_parallel() == OPENMP_BUILD && nm_blas_has_memory()) {
        nm_gemm_warn_of_core(ctx);
        return NM_OK;
    }
    if (openblas_get_parallel() == OPENMP_BUILD)
        return nm_fail(ctx, NM_FAILED,
                       "OpenBLAS has no memory for a matrix product: the limit of address space or data "
                       "(ulimit -v, ulimit -d) leaves it less than 144 MiB; raise it");
    return nm_fail(ctx, NM_FAILED,
                   "the OpenBLAS that was loaded is not its OpenMP build (found: %s); install it "
                   "(Debian: apt-get install libopenblas0-openmp) and choose it with "
                   "update-alternatives --config libopenblas.so.0-$(gcc -print-multiarch)",
                   openblas_get_parallel() == 1 ? "the pthread build" : "the serial build");
}

/* ---- the machine's peak --------------------------------------------------------------- */

enum { PEAK_SIZE = 1024, PEAK_ROUNDS = 6 };

typedef struct peak {
    real *a, *b, *c;
} peak;

static void peak_task(void *arg, int task, int thread)
{
    (void)thread;
    peak *p = arg;
    size_t square = (size_t)PEAK_SIZE * PEAK_SIZE;
    whole(false, false, PEAK_SIZE, PEAK_SIZE, PEAK_SIZE, 1, p->a, PEAK_SIZE, p->b, PEAK_SIZE, 0,
          p->c + (size_t)task * square, PEAK_SIZE);
}

nm_status nm_gemm_peak(nm_context *ctx, int threads, double *gflops)
{
    size_t square = (size_t)PEAK_SIZE * PEAK_SIZE;
    real *block = nm_alloc(ctx, (2 + (size_t)threads) * square, sizeof(real));
    if (!block)
        return NM_FAILED;
    for (size_t i = 0; i < 2 * square; i++)
        block[i] = (real)((double)(i % 7) * 0.25 - 0.75);
    peak p = {.a = block, .b = block + square, .c = block + 2 * square};
    double best = 0;
    for (int round = 0; round < PEAK_ROUNDS; round++) {
        double start = nm_clock();
        nm_parallel(threads, threads, peak_task, &p);
        double rate = 2e-9 * threads * PEAK_SIZE * (double)square / (nm_clock() - start);
        best = rate > best ? rate : best;
    }
    nm_free(block);
    *gflops = best;
    return NM_OK;
}
