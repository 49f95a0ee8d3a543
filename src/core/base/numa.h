/* Which CPUs lie beside which memory: the machine's NUMA nodes and cores. */
#ifndef NM_NUMA_H
#define NM_NUMA_H

#include <sched.h>

enum { NM_MOST_NODES = 128 };

typedef struct nm_numa {
    int nodes;                     /* at least 1 */
    int number[NM_MOST_NODES];     /* the system's, ascending */
    cpu_set_t cpus[NM_MOST_NODES]; /* no CPU is in two; a node of memory alone has none */
    short core[CPU_SETSIZE];       /* of each CPU the lowest one of its core: itself, or its hyper-thread */
} nm_numa;

/* From `folder`, which is /sys/devices/system but in tests. Where that says nothing, or nonsense,
 * there is one node with all CPUs, and each CPU is a core. */
void nm_numa_read(const char *folder, nm_numa *numa);

#endif
