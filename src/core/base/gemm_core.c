/* Which of OpenBLAS's kernels are in use. They are chosen while it is loaded, and stay. */
#include "gemm.h"
#include "isa.h"

#include <cblas.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const char *nm_gemm_core(void)
{
    return openblas_get_corename();
}

const char *nm_gemm_config(void)
{
    return openblas_get_config();
}

/* Cores of kernels without AVX-512; the last WITH_AVX2 have AVX2. */
static const char *const old_cores[] = {
    "Unknown", "Katmai",     "Coppermine", "Northwood",   "Banias", "Prescott", "Atom",         "Core2",
    "Penryn",  "Dunnington", "Nehalem",    "Sandybridge", "Athlon", "Opteron",  "Opteron_SSE3", "Barcelona",
    "Bobcat",  "Bulldozer",  "Piledriver", "Steamroller", "Nano",   "Haswell",  "Zen",          "Excavator",
};
enum { OLD_CORES = sizeof old_cores / sizeof *old_cores, WITH_AVX2 = 3 };

const char *nm_gemm_core_for(int level, const char *core)
{
    int old = level == NM_ISA_V4 ? OLD_CORES : level == NM_ISA_V3 ? OLD_CORES - WITH_AVX2 : 0;
    for (int i = 0; i < old; i++)
        if (strcmp(core, old_cores[i]) == 0)
            return level == NM_ISA_V4 ? "SkylakeX" : "Haswell";
    return NULL;
}

static const char variable[] = "OPENBLAS_CORETYPE";

static const char *better_core(void)
{
    return getenv(variable) ? NULL : nm_gemm_core_for(nm_isa_level(), nm_gemm_core());
}

void nm_gemm_warn_of_core(nm_context *ctx)
{
    static atomic_flag told = ATOMIC_FLAG_INIT;
    const char *core = better_core();
    if (core && !atomic_flag_test_and_set(&told))
        nm_log(ctx,
               "OpenBLAS does not know this CPU and takes it for '%s': matrix products are up to six times slower than "
               "they could be; start the program with %s=%s",
               nm_gemm_core(), variable, core);
}

void nm_gemm_restart_with_core(char **argv)
{
    const char *core = better_core();
    if (!core || setenv(variable, core, 1) != 0)
        return;
    execv("/proc/self/exe", argv);
    unsetenv(variable);
}
