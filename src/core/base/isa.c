/* Which instruction set is in use. */
#include "isa.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static const char *const names[NM_ISA_COUNT] = {"base", "v3", "v4"};

static int best(void)
{
#ifdef NM_HAVE_V3
    __builtin_cpu_init();
    bool v3 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi2");
    bool v4 = v3 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
              __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
              __builtin_cpu_supports("avx512cd");
    return v4 ? NM_ISA_V4 : v3 ? NM_ISA_V3 : NM_ISA_BASE;
#else
    return NM_ISA_BASE;
#endif
}

int nm_isa_level(void)
{
    static atomic_int level = -1; /* the same value whoever writes it first */
    int found = atomic_load_explicit(&level, memory_order_relaxed);
    if (found < 0) {
        found = best();
        const char *wish = getenv("NORMA_ISA");
        for (int i = 0; wish && i <= found; i++)
            if (strcmp(wish, names[i]) == 0) {
                found = i;
                break;
            }
        atomic_store_explicit(&level, found, memory_order_relaxed);
    }
    return found;
}

const char *nm_isa_name(int level)
{
    return names[level];
}
