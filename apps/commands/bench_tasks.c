#include "bench_tasks.h"

#include "alloc.h"
#include "clock.h"
#include "plan_program.h"
#include "threads.h"

#include <math.h>

enum { STEPS = 5 };

static double processor_seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* What reading the clock adds to what is measured: half a microsecond, where a task may take two.
 */
static double clock_cost(void)
{
    enum { READS = 101 };
    double between[READS];
    for (int i = 0; i < READS; i++) {
        double start = processor_seconds();
        between[i] = processor_seconds() - start;
    }
    return nm_median(between, READS);
}

static double since(const bench_tasks *t, double start)
{
    return fmax(0, processor_seconds() - start - t->clock);
}

/* ---- recording ------------------------------------------------------------------------- */

/* The time since the mark was spent outside of tasks. */
static void count_serial(bench_tasks *t)
{
    if (t->taken)
        t->taken[(size_t)(t->tasks + t->op) * STEPS + (size_t)t->now] += since(t, t->mark);
    t->mark = processor_seconds();
}

void bench_tasks_on_op(void *tasks, int op)
{
    bench_tasks *t = tasks;
    count_serial(t);
    t->op = op;
}

/* The first step counts rounds and tasks, and is the one that warms up. */
static void count_round(void *arg, int tasks, nm_task *fn, void *fn_arg)
{
    bench_tasks *t = arg;
    t->rounds++;
    t->tasks += tasks;
    for (int task = 0; task < tasks; task++)
        fn(fn_arg, task, 0);
}

static void record_round(void *arg, int tasks, nm_task *fn, void *fn_arg)
{
    bench_tasks *t = arg;
    count_serial(t);
    bool known = t->at < t->rounds && t->in + tasks <= t->tasks;
    if (known)
        t->round[t->at++] = (bench_round){t->op, t->in, tasks};
    for (int task = 0; task < tasks; task++) {
        double start = processor_seconds();
        fn(fn_arg, task, 0);
        if (known)
            t->taken[(size_t)t->in++ * STEPS + (size_t)t->now] = since(t, start);
    }
    t->mark = processor_seconds();
}

static void record_step(bench_tasks *t, void (*step)(void *arg), void *arg)
{
    t->at = t->in = 0;
    t->op = t->ops;
    t->mark = processor_seconds();
    step(arg);
    count_serial(t);
}

nm_status bench_tasks_record(bench_tasks *t, const nm_plan *plan, void (*step)(void *arg), void *arg)
{
    *t = (bench_tasks){.ctx = t->ctx, .ops = nm_plan_program_of(plan).ops, .clock = clock_cost()};
    nm_run_rounds_by(count_round, t);
    record_step(t, step, arg);
    size_t all = (size_t)(t->tasks + t->ops) + 1;
    t->round = nm_alloc(t->ctx, (size_t)t->rounds + 1, sizeof *t->round);
    t->seconds = nm_alloc(t->ctx, all, sizeof *t->seconds);
    t->taken = nm_alloc(t->ctx, all * STEPS, sizeof *t->taken);
    if (t->round && t->seconds && t->taken) {
        nm_run_rounds_by(record_round, t);
        for (t->now = 0; t->now < STEPS; t->now++)
            record_step(t, step, arg);
        for (size_t i = 0; i < all; i++)
            t->seconds[i] = nm_median(t->taken + i * STEPS, STEPS);
        t->serial = t->seconds + t->tasks;
    }
    nm_run_rounds_by(NULL, NULL);
    nm_free(t->taken);
    t->taken = NULL;
    return t->serial ? NM_OK : NM_FAILED;
}

void bench_tasks_free(bench_tasks *tasks)
{
    nm_free(tasks->round);
    nm_free(tasks->seconds);
    *tasks = (bench_tasks){.ctx = tasks->ctx};
}

/* ---- many threads ---------------------------------------------------------------------- */

static double longest_of(const double *seconds, int tasks)
{
    double longest = 0;
    for (int i = 0; i < tasks; i++)
        longest = seconds[i] > longest ? seconds[i] : longest;
    return longest;
}

double bench_tasks_longest(const bench_tasks *t, const bench_round *round, double *all)
{
    *all = 0;
    for (int i = 0; i < round->tasks; i++)
        *all += t->seconds[round->first + i];
    return longest_of(t->seconds + round->first, round->tasks);
}

/* When the last of a round's tasks is done. */
static double share_out(const double *seconds, int tasks, int threads)
{
    double busy[NM_MOST_THREADS] = {0};
    for (int i = 0; i < tasks; i++) {
        int first = 0;
        for (int k = 1; k < threads; k++)
            first = busy[k] < busy[first] ? k : first;
        busy[first] += seconds[i];
    }
    return longest_of(busy, threads);
}

double bench_tasks_of_op(const bench_tasks *t, int op, int threads, int *rounds)
{
    double all = t->serial[op];
    *rounds = 0;
    for (const bench_round *r = t->round; r < t->round + t->rounds; r++) {
        if (r->op != op)
            continue;
        const double *seconds = t->seconds + r->first;
        all += threads && threads < r->tasks ? share_out(seconds, r->tasks, threads) : longest_of(seconds, r->tasks);
        *rounds += r->tasks > 1;
    }
    return all;
}
