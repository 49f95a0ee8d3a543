/* Which instruction set is in use. */
#include "isa.h"

#include "find_once.h"

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

static int choose(void)
{
    int most = best();
    const char *wish = getenv("NORMA_ISA");
    for (int i = 0; wish && i <= most; i++)
        if (strcmp(wish, names[i]) == 0)
            return i;
    return most;
}

int nm_isa_level(void)
{
    static atomic_int known = -1;
    return nm_find_once(&known, choose);
}

const char *nm_isa_name(int level)
{
    return names[level];
}
