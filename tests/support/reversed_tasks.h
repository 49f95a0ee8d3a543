/* A round's tasks in the reverse order: a task that writes where another one does is undone by it
 * otherwise, so that only chance, among several threads, would show it. */
#ifndef REVERSED_TASKS_H
#define REVERSED_TASKS_H

#include "threads.h"

static inline void run_last_task_first(void *unused, int tasks, nm_task *fn, void *arg)
{
    (void)unused;
    for (int task = tasks - 1; task >= 0; task--)
        fn(arg, task, 0);
}

/* Of the calling thread, from now on. */
static inline void reverse_tasks(bool reversed)
{
    nm_run_rounds_by(reversed ? run_last_task_first : NULL, NULL);
}

#endif
