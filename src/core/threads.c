/* Threads through OpenMP. A team is one parallel region: the thread that opened it goes on with its work, the others stand by
 * and share the tasks that it hands out.
 *
 * The tasks of one nm_parallel are a round. Each thread has an even share of them, the first ones the first thread and so on: from
 * layer to layer it meets the samples that its own cache holds, and on machines of several sockets the memory that it has
 * touched first. Whoever is done with its own helps the others. A thread's ticket holds the round's number and how many tasks of its share are not
 * taken yet; whoever lowers it owns one. What a round is (`fn`, `arg`, ...) is written only while no ticket has a task
 * left, so that a thread which has lowered a ticket has read the round that it belongs to. The leader waits for tasks, not
 * for threads: one that the system has stopped between tasks holds up nobody. */
#include "threads.h"

#include <omp.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

enum { MOST_THREADS = 256 };

typedef struct share {
    _Alignas(64) _Atomic uint64_t ticket; /* round << 32 | tasks to take */
} share;

typedef struct team {
    _Alignas(64) _Atomic uint32_t round;
    _Atomic(nm_task *) fn;
    _Atomic(void *) arg;
    atomic_int tasks, threads;            /* threads: those that have a share */
    atomic_bool over;
    int size;                             /* threads in all */
    int spins;                            /* before a thread that waits goes to sleep */
    _Alignas(64) atomic_int done;         /* tasks of the round that are finished */
    _Alignas(64) atomic_int sleepers;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    share of[MOST_THREADS];
} team;

static _Thread_local team *led; /* the team that the calling thread leads */
static _Thread_local bool busy; /* the calling thread is within a task: what that hands out it does itself */

/* ---- waiting --------------------------------------------------------------------------- */

typedef bool condition(const team *t, uint32_t round);

static bool has_begun(const team *t, uint32_t last)
{
    return atomic_load(&t->round) != last;
}
static bool is_done(const team *t, uint32_t round)
{
    (void)round;
    return atomic_load(&t->done) == atomic_load(&t->tasks);
}

static inline void pause_briefly(void)
{
#if defined __x86_64__ || defined __i386__
    __builtin_ia32_pause();
#endif
}

static void wait_for(team *t, condition *holds, uint32_t round)
{
    for (int i = 0; i < t->spins; i++) {
        if (holds(t, round))
            return;
        pause_briefly();
    }
    pthread_mutex_lock(&t->lock);
    atomic_fetch_add(&t->sleepers, 1); /* before the condition is looked at: wake() looks the other way round */
    while (!holds(t, round))
        pthread_cond_wait(&t->changed, &t->lock);
    atomic_fetch_sub(&t->sleepers, 1);
    pthread_mutex_unlock(&t->lock);
}

static void wake(team *t)
{
    if (!atomic_load(&t->sleepers))
        return;
    pthread_mutex_lock(&t->lock);
    pthread_cond_broadcast(&t->changed);
    pthread_mutex_unlock(&t->lock);
}

/* ---- rounds ---------------------------------------------------------------------------- */

/* The first task of a thread's share. */
static int share_at(int tasks, int threads, int thread)
{
    return (int)((int64_t)tasks * thread / threads);
}

/* Takes tasks of one share until there are none. */
static void take_share(team *t, int owner, int thread)
{
    _Atomic uint64_t *own = &t->of[owner].ticket;
    uint64_t ticket = atomic_load(own);
    for (uint32_t left; (left = (uint32_t)ticket) > 0;) {
        nm_task *fn = atomic_load(&t->fn);
        void *arg = atomic_load(&t->arg);
        int tasks = atomic_load(&t->tasks), end = share_at(tasks, atomic_load(&t->threads), owner + 1);
        if (!atomic_compare_exchange_weak(own, &ticket, ticket - 1))
            continue;
        fn(arg, end - (int)left, thread);
        if (atomic_fetch_add(&t->done, 1) + 1 == tasks)
            wake(t);
        ticket = atomic_load(own);
    }
}

static void take_tasks(team *t, int thread)
{
    int threads = atomic_load(&t->threads);
    busy = true;
    for (int k = 0; thread < threads && k < threads; k++)
        take_share(t, (thread + k) % threads, thread);
    busy = false;
}

static void stand_by(team *t, int thread)
{
    for (uint32_t round = 0;;) {
        wait_for(t, has_begun, round);
        round = atomic_load(&t->round);
        if (atomic_load(&t->over))
            return;
        take_tasks(t, thread);
    }
}

static void begin(team *t, int threads, int tasks, nm_task *fn, void *arg)
{
    uint32_t next = atomic_load(&t->round) + 1;
    atomic_store(&t->fn, fn);
    atomic_store(&t->arg, arg);
    atomic_store(&t->threads, threads);
    atomic_store(&t->tasks, tasks);
    atomic_store(&t->done, 0);
    for (int k = 0; k < threads; k++)
        atomic_store(&t->of[k].ticket, (uint64_t)next << 32 | (uint32_t)(share_at(tasks, threads, k + 1) - share_at(tasks, threads, k)));
    atomic_store(&t->round, next);
    wake(t);
}

static void run_round(team *t, int threads, int tasks, nm_task *fn, void *arg)
{
    threads = threads < t->size ? threads : t->size;
    begin(t, threads < tasks ? threads : tasks, tasks, fn, arg);
    take_tasks(t, 0);
    wait_for(t, is_done, 0);
}

/* ---- teams ----------------------------------------------------------------------------- */

void nm_with_team(int threads, void (*fn)(void *arg), void *arg)
{
    if (led || busy) {
        fn(arg);
        return;
    }
    threads = threads < 1 ? 1 : threads < MOST_THREADS ? threads : MOST_THREADS;
    enum { LONG = 20000, SHORT = 100 }; /* about a millisecond, where every thread has a core */
    team t = {.spins = threads <= omp_get_num_procs() ? LONG : SHORT, .lock = PTHREAD_MUTEX_INITIALIZER,
              .changed = PTHREAD_COND_INITIALIZER};
    int before = omp_get_max_threads();
#pragma omp parallel num_threads(threads)
    {
        omp_set_num_threads(1); /* OpenBLAS would start threads of its own inside a team of one, and the bits would change */
        int thread = omp_get_thread_num();
        if (thread == 0) {
            led = &t;
            t.size = omp_get_num_threads();
            fn(arg);
            led = NULL;
            atomic_store(&t.over, true);
            begin(&t, threads, 0, NULL, NULL);
        } else {
            stand_by(&t, thread);
        }
    }
    omp_set_num_threads(before); /* a team of one runs in the caller's own data environment: the setting may have leaked */
    pthread_cond_destroy(&t.changed);
    pthread_mutex_destroy(&t.lock);
}

typedef struct work {
    int threads, tasks;
    nm_task *fn;
    void *arg;
} work;

static void run_work(void *arg)
{
    const work *w = arg;
    if (w->threads > 1 && w->tasks > 1 && !busy)
        run_round(led, w->threads, w->tasks, w->fn, w->arg);
    else
        for (int task = 0; task < w->tasks; task++)
            w->fn(w->arg, task, 0);
}

void nm_parallel(int threads, int tasks, nm_task *fn, void *arg)
{
    work w = {threads, tasks, fn, arg};
    if (threads > 0 && tasks > 0)
        nm_with_team(threads < tasks ? threads : tasks, run_work, &w);
}

/* CPUs that the cgroup's quota pays for, rounded up; a large number where there is no quota. */
static int quota(void)
{
    long limit = -1, period = 0;
    FILE *f = fopen("/sys/fs/cgroup/cpu.max", "r");
    if (f) {
        if (fscanf(f, "%ld %ld", &limit, &period) != 2)
            limit = -1;
        fclose(f);
    } else {
        FILE *q = fopen("/sys/fs/cgroup/cpu/cpu.cfs_quota_us", "r");
        FILE *p = fopen("/sys/fs/cgroup/cpu/cpu.cfs_period_us", "r");
        if (!q || !p || fscanf(q, "%ld", &limit) != 1 || fscanf(p, "%ld", &period) != 1)
            limit = -1;
        if (q)
            fclose(q);
        if (p)
            fclose(p);
    }
    return limit > 0 && period > 0 ? (int)((limit + period - 1) / period) : 1 << 20;
}

/* Whether `cpu` is the first hyper-thread of its core among those in `set`. */
static int first_of_core(int cpu, const cpu_set_t *set)
{
    char path[96];
    snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu%d/topology/thread_siblings_list", cpu);
    FILE *f = fopen(path, "r");
    if (!f)
        return 1;
    int first = 1, low, high;
    char separator = ',';
    while (separator == ',' && fscanf(f, "%d", &low) == 1) {
        high = low;
        if (fscanf(f, "%c", &separator) == 1 && separator == '-' &&
            (fscanf(f, "%d", &high) != 1 || fscanf(f, "%c", &separator) != 1))
            separator = '\n';
        for (int sibling = low; sibling <= high && sibling < cpu; sibling++)
            first = first && !CPU_ISSET(sibling, set);
    }
    fclose(f);
    return first;
}

int nm_threads_default(void)
{
    if (getenv("OMP_NUM_THREADS"))
        return omp_get_max_threads() > 0 ? omp_get_max_threads() : 1;
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) != 0)
        return omp_get_num_procs();
    int cores = 0;
    for (int cpu = 0; cpu < CPU_SETSIZE; cpu++)
        if (CPU_ISSET(cpu, &set))
            cores += first_of_core(cpu, &set);
    int paid = quota();
    int threads = cores < paid ? cores : paid;
    return threads > 0 ? threads : 1;
}
