/* The tasks of one step, each measured on one thread; and how long they take on more of them. */
#ifndef BENCH_TASKS_H
#define BENCH_TASKS_H

#include "network.h"

typedef struct bench_round {
    int op, first, tasks; /* the operation that hands them out; tasks first to first + tasks - 1 */
} bench_round;

typedef struct bench_tasks {
    nm_context *ctx;
    int ops;             /* of the plan's program; number `ops` is what comes after it: the update */
    int rounds, tasks;   /* of a step */
    bench_round *round;  /* [rounds] */
    double *seconds;     /* [tasks]: of the thread's processor time, the median of a few steps */
    double *serial;      /* [ops + 1]: outside of tasks */
    double *taken;       /* [tasks + ops + 1][steps]: all of it, while that is measured */
    int op, now, at, in; /* while a step is recorded: operation, step, round, task */
    double clock;        /* what reading it takes, in seconds: not counted */
    double mark;         /* since when what runs is outside of tasks */
} bench_tasks;

/* For nm_request.on_op, with a bench_tasks * as its argument. */
void bench_tasks_on_op(void *tasks, int op);

/* Runs a few steps on the calling thread alone. The plan has the request above. Overwrites all but
 * ctx; bench_tasks_free. */
nm_status bench_tasks_record(bench_tasks *tasks, const nm_plan *plan, void (*step)(void *arg), void *arg) NM_MUST_USE;
void bench_tasks_free(bench_tasks *tasks);

/* A round's longest task, and all of them. */
double bench_tasks_longest(const bench_tasks *tasks, const bench_round *round, double *all);

/* How long an operation takes where each of `threads` takes the next task as soon as it is free, in
 * seconds. *rounds: how often threads meet. threads 0: as many as there are tasks. */
double bench_tasks_of_op(const bench_tasks *tasks, int op, int threads, int *rounds);

#endif
