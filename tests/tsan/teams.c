/* teams [race]: rounds of a team whose width and number of tasks change, for ThreadSanitizer. Each
 * task writes what the leader and the next round's tasks read without locks: the team's own atomics
 * are all that orders them. With `race`, two tasks write one number: that must be reported. */
#include "threads.h"

#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TASKS = 97, ROUNDS = 400, THREADS = 4 };

typedef struct work {
    long before[TASKS], after[TASKS], by_thread[THREADS];
    int tasks;
} work;

typedef struct race {
    atomic_int begun;
    long shared;
} race;

static int width = THREADS;

static int choose_width(int threads)
{
    return width < threads ? width : threads;
}

/* Reads what any thread may have written a round ago. */
static void do_task(void *arg, int task, int thread)
{
    work *w = arg;
    w->after[task] = w->before[(task + 31) % TASKS] + 1;
    w->by_thread[thread]++;
}

/* Both tasks have begun, so on threads of their own, before either writes: nothing orders the
 * writes, however busy the machine is. The counter is relaxed, which orders nothing either. */
static void do_race(void *arg, int task, int thread)
{
    (void)task, (void)thread;
    race *r = arg;
    atomic_fetch_add_explicit(&r->begun, 1, memory_order_relaxed);
    while (atomic_load_explicit(&r->begun, memory_order_relaxed) < 2)
        sched_yield();
    r->shared++;
}

int main(int argc, char **argv)
{
    static work w;
    static race r;
    nm_team_size_from(choose_width);
    if (argc > 1 && strcmp(argv[1], "race") == 0)
        nm_parallel(THREADS, 2, do_race, &r);
    long done = 0, tasks = 0;
    for (int round = 0; round < ROUNDS; round++) {
        width = 1 + round % THREADS;
        w.tasks = 2 + round * 7 % (TASKS - 1);
        nm_parallel(THREADS, w.tasks, do_task, &w);
        memcpy(w.before, w.after, sizeof w.before);
        tasks += w.tasks;
    }
    for (int k = 0; k < THREADS; k++)
        done += w.by_thread[k];
    printf("%ld tasks of %ld\n", done, tasks);
    return done == tasks ? 0 : 1;
}
