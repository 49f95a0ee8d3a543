/* Threads. The one place that knows OpenMP. Work is cut into tasks by shape alone,
 * never by the number of threads; any thread may take any task; a task's result goes
 * where only that task writes. So the result has the same bits for any thread count.
 *
 *     static void relu_task(void *arg, int task, int thread) {...}
 *     nm_parallel(p->threads, tasks, relu_task, &args);
 *
 * Inside a task every OpenBLAS call is serial, and so is nm_parallel: tasks that a task hands out are its own, all with thread 0.
 *
 * Starting threads for each nm_parallel takes some microseconds. Whoever calls it many times in a row does so
 * inside nm_with_team, where the threads stand by: half a microsecond. */
#ifndef NM_THREADS_H
#define NM_THREADS_H

typedef void nm_task(void *arg, int task, int thread);

/* Runs fn(arg, 0..tasks-1, thread) on at most `threads` threads; 0 <= thread < threads. */
void nm_parallel(int threads, int tasks, nm_task *fn, void *arg);

/* Runs fn(arg) on the calling thread, with a team of `threads` standing by for the nm_parallel calls in it: one parallel region
 * for all of them. Inside a team it just calls fn. */
void nm_with_team(int threads, void (*fn)(void *arg), void *arg);

/* Physical cores within the affinity mask and the cgroup's quota; OMP_NUM_THREADS wins. At least 1. */
int nm_threads_default(void);

/* How many pieces of at most `per` items `n` items make. */
static inline int nm_pieces(int n, int per)
{
    return (n + per - 1) / per;
}

#endif
