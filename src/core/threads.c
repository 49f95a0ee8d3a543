/* Threads through OpenMP. */
#include "threads.h"

#include <omp.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>

void nm_parallel(int threads, int tasks, nm_task *fn, void *arg)
{
    if (threads > tasks)
        threads = tasks;
    if (threads < 1)
        return;
    int before = omp_get_max_threads();
#pragma omp parallel num_threads(threads)
    {
        /* OpenBLAS would start threads of its own inside a team of one, and the bits would change. */
        omp_set_num_threads(1);
        int thread = omp_get_thread_num();
#pragma omp for schedule(dynamic, 1)
        for (int task = 0; task < tasks; task++)
            fn(arg, task, thread);
    }
    /* A team of one runs in the caller's own data environment, so the setting may have leaked. */
    omp_set_num_threads(before);
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
static int first_of_core(int cpu, const cpu_set_t *set)
{
    char path[96];
    snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu%d/topology/thread_siblings_list", cpu);
    FILE *f = fopen(path, "r");
    if (!f)
        return 1;
    int first = 1, low, high;
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

int nm_threads_default(void)
{
    if (getenv("OMP_NUM_THREADS"))
        return omp_get_max_threads() > 0 ? omp_get_max_threads() : 1;
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) != 0)
        return omp_get_num_procs();
    int cores = 0;
    for (int cpu = 0; cpu < CPU_SETSIZE; cpu++)
        if (CPU_ISSET(cpu, &set))
            cores += first_of_core(cpu, &set);
    int paid = quota();
    int threads = cores < paid ? cores : paid;
    return threads > 0 ? threads : 1;
}
