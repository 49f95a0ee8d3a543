/* The kernel: see gemm_small.h. Six rows of sixteen columns are summed in twelve of AVX2's sixteen
 * registers; two hold numbers of b, one a number of a. */
#include "gemm_small.h"

#include "isa.h"

#include <stddef.h>

#if defined __x86_64__ && !defined NM_DOUBLE
#include <immintrin.h>

#define AVX2 __attribute__((target("avx2,fma")))
#define AVX2_INLINE AVX2 static inline __attribute__((always_inline))

enum { ROWS = 6, VECTOR = 8, VECTORS = 2 };

/* All rows of some columns: a's from row to row and along a sum, b's and c's from row to row. */
typedef struct strip {
    int rows, depth;
    const float *a, *b;
    size_t a_row, a_depth, b_row, c_row;
    float *c;
    bool add;
    __m256i columns; /* of the one vector of a strip that is narrower: which there are */
} strip;

AVX2_INLINE __m256 load(const strip *s, bool narrow, const float *from)
{
    return narrow ? _mm256_maskload_ps(from, s->columns) : _mm256_loadu_ps(from);
}

/* `rows`, `vectors` and `narrow` are constants. */
AVX2_INLINE void sum_rows(int rows, int vectors, bool narrow, const strip *s, const float *a, float *c)
{
    __m256 sum[ROWS][VECTORS];
    for (int i = 0; i < rows; i++)
        for (int v = 0; v < vectors; v++)
            sum[i][v] = _mm256_setzero_ps();
    const float *b = s->b;
    for (int d = 0; d < s->depth; d++, a += s->a_depth, b += s->b_row) {
        __m256 of_b[VECTORS];
        for (int v = 0; v < vectors; v++)
            of_b[v] = load(s, narrow, b + v * VECTOR);
        for (int i = 0; i < rows; i++) {
            __m256 of_a = _mm256_broadcast_ss(a + (size_t)i * s->a_row);
            for (int v = 0; v < vectors; v++)
                sum[i][v] = _mm256_fmadd_ps(of_a, of_b[v], sum[i][v]);
        }
    }
    for (int i = 0; i < rows; i++, c += s->c_row)
        for (int v = 0; v < vectors; v++) {
            __m256 all = s->add ? _mm256_add_ps(load(s, narrow, c + v * VECTOR), sum[i][v]) : sum[i][v];
            if (narrow)
                _mm256_maskstore_ps(c + v * VECTOR, s->columns, all);
            else
                _mm256_storeu_ps(c + v * VECTOR, all);
        }
}

/* As many times `rows` as there are from `first` on; the row behind them. */
AVX2_INLINE int sum_groups(int rows, int vectors, bool narrow, const strip *s, int first)
{
    for (; first + rows <= s->rows; first += rows)
        sum_rows(rows, vectors, narrow, s, s->a + (size_t)first * s->a_row, s->c + (size_t)first * s->c_row);
    return first;
}

AVX2_INLINE void sum_strip(int vectors, bool narrow, const strip *s)
{
    int row = sum_groups(ROWS, vectors, narrow, s, 0);
    row = sum_groups(4, vectors, narrow, s, row);
    row = sum_groups(2, vectors, narrow, s, row);
    sum_groups(1, vectors, narrow, s, row);
}

AVX2 static void sum_wide(const strip *s)
{
    sum_strip(VECTORS, false, s);
}

/* Without the mask, whose stores are slow. */
AVX2 static void sum_vector(const strip *s)
{
    sum_strip(1, false, s);
}

AVX2 static void sum_narrow(const strip *s)
{
    sum_strip(1, true, s);
}

AVX2 static __m256i first_columns(int count)
{
    return _mm256_cmpgt_epi32(_mm256_set1_epi32(count), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}

/* `whole`: of all n columns. */
AVX2 static void multiply(const strip *whole, int n)
{
    enum { WIDE = VECTORS * VECTOR };
    strip s = *whole; /* nobody else's: it may stay in registers */
    for (; n >= WIDE; n -= WIDE, s.b += WIDE, s.c += WIDE)
        sum_wide(&s);
    for (; n >= VECTOR; n -= VECTOR, s.b += VECTOR, s.c += VECTOR)
        sum_vector(&s);
    if (n > 0) {
        s.columns = first_columns(n);
        sum_narrow(&s);
    }
}

bool nm_gemm_small_exists(void)
{
    return nm_isa_level() >= NM_ISA_V3;
}

void nm_gemm_small(bool ta, int m, int n, int k, const real *a, int lda, const real *b, int ldb, bool add, real *c,
                   int ldc)
{
    const strip all = {.rows = m,
                       .depth = k,
                       .a = a,
                       .b = b,
                       .a_row = ta ? 1 : (size_t)lda,
                       .a_depth = ta ? (size_t)lda : 1,
                       .b_row = (size_t)ldb,
                       .c_row = (size_t)ldc,
                       .c = c,
                       .add = add};
    multiply(&all, n);
}

#else

bool nm_gemm_small_exists(void)
{
    return false;
}

void nm_gemm_small(bool ta, int m, int n, int k, const real *a, int lda, const real *b, int ldb, bool add, real *c,
                   int ldc)
{
    (void)ta, (void)m, (void)n, (void)k, (void)a, (void)lda, (void)b, (void)ldb, (void)add, (void)c, (void)ldc;
}

#endif
