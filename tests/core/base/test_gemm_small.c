/* The kernel for small products, called whatever OpenBLAS has: against sums in double, with the
 * same bits wherever a row lies, and nothing read or written outside. */
#include "gemm_small.h"
#include "run_suite.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_ROWS = 50, MOST_COLUMNS = 70, MOST_DEPTH = 300, PAD = 5, PRODUCTS = 300 };

static int between(int least, int most)
{
    return least + rand() % (most - least + 1);
}

static void fill(real *numbers, size_t count)
{
    for (size_t i = 0; i < count; i++)
        numbers[i] = (real)(rand() % 2001 - 1000) / 1000;
}

/* Arrays of their very size: the sanitizer sees what lies beside them. */
static void check_product(bool ta, int m, int n, int k, bool add)
{
    int lda = (ta ? m : k) + between(0, PAD), ldb = n + between(0, PAD), ldc = n + between(0, PAD);
    size_t a_size = (size_t)((ta ? k : m) - 1) * (size_t)lda + (size_t)(ta ? m : k),
           b_size = (size_t)(k - 1) * (size_t)ldb + (size_t)n, c_size = (size_t)(m - 1) * (size_t)ldc + (size_t)n;
    real *a = malloc(a_size * sizeof *a), *b = malloc(b_size * sizeof *b), *c = malloc(c_size * sizeof *c),
         *before = malloc(c_size * sizeof *c);
    ck_assert(a && b && c && before);
    fill(a, a_size);
    fill(b, b_size);
    fill(c, c_size);
    memcpy(before, c, c_size * sizeof *c);
    nm_gemm_small(ta, m, n, k, a, lda, b, ldb, add, c, ldc);
    for (size_t at = 0; at < c_size; at++) {
        int i = (int)(at / (size_t)ldc), j = (int)(at % (size_t)ldc);
        if (j >= n) {
            ck_assert(c[at] == before[at]);
            continue;
        }
        double sum = add ? (double)before[at] : 0, size = fabs(sum);
        for (int d = 0; d < k; d++) {
            double product = (double)(ta ? a[d * lda + i] : a[i * lda + d]) * (double)b[d * ldb + j];
            sum += product;
            size += fabs(product);
        }
        ck_assert_msg(fabs((double)c[at] - sum) <= 1e-6 * size + 1e-7, "%d x %d x %d, %d %d: %g, not %g", m, n, k, i, j,
                      (double)c[at], sum);
    }
    free(a);
    free(b);
    free(c);
    free(before);
}

START_TEST(products_are_right)
{
    srand(1);
    for (int i = 0; nm_gemm_small_exists() && i < PRODUCTS; i++)
        check_product(i % 2, between(1, MOST_ROWS), between(1, MOST_COLUMNS), between(1, MOST_DEPTH), i % 3 == 0);
}
END_TEST

/* A row alone, and in any place of a product. */
START_TEST(rows_are_alike)
{
    enum { N = 37, K = 90 };
    static real a[MOST_ROWS * K], b[K * N], c[MOST_ROWS * N], alone[N];
    fill(a, K);
    fill(b, K * N);
    for (int row = 1; row < MOST_ROWS; row++)
        memcpy(a + row * K, a, K * sizeof *a);
    for (int rows = 1; nm_gemm_small_exists() && rows <= MOST_ROWS; rows++) {
        nm_gemm_small(false, 1, N, K, a, K, b, N, false, alone, N);
        nm_gemm_small(false, rows, N, K, a, K, b, N, false, c, N);
        for (int row = 0; row < rows; row++)
            ck_assert(memcmp(c + row * N, alone, sizeof alone) == 0);
    }
}
END_TEST

SUITE("gemm_small", products_are_right, rows_are_alike)
