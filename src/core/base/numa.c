#include "numa.h"

#include "cpu_list.h"

#include <stdio.h>

static void make_one_node(nm_numa *numa)
{
    numa->nodes = 1;
    numa->number[0] = 0;
    CPU_ZERO(&numa->cpus[0]);
    for (int cpu = 0; cpu < CPU_SETSIZE; cpu++)
        CPU_SET(cpu, &numa->cpus[0]);
}

/* false: not all of them can be read, or two of them have the same CPU. */
static bool read_nodes(const char *folder, nm_numa *numa)
{
    cpu_set_t online, all, common; /* online: numbers of nodes, in the same form as CPUs */
    char path[4096];
    snprintf(path, sizeof path, "%s/node/online", folder);
    CPU_ZERO(&all);
    numa->nodes = 0;
    if (!nm_cpu_list_read(path, &online) || CPU_COUNT(&online) > NM_MOST_NODES)
        return false;
    for (int number = 0; number < CPU_SETSIZE; number++) {
        if (!CPU_ISSET(number, &online))
            continue;
        cpu_set_t *cpus = &numa->cpus[numa->nodes];
        snprintf(path, sizeof path, "%s/node/node%d/cpulist", folder, number);
        if (!nm_cpu_list_read(path, cpus))
            return false;
        CPU_AND(&common, cpus, &all);
        if (CPU_COUNT(&common) > 0)
            return false;
        CPU_OR(&all, &all, cpus);
        numa->number[numa->nodes++] = number;
    }
    return CPU_COUNT(&all) > 0;
}

static void read_core(const char *folder, nm_numa *numa, int cpu)
{
    cpu_set_t siblings;
    char path[4096];
    snprintf(path, sizeof path, "%s/cpu/cpu%d/topology/thread_siblings_list", folder, cpu);
    numa->core[cpu] = (short)cpu;
    if (!nm_cpu_list_read(path, &siblings) || !CPU_ISSET(cpu, &siblings))
        return;
    for (int sibling = cpu - 1; sibling >= 0; sibling--)
        if (CPU_ISSET(sibling, &siblings))
            numa->core[cpu] = (short)sibling;
}

void nm_numa_read(const char *folder, nm_numa *numa)
{
    if (!read_nodes(folder, numa))
        make_one_node(numa);
    for (int cpu = 0; cpu < CPU_SETSIZE; cpu++)
        read_core(folder, numa, cpu);
}
