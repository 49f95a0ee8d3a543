/* norma: threads. Work is cut into tasks by shape alone, never by the number of threads; any thread
 * may take any task; a task's result goes where only that task writes. So the result has the same
 * bits for any number of threads.
 *
 *     static void swish_task(void *arg, int task, int thread)
 *     {
 *         const swish_call *call = arg;
 *         ... samples task * PER to task * PER + PER of call->p ...
 *     }
 *     nm_parallel(p->threads, nm_ceil_div(p->n, PER), swish_task, &call);
 *
 * Inside a task every OpenBLAS call is serial, and so is nm_parallel: tasks that a task hands out
 * are its own, all with thread 0. Each thread that calls nm_parallel has a team of its own, which
 * lives as long as that thread. */
#ifndef NORMA_PARALLEL_H
#define NORMA_PARALLEL_H

#include "context.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Most threads of a team. */
enum { NM_MOST_THREADS = 1024 };

typedef void nm_task(void *arg, int task, int thread);

/* Runs fn(arg, 0..tasks-1, thread) on at most `threads` threads; 0 <= thread < threads. Where the
 * system refuses more threads, the ones that there are do all of it. */
NM_API void nm_parallel(int threads, int tasks, nm_task *fn, void *arg);

/* n / per, rounded up: how many tasks of at most `per` items `n` items make. */
static inline int nm_ceil_div(int n, int per)
{
    return (n + per - 1) / per;
}

#ifdef __cplusplus
}
#endif

#endif
