#include "cpus.h"

#include "cpu_list.h"

#include <norma/parallel.h>
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>

static cpu_set_t bound; /* by nm_cpus_bind */
static bool is_bound;

/* Adds the processors of libgomp's places, those that there are. */
static void add_places(cpu_set_t *set)
{
    cpu_set_t before = *set;
    int places = omp_get_num_places();
    for (int place = 0; place < places; place++) {
        int count = omp_get_place_num_procs(place), *cpu = malloc(sizeof *cpu * (size_t)(count > 0 ? count : 1));
        if (!cpu)
            return;
        omp_get_place_proc_ids(place, cpu);
        for (int i = 0; i < count; i++)
            if (cpu[i] >= 0 && cpu[i] < CPU_SETSIZE)
                CPU_SET(cpu[i], set);
        free(cpu);
    }
    if (sched_setaffinity(0, sizeof *set, set) != 0) /* the system takes those that it has and allows */
        *set = before;
    else if (sched_getaffinity(0, sizeof *set, set) == 0)
        sched_setaffinity(0, sizeof before, &before);
}

/* The processors of the affinity mask that the process was started with. With OMP_PROC_BIND and
 * its like, libgomp has bound the first thread before main; its places then hold the mask (and
 * what OMP_PLACES makes of it). */
bool nm_cpus_allowed(cpu_set_t *set)
{
    *set = bound;
    if (is_bound)
        return true;
    CPU_ZERO(set);
    if (sched_getaffinity(0, sizeof *set, set) != 0)
        return false;
    if (omp_get_proc_bind() != omp_proc_bind_false)
        add_places(set);
    return true;
}

void nm_unbind_thread(void)
{
    cpu_set_t now, all;
    if (sched_getaffinity(0, sizeof now, &now) == 0 && nm_cpus_allowed(&all) && !CPU_EQUAL(&now, &all))
        sched_setaffinity(0, sizeof all, &all);
}

bool nm_cpus_bind(const cpu_set_t *set)
{
    if (sched_setaffinity(0, sizeof *set, set) != 0)
        return false;
    bound = *set;
    is_bound = true;
    return true;
}

int nm_cpus(void)
{
    cpu_set_t set;
    return nm_cpus_allowed(&set) ? CPU_COUNT(&set) : omp_get_num_procs();
}

/* CPUs that the cgroup's quota pays for, rounded up; a large number where there is no quota. */
static int quota(void)
{
    long limit = -1, period = 0;
    FILE *f = fopen("/sys/fs/cgroup/cpu.max", "r");
    if (f) {
        if (fscanf(f, "%ld %ld", &limit, &period) != 2)
            limit = -1;
        fclose(f);
    } else {
        FILE *q = fopen("/sys/fs/cgroup/cpu/cpu.cfs_quota_us", "r");
        FILE *p = fopen("/sys/fs/cgroup/cpu/cpu.cfs_period_us", "r");
        if (!q || !p || fscanf(q, "%ld", &limit) != 1 || fscanf(p, "%ld", &period) != 1)
            limit = -1;
        if (q)
            fclose(q);
        if (p)
            fclose(p);
    }
    return limit > 0 && period > 0 ? (int)((limit + period - 1) / period) : 1 << 20;
}

/* Whether `cpu` is the first hyper-thread of its core among those in `set`. */
static bool first_of_core(int cpu, const cpu_set_t *set)
{
    char path[96];
    cpu_set_t siblings;
    snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu%d/topology/thread_siblings_list", cpu);
    bool first = true;
    if (nm_cpu_list_read(path, &siblings))
        for (int sibling = 0; sibling < cpu; sibling++)
            first = first && !(CPU_ISSET(sibling, &siblings) && CPU_ISSET(sibling, set));
    return first;
}

static int within_limits(int threads)
{
    return threads < 1 ? 1 : threads < NM_MOST_THREADS ? threads : NM_MOST_THREADS;
}

int nm_threads_shared(int sharing, int paying)
{
    int asked = getenv("OMP_NUM_THREADS") ? omp_get_max_threads() : 0;
    cpu_set_t set;
    if (asked > 0 || !nm_cpus_allowed(&set))
        return within_limits(asked > 0 ? asked : omp_get_num_procs() / sharing);
    int cores = 0, paid = quota() / paying;
    for (int cpu = 0; cpu < CPU_SETSIZE; cpu++)
        if (CPU_ISSET(cpu, &set))
            cores += first_of_core(cpu, &set);
    cores /= sharing;
    return within_limits(cores < paid ? cores : paid);
}

int nm_threads_default(void)
{
    return nm_threads_shared(1, 1);
}
