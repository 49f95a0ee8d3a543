/* Which processors a process may use, and how many threads that is worth. */
#ifndef NM_CPUS_H
#define NM_CPUS_H

#include <sched.h>
#include <stdbool.h>

/* Physical cores within the affinity mask and the cgroup's quota; OMP_NUM_THREADS wins. 1 to
 * NM_MOST_THREADS. */
int nm_threads_default(void);

/* The same, where `sharing` processes have these cores in common, and `paying` the quota.
 * OMP_NUM_THREADS is each process's own. */
int nm_threads_shared(int sharing, int paying);

/* Processors that the process may run on, hyper-threads counted each. */
int nm_cpus(void);
/* Which ones. false: the system does not say; *set is empty then. */
bool nm_cpus_allowed(cpu_set_t *set);

/* From now on the process has these alone: the calling thread, and all threads that it starts.
 * false: the system does not allow it, and nothing has changed. */
bool nm_cpus_bind(const cpu_set_t *set);

/* Lets the calling thread run on all that the process may run on. OMP_PROC_BIND, OMP_PLACES and
 * GOMP_CPU_AFFINITY make libgomp bind a program's first thread to one processor, and every thread
 * that it starts would inherit that. */
void nm_unbind_thread(void);

#endif
