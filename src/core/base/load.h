/* How many threads of a team are worth having while other programs want the same processors.
 *
 * A thread that the system has stopped in the middle of a task holds up its whole team. So the
 * team's leader looks, some forty times a second, at what the system says of its threads: how
 * long each has run, and how long it was kept waiting for a processor. Only where some were kept
 * waiting and the team did less than the threads that were not could have done, fewer are tried.
 * More are tried again now and then, ever more rarely while that fails, and soon only where the
 * machine has idle processors: others may use them at a lower priority. On a machine with nothing
 * else to do no thread waits, and the team stays whole. No result depends on it.
 *
 * Work done is counted as the threads' processor time without their waiting in loops: comparable
 * whatever the team does meanwhile. Where /proc does not say how long a thread was kept
 * waiting, the team stays whole. */
#ifndef NM_LOAD_H
#define NM_LOAD_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

/* One thread of a team. All times are in nanoseconds. */
typedef struct nm_load_thread {
    _Atomic pid_t id;
    clockid_t clock;              /* its processor time */
    _Atomic int64_t spun;         /* how long it has waited in a loop */
    int64_t worked, kept_waiting; /* at the last look */
} nm_load_thread;

typedef struct nm_load {
    int width;                 /* threads that rounds get at most: NM_MOST_THREADS while nothing is held back */
    int asked;                 /* most threads that a round wanted since the last look */
    int crowded;               /* looks in a row at which there were too many threads */
    bool disturbed;            /* other programs take processor time from the team */
    int64_t begin, due;        /* the last look, the next one */
    int before;                /* width to go back to where the one on trial is no better; 0: no trial */
    double rate;               /* threads' worth of work done at the width that is not on trial */
    int step;                  /* threads that the next trial of more adds */
    int64_t pause[2], next[2]; /* between trials, and when the next one may begin: of fewer threads, of more */
    int64_t last_failure;      /* of a trial of more threads */
    double idle;               /* processors of the machine that nobody used of late; INFINITY: unknown */
    int64_t idle_time, idle_at;
} nm_load;

int64_t nm_load_now(void);

/* Called for a new thread by the leader, and by the thread itself. */
void nm_load_start(nm_load_thread *times, pthread_t thread);
void nm_load_enter(nm_load_thread *times);

void nm_load_init(nm_load *load);

/* Called by the leader when now >= load->due, between rounds: sets width, disturbed and due.
 * thread: `alive` of them. */
void nm_load_look(nm_load *load, nm_load_thread *thread, int alive, int64_t now);

/* What is made of it: `threads` of the load->asked ones did the work of `worked` whole threads,
 * and `missing` processors were not to be had. */
void nm_load_decide(nm_load *load, int threads, double worked, double missing, int64_t now);

#endif
