/* An OpenBLAS that does not know the CPU is told which kernels it has. */
#include "gemm.h"
#include "isa.h"
#include "run_suite.h"

#include <stdlib.h>

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

SUITE("gemm_core", kernels_suit_the_cpu, kernels_in_use_suit)
