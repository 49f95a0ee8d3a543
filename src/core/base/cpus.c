/* Which processors a process may use, and how many threads that is worth. */
#include "threads.h"

#include <omp.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

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
static bool get_cpus(cpu_set_t *set)
{
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
    if (sched_getaffinity(0, sizeof now, &now) == 0 && get_cpus(&all) && !CPU_EQUAL(&now, &all))
        sched_setaffinity(0, sizeof all, &all);
}

int nm_cpus(void)
{
    cpu_set_t set;
    return get_cpus(&set) ? CPU_COUNT(&set) : omp_get_num_procs();
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
    snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu%d/topology/thread_siblings_list", cpu);
    FILE *f = fopen(path, "r");
    if (!f)
        return true;
    bool first = true;
    int low, high;
    char separator = ',';
    while (separator == ',' && fscanf(f, "%d", &low) == 1) {
        high = low;
        if (fscanf(f, "%c", &separator) == 1 && separator == '-' &&
            (fscanf(f, "%d", &high) != 1 || fscanf(f, "%c", &separator) != 1))
            separator = '\n';
        for (int sibling = low; sibling <= high && sibling < cpu; sibling++)
            first = first && !CPU_ISSET(sibling, set);
    }
    fclose(f);
    return first;
}

static int within_limits(int threads)
{
    return threads < 1 ? 1 : threads < NM_MOST_THREADS ? threads : NM_MOST_THREADS;
}

int nm_threads_default(void)
{
    int asked = getenv("OMP_NUM_THREADS") ? omp_get_max_threads() : 0;
    cpu_set_t set;
    if (asked > 0 || !get_cpus(&set))
        return within_limits(asked > 0 ? asked : omp_get_num_procs());
    int cores = 0;
    for (int cpu = 0; cpu < CPU_SETSIZE; cpu++)
        if (CPU_ISSET(cpu, &set))
            cores += first_of_core(cpu, &set);
    int paid = quota();
    return within_limits(cores < paid ? cores : paid);
}
