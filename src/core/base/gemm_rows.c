/* Which rows of a product OpenBLAS computes alike: measured, once, of the kernels that it has
 * chosen, so that a sample's bits do not depend on its place in a block or on how many rows are
 * filled. */
#include "gemm.h"

#include "find_once.h"
#include "threads.h"

#include <math.h>
#include <string.h>

/* ---- rows ------------------------------------------------------------------------------ */

/* A product's operands: a repeats itself after `period` numbers. */
static void fill_operands(real *a, int count, int period, real *b, int others)
{
    for (int i = 0; i < count; i++)
        a[i] = (real)sin(1.7 * (i % period) + 0.3);
    for (int i = 0; i < others; i++)
        b[i] = (real)cos(0.9 * i);
}

/* A product of equal rows: are those of the result equal? */
static int measure_rows(void)
{
    enum { SIZE = 136 };
    real a[NM_GEMM_BLOCK * SIZE], b[SIZE * SIZE], c[NM_GEMM_BLOCK * SIZE];
    fill_operands(a, NM_GEMM_BLOCK * SIZE, SIZE, b, SIZE * SIZE);
    nm_gemm(false, false, NM_GEMM_BLOCK, SIZE, SIZE, 1, a, SIZE, b, SIZE, 0, c, SIZE);
    for (int row = 1; row < NM_GEMM_BLOCK; row++)
        if (memcmp(c, c + row * SIZE, SIZE * sizeof *c) != 0)
            return false;
    return true;
}

bool nm_gemm_rows_alike(void)
{
    static atomic_int known = -1;
    return nm_find_once(&known, measure_rows);
}

nm_gemm_rows nm_gemm_rows_of(int parts, int n, int k, bool by_sample)
{
    bool split = by_sample && !nm_gemm_is_small(n, k) && !nm_gemm_rows_alike();
    return (nm_gemm_rows){.parts = parts, .split = split, .padded_rows = split ? (parts + 1) / 2 * 2 : parts};
}

/* ---- products of fewer rows than a block ------------------------------------------------ */

/* Whether products of a multiple of `group` rows have the bits of the first rows of a block. */
static bool rows_suffice(int group, int n, int k, const real *a, const real *b, real *c)
{
    real *whole_block = c, *fewer = c + NM_GEMM_BLOCK * n;
    nm_gemm(false, false, NM_GEMM_BLOCK, n, k, 1, a, k, b, n, 0, whole_block, n);
    for (int rows = group; rows < NM_GEMM_BLOCK; rows += group) {
        nm_gemm_of_block(NM_GEMM_BLOCK, rows, n, k, a, k, b, n, 0, fewer, n);
        if (memcmp(fewer, whole_block, (size_t)(rows * n) * sizeof *c) != 0)
            return false;
    }
    return true;
}

enum { GROUPS = 4 };
static const int group_sizes[GROUPS] = {1, 4, 2 * NM_GEMM_HALF, 16};

/* The first of these of which that is so in products of several shapes: wide and thin ones, with
 * what is left over of vectors, flat and deep, such as are small and such as are not, and one for
 * which OpenBLAS may have other kernels than for its first rows alone. GROUPS: of none. */
static void measure_groups(void *smallest, int task, int thread)
{
    enum { WIDEST = 80, DEEPEST = 400, SHAPES = 8 };
    static const int shapes[SHAPES][2] = {{64, 64}, {WIDEST, DEEPEST}, {48, 33},  {10, 100},
                                          {16, 9},  {1, 70},           {64, 264}, {43, 400}};
    real a[NM_GEMM_BLOCK * DEEPEST], b[WIDEST * DEEPEST], c[2 * NM_GEMM_BLOCK * WIDEST];
    int size = 0, shape = 0;
    (void)task;
    (void)thread;
    fill_operands(a, NM_GEMM_BLOCK * DEEPEST, NM_GEMM_BLOCK * DEEPEST, b, WIDEST * DEEPEST);
    while (size < GROUPS && shape < SHAPES)
        if (rows_suffice(group_sizes[size], shapes[shape][0], shapes[shape][1], a, b, c))
            shape++;
        else
            shape = 0, size++;
    *(int *)smallest = size;
}

static int find_group(void)
{
    int smallest = 0;
    nm_parallel(1, 1, measure_groups, &smallest); /* serial, as all products */
    return smallest;
}

/* 0: there is none. */
static int group_of_rows(void)
{
    static atomic_int known = -1;
    int smallest = nm_find_once(&known, find_group);
    return smallest < GROUPS ? group_sizes[smallest] : 0;
}

int nm_gemm_fewest_rows(int rows, int block)
{
    int group = group_of_rows(), groups = group ? (rows + group - 1) / group * group : block;
    return groups < block ? groups : block;
}

int nm_gemm_cut_rows(int rows, int block)
{
    return group_of_rows() ? nm_gemm_whole_rows(rows) : (rows + block - 1) / block * block;
}

int nm_gemm_whole_rows(int rows)
{
    enum { ALIKE = 16 };
    int group = nm_gemm_rows_alike() ? ALIKE : NM_GEMM_BLOCK;
    return (rows + group - 1) / group * group;
}

/* ---- products that are turned ----------------------------------------------------------- */

enum { SQUARE = 4 }; /* rows and columns that are transposed in registers */
typedef real four __attribute__((vector_size(SQUARE * sizeof(real)), aligned(sizeof(real)), may_alias));

/* to[i][j] = from[j][i], SQUARE of each. */
static inline void transpose_square(const real *from, size_t from_stride, real *to, size_t to_stride)
{
    const four *a = (const void *)from, *b = (const void *)(from + from_stride),
               *c = (const void *)(from + 2 * from_stride), *d = (const void *)(from + 3 * from_stride);
    const four ab[2] = {__builtin_shufflevector(*a, *b, 0, 4, 1, 5), __builtin_shufflevector(*a, *b, 2, 6, 3, 7)};
    const four cd[2] = {__builtin_shufflevector(*c, *d, 0, 4, 1, 5), __builtin_shufflevector(*c, *d, 2, 6, 3, 7)};
    for (int half = 0; half < 2; half++, to += 2 * to_stride) {
        *(four *)to = __builtin_shufflevector(ab[half], cd[half], 0, 1, 4, 5);
        *(four *)(to + to_stride) = __builtin_shufflevector(ab[half], cd[half], 2, 3, 6, 7);
    }
}

/* to[i][j] = from[j][i] for `rows` i, a multiple of SQUARE, and `columns` j. */
static void transpose(const real *from, size_t from_stride, int rows, int columns, real *to, size_t to_stride)
{
    int j = 0;
    for (; j + SQUARE <= columns; j += SQUARE, from += SQUARE * from_stride)
        for (int i = 0; i < rows; i += SQUARE)
            transpose_square(from + i, from_stride, to + (size_t)i * to_stride + j, to_stride);
    for (; j < columns; j++, from += from_stride)
        for (int i = 0; i < rows; i++)
            to[(size_t)i * to_stride + (size_t)j] = from[i];
}

void nm_gemm_turned(bool tb, int rows, int n, int k, const real *a, int lda, const real *b, int ldb, real *c, int ldc,
                    real *turned)
{
    nm_gemm(!tb, true, n, rows, k, 1, b, ldb, a, lda, 0, turned,
            rows); /* never cut: its second operand is transposed */
    transpose(turned + NM_GEMM_EDGE, (size_t)rows, rows - 2 * NM_GEMM_EDGE, n, c + (size_t)NM_GEMM_EDGE * (size_t)ldc,
              (size_t)ldc);
}

/* Products of equal rows, `few` and as many as there may be: are all of both equal? */
static int measure_turned(void)
{
    enum { DEPTH = 20, WIDTH = 28, FEW = 3 * NM_GEMM_WHOLE_COLUMNS };
    real a[NM_GEMM_COLUMNS * DEPTH], b[DEPTH * WIDTH], c[2][NM_GEMM_COLUMNS * WIDTH], turned[NM_GEMM_COLUMNS * WIDTH];
    fill_operands(a, NM_GEMM_COLUMNS * DEPTH, DEPTH, b, DEPTH * WIDTH);
    for (int all = 0; all < 2; all++) {
        int rows = all ? NM_GEMM_COLUMNS : FEW;
        nm_gemm_turned(false, rows, WIDTH, DEPTH, a, DEPTH, b, WIDTH, c[all], WIDTH, turned);
        for (int row = NM_GEMM_EDGE; row < rows - NM_GEMM_EDGE; row++)
            if (memcmp(c[0] + NM_GEMM_EDGE * WIDTH, c[all] + row * WIDTH, WIDTH * sizeof(real)) != 0)
                return false;
    }
    return true;
}

bool nm_gemm_turns(void)
{
    static atomic_int known = -1;
    return !nm_gemm_rows_alike() && nm_find_once(&known, measure_turned);
}

nm_gemm_rows nm_gemm_turned_rows(void)
{
    return (nm_gemm_rows){.parts = 1, .padded_rows = 1, .edge = NM_GEMM_EDGE};
}
