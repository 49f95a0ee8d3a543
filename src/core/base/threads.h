/* Threads. Work is cut into tasks by shape alone, never by the number of threads; any thread may
 * take any task; a task's result goes where only that task writes. So the result has the same bits
 * for any number of threads, and the team may shrink and grow while it runs: it does where other
 * programs want the same processors (load.h).
 *
 *     static void relu_task(void *arg, int task, int thread) {...}
 *     nm_parallel(p->threads, tasks, relu_task, &args);
 *
 * Inside a task every OpenBLAS call is serial, and so is nm_parallel: tasks that a task hands out
 * are its own, all with thread 0. Each thread that calls nm_parallel has a team of its own, which
 * lives as long as that thread. */
#ifndef NM_THREADS_H
#define NM_THREADS_H

/* Most threads of a team. */
enum { NM_MOST_THREADS = 1024 };

typedef void nm_task(void *arg, int task, int thread);

/* Runs fn(arg, 0..tasks-1, thread) on at most `threads` threads; 0 <= thread < threads. Where the
 * system refuses more threads, the ones that there are do all of it. */
void nm_parallel(int threads, int tasks, nm_task *fn, void *arg);

/* Runs fn(arg) on the calling thread, with OpenBLAS serial in all of it, also outside tasks. */
void nm_with_team(void (*fn)(void *arg), void *arg);

/* For tests: how many of `threads` a round gets, in place of what the load makes of it; NULL: the
 * load decides. */
void nm_team_size_from(int (*choose)(int threads));

/* Threads that exist in all teams, their leaders among them. */
int nm_threads_alive(void);

/* ---- processors (cpus.c) --------------------------------------------------------------- */

/* Physical cores within the affinity mask and the cgroup's quota; OMP_NUM_THREADS wins. 1 to
 * NM_MOST_THREADS. */
int nm_threads_default(void);

/* Processors that the process may run on, hyper-threads counted each. */
int nm_cpus(void);

/* Lets the calling thread run on all of them. OMP_PROC_BIND, OMP_PLACES and GOMP_CPU_AFFINITY make
 * libgomp bind a program's first thread to one processor, and every thread that it starts would
 * inherit that. */
void nm_unbind_thread(void);

/* How many pieces of at most `per` items `n` items make. */
static inline int nm_pieces(int n, int per)
{
    return (n + per - 1) / per;
}

#endif
