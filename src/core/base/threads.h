/* Threads: what only the library's own code does with them. nm_parallel is in parallel.h; its team
 * may shrink and grow while it runs: it does where other programs want the same processors
 * (load.h). */
#ifndef NM_THREADS_H
#define NM_THREADS_H

#include <norma/parallel.h>

/* Runs fn(arg) on the calling thread, with OpenBLAS serial in all of it, also outside tasks. */
void nm_with_team(void (*fn)(void *arg), void *arg);

/* For tests: how many of `threads` a round gets, in place of what the load makes of it; NULL: the
 * load decides. */
void nm_team_size_from(int (*choose)(int threads));

/* For measuring: on the calling thread rounds are run by `runner`, which does fn(fn_arg,
 * 0..tasks-1, 0) in order. Not those that a task hands out. NULL: by the team again. */
typedef void nm_round_runner(void *arg, int tasks, nm_task *fn, void *fn_arg);
void nm_run_rounds_by(nm_round_runner *runner, void *arg);

/* Threads that exist in all teams, their leaders among them. */
int nm_threads_alive(void);

#endif
