/* An OpenBLAS that does not know the CPU is told which kernels it has. */
#include "gemm.h"
#include "isa.h"
#include "run_suite.h"

#include <omp.h>
#include <stdlib.h>
#include <string.h>

START_TEST(kernels_suit_the_cpu)
{
    ck_assert_str_eq(nm_gemm_core_for(NM_ISA_V4, "Prescott"), "SkylakeX");
    ck_assert_str_eq(nm_gemm_core_for(NM_ISA_V3, "Prescott"), "Haswell");
    ck_assert_str_eq(nm_gemm_core_for(NM_ISA_V3, "Nehalem"), "Haswell");
    ck_assert_ptr_null(nm_gemm_core_for(NM_ISA_BASE, "Prescott"));
    ck_assert_str_eq(nm_gemm_core_for(NM_ISA_V4, "Haswell"), "SkylakeX");
    ck_assert_str_eq(nm_gemm_core_for(NM_ISA_V4, "Zen"), "SkylakeX");
    ck_assert_ptr_null(nm_gemm_core_for(NM_ISA_V3, "Haswell"));
    ck_assert_ptr_null(nm_gemm_core_for(NM_ISA_V3, "Zen"));
    static const char *const right[] = {"SkylakeX", "Cooperlake", "SapphireRapids", "one of tomorrow"};
    for (size_t i = 0; i < sizeof right / sizeof *right; i++)
        ck_assert_ptr_null(nm_gemm_core_for(NM_ISA_V4, right[i]));
}
END_TEST

/* This program was started again where it had to be, and not more than once. */
START_TEST(kernels_in_use_suit)
{
    ck_assert(getenv("OPENBLAS_CORETYPE") || !nm_gemm_core_for(nm_isa_level(), nm_gemm_core()));
}
END_TEST

static int between(int least, int most)
{
    return least + rand() % (most - least + 1);
}

/* Of a block whose later rows hold nothing, fewer rows have the same bits. */
START_TEST(fewer_rows_have_the_same_bits)
{
    enum { MOST = 2 * NM_GEMM_BLOCK, WIDEST = 150, DEEPEST = 900 };
    real *a = malloc(MOST * DEEPEST * sizeof *a), *b = malloc(WIDEST * DEEPEST * sizeof *b);
    real *all = malloc(MOST * WIDEST * sizeof *all), *few = malloc(MOST * WIDEST * sizeof *few);
    for (int i = 0; i < MOST * DEEPEST; i++)
        a[i] = (real)(between(-1000, 1000) / 1000.0);
    for (int i = 0; i < WIDEST * DEEPEST; i++)
        b[i] = (real)(between(-1000, 1000) / 1000.0);
    omp_set_num_threads(1); /* as within tasks */
    for (int round = 0; round < 60; round++) {
        int block = nm_gemm_whole_rows(between(1, MOST)), n = between(1, WIDEST), k = between(1, DEEPEST);
        nm_gemm(false, false, block, n, k, 1, a, k, b, n, 0, all, n);
        for (int rows = 1; rows <= block; rows++) {
            int m = nm_gemm_fewest_rows(rows, block);
            ck_assert(m >= rows && m <= block);
            nm_gemm_of_block(block, m, n, k, a, k, b, n, 0, few, n);
            ck_assert_msg(memcmp(few, all, (size_t)(rows * n) * sizeof *all) == 0, "%d rows of %d, %d x %d", rows,
                          block, n, k);
        }
    }
    free(a);
    free(b);
    free(all);
    free(few);
}
END_TEST

/* The row behind the last sample is where the places of samples end. */
START_TEST(rows_end_behind_the_last_place)
{
    for (int split = 0; split < 2; split++)
        for (int parts = 1; parts < 20; parts++) {
            nm_gemm_rows r = {parts, split, split ? (parts + 1) / 2 * 2 : parts};
            for (int n = 1; n < 20; n++) {
                int end = 0;
                for (int row = 0; row < 1000; row++)
                    if (nm_gemm_place_of(&r, row).sample < n)
                        end = row + 1;
                int found = nm_gemm_rows_end(&r, n);
                ck_assert_msg(found >= end || split, "%d parts of %d: %d, not %d", parts, n, found, end);
                for (int row = found; row < 1000; row++) {
                    nm_gemm_place p = nm_gemm_place_of(&r, row);
                    ck_assert_msg(p.sample >= n || p.number >= parts, "%d parts of %d", parts, n);
                }
            }
        }
}
END_TEST

SUITE("gemm_core", kernels_suit_the_cpu, kernels_in_use_suit, fewer_rows_have_the_same_bits,
      rows_end_behind_the_last_place)
