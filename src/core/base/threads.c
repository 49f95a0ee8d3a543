/* Teams of threads. The thread that calls nm_parallel leads; the others wait, and share the tasks
 * that it hands out.
 *
 * The tasks of one nm_parallel are a round. Each thread has an even share of them, the first ones
 * the first thread and so on: from layer to layer it meets the samples that its own cache holds,
 * and on machines of several sockets the memory that it has touched first. Whoever is done with
 * its own helps the others. A thread's ticket holds the round's number and how many tasks of its
 * share are not taken yet; whoever lowers it owns one. What a round is (`fn`, `arg`, ...) is
 * written only while no ticket has a task left, so that a thread which has lowered a ticket has
 * read the round that it belongs to. The leader waits for tasks, not for threads: one that the
 * system has stopped between tasks holds up nobody.
 *
 * Waiting is a loop first and a sleep then (futex(2)): a millisecond of the loop where every
 * thread has a processor, so that the next layer begins at once, and little of it where others
 * could use that processor.
 *
 * Long because the order of these reads and writes is right only when all of it is read together.
 */
#include "threads.h"

#include "cpus.h"
#include "load.h"

#include <linux/futex.h>
#include <omp.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { LINE = 64 }; /* bytes of a cache line */

/* A number that threads wait on until it changes. */
typedef struct signal_word {
    _Alignas(LINE) _Atomic uint32_t value;
    atomic_int sleepers;
} signal_word;

typedef struct share {
    _Alignas(LINE) _Atomic uint64_t ticket; /* round << 32 | tasks to take */
} share;

typedef struct member {
    _Alignas(LINE) nm_load_thread *times;
    struct team *team;
    int number; /* in the team; 0 is the leader */
    uint32_t round;
    pthread_t thread;
} member;

typedef struct team {
    signal_word round, done; /* rounds begun; tasks of this round that are finished */
    signal_word width;       /* threads that take part: those of higher numbers sleep until it changes */
    signal_word begun;       /* workers that are ready for work */
    _Alignas(LINE) _Atomic(nm_task *) fn;
    _Atomic(void *) arg;
    atomic_int tasks, shares, most; /* most: thread numbers that the tasks know are below it */
    atomic_bool over;
    _Atomic int64_t patience; /* nanoseconds of a waiting loop */
    _Alignas(LINE) nm_load load;
    int size, processors; /* threads there are; processors for them */
    share share[NM_MOST_THREADS];
    member member[NM_MOST_THREADS];
    nm_load_thread times[NM_MOST_THREADS];
} team;

static _Thread_local team *own;      /* the team that the calling thread leads */
static _Thread_local bool is_serial; /* OpenBLAS has been told to be serial on this thread */
static _Thread_local bool busy;      /* the calling thread is within a task: what that hands out it does itself */
static _Thread_local nm_round_runner *own_runner; /* NULL: rounds are the team's */
static _Thread_local void *own_runner_arg;
static _Atomic(int (*)(int)) chosen_size;
static atomic_int alive;

/* ---- waiting --------------------------------------------------------------------------- */

static void pause_briefly(void)
{
#if defined __x86_64__ || defined __i386__
    __builtin_ia32_pause();
#endif
}

/* Whether the value has changed before the thread's patience ended. */
static bool has_changed_soon(team *t, const signal_word *s, uint32_t value, int thread)
{
    if (atomic_load(&s->value) != value)
        return true;
    int64_t patience = atomic_load_explicit(&t->patience, memory_order_relaxed), begin = nm_load_now(), passed = 0;
    bool changed = false;
    while (!changed && passed < patience) {
        for (int i = 0; i < 16 && !changed; i++) {
            pause_briefly();
            changed = atomic_load(&s->value) != value;
        }
        passed = nm_load_now() - begin;
    }
    atomic_fetch_add_explicit(&t->times[thread].spun, passed < patience ? passed : patience, memory_order_relaxed);
    return changed;
}

static void sleep_while(signal_word *s, uint32_t value)
{
    atomic_fetch_add(&s->sleepers, 1); /* before the kernel looks at the value: change() looks the other way round */
    syscall(SYS_futex, &s->value, FUTEX_WAIT_PRIVATE, value, NULL, NULL, 0);
    atomic_fetch_sub(&s->sleepers, 1);
}

static void wake(signal_word *s)
{
    if (atomic_load(&s->sleepers))
        syscall(SYS_futex, &s->value, FUTEX_WAKE_PRIVATE, INT32_MAX, NULL, NULL, 0);
}

static void change(signal_word *s, uint32_t value)
{
    atomic_store(&s->value, value);
    wake(s);
}

/* ---- rounds ---------------------------------------------------------------------------- */

/* The first task of a thread's share. */
static int share_at(int tasks, int shares, int thread)
{
    return (int)((int64_t)tasks * thread / shares);
}

/* Takes tasks of one share until there are none. */
static void take_share(team *t, int owner, int thread)
{
    _Atomic uint64_t *own_ticket = &t->share[owner].ticket;
    uint64_t ticket = atomic_load(own_ticket);
    for (uint32_t left; (left = (uint32_t)ticket) > 0;) {
        nm_task *fn = atomic_load(&t->fn);
        void *arg = atomic_load(&t->arg);
        int tasks = atomic_load(&t->tasks), end = share_at(tasks, atomic_load(&t->shares), owner + 1);
        if (thread >= atomic_load(&t->most))
            return;
        if (!atomic_compare_exchange_weak(own_ticket, &ticket, ticket - 1))
            continue;
        fn(arg, end - (int)left, thread);
        if ((int)atomic_fetch_add(&t->done.value, 1) + 1 == tasks)
            wake(&t->done);
        ticket = atomic_load(own_ticket);
    }
}

static void take_tasks(team *t, int thread)
{
    int shares = atomic_load(&t->shares);
    busy = true;
    for (int k = 0; thread < shares && k < shares; k++)
        take_share(t, (thread + k) % shares, thread);
    busy = false;
}

static void begin_round(team *t, int shares, int most, int tasks, nm_task *fn, void *arg)
{
    uint32_t next = atomic_load(&t->round.value) + 1;
    atomic_store(&t->fn, fn);
    atomic_store(&t->arg, arg);
    atomic_store(&t->shares, shares);
    atomic_store(&t->most, most);
    atomic_store(&t->tasks, tasks);
    atomic_store(&t->done.value, 0);
    for (int k = 0; k < shares; k++)
        atomic_store(&t->share[k].ticket,
                     (uint64_t)next << 32 | (uint32_t)(share_at(tasks, shares, k + 1) - share_at(tasks, shares, k)));
    change(&t->round, next);
}

/* ---- workers --------------------------------------------------------------------------- */

/* Outside a parallel region of OpenMP's, OpenBLAS would start threads of its own, and the bits
 * would change. */
static void make_serial(void)
{
    omp_set_num_threads(1);
    is_serial = true;
}

static void *work(void *arg)
{
    member *m = arg;
    team *t = m->team;
    nm_unbind_thread();
    nm_load_enter(m->times);
    make_serial();
    atomic_fetch_add(&t->begun.value, 1);
    wake(&t->begun);
    for (uint32_t round = m->round;;) {
        uint32_t width = atomic_load(&t->width.value);
        if (atomic_load(&t->over))
            return NULL;
        if (m->number >= (int)width) {
            sleep_while(&t->width, width);
        } else if (has_changed_soon(t, &t->round, round, m->number)) {
            round = atomic_load(&t->round.value);
            take_tasks(t, m->number);
        } else {
            sleep_while(&t->round, round);
        }
    }
}

static bool start_worker(team *t)
{
    member *m = &t->member[t->size];
    *m = (member){.times = &t->times[t->size], .team = t, .number = t->size, .round = atomic_load(&t->round.value)};
    sigset_t all, before; /* signals are for the program's own threads */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    bool started = pthread_create(&m->thread, NULL, work, m) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (started) {
        nm_load_start(m->times, m->thread);
        atomic_fetch_add(&alive, 1);
        t->size++;
    }
    return started;
}

int nm_threads_alive(void)
{
    return 1 + atomic_load(&alive);
}

/* ---- teams ----------------------------------------------------------------------------- */

static pthread_key_t team_key;
static pthread_once_t key_made = PTHREAD_ONCE_INIT;

static void end_team(void *arg)
{
    team *t = arg;
    atomic_store(&t->over, true);
    change(&t->width, UINT32_MAX >> 1);
    change(&t->round, atomic_load(&t->round.value) + 1);
    for (int k = 1; k < t->size; k++)
        pthread_join(t->member[k].thread, NULL);
    atomic_fetch_sub(&alive, t->size - 1);
    own = NULL;
    free(t);
}

static void init_team(team *t)
{
    t->size = 1;
    t->processors = nm_cpus();
    atomic_store(&t->width.value, 1);
    nm_load_init(&t->load);
    nm_load_start(&t->times[0], pthread_self());
    nm_load_enter(&t->times[0]);
}

/* A process made by fork has the thread that called it, and no other. */
static void forget_workers(void)
{
    atomic_store(&alive, 0);
    if (!own)
        return;
    atomic_store(&own->round.sleepers, 0);
    atomic_store(&own->width.sleepers, 0);
    atomic_store(&own->begun.value, 0);
    init_team(own);
}

static void make_key(void)
{
    pthread_key_create(&team_key, end_team);
    pthread_atfork(NULL, NULL, forget_workers);
}

/* A thread that begins takes locks of the C library, of malloc and of the sanitizers, and one that
 * works takes none: a fork() after this finds all of them free. */
static void await_workers(team *t)
{
    for (uint32_t begun; (begun = atomic_load(&t->begun.value)) < (uint32_t)t->size - 1;)
        sleep_while(&t->begun, begun);
}

/* The calling thread's team, with as many threads as the system grants. NULL: no memory. It
 * belongs to no context. */
static team *team_of(int threads)
{
    pthread_once(&key_made, make_key);
    if (!own) {
        own = aligned_alloc(LINE, sizeof *own);
        if (!own)
            return NULL;
        memset(own, 0, sizeof *own);
        pthread_setspecific(team_key, own);
        init_team(own);
    }
    while (own->size < threads && start_worker(own))
        ;
    await_workers(own);
    return own;
}

/* How many threads take part. */
static int width_of(team *t, int threads)
{
    int (*choose)(int) = atomic_load(&chosen_size);
    t->load.asked = threads > t->load.asked ? threads : t->load.asked;
    int width = choose ? choose(threads) : t->load.width;
    width = width < t->size ? width : t->size;
    return width < 1 ? 1 : width;
}

static void run_round(team *t, int threads, int tasks, nm_task *fn, void *arg)
{
    enum { LONG = 1000000, SHORT = 30000 }; /* nanoseconds */
    int width = width_of(t, threads), shares = width < threads ? width : threads;
    bool crowded = t->load.disturbed || threads > t->processors;
    atomic_store_explicit(&t->patience, crowded ? SHORT : LONG, memory_order_relaxed);
    if (atomic_load(&t->width.value) != (uint32_t)width)
        change(&t->width, (uint32_t)width);
    begin_round(t, shares < tasks ? shares : tasks, threads, tasks, fn, arg);
    take_tasks(t, 0);
    for (uint32_t done; (done = atomic_load(&t->done.value)) != (uint32_t)tasks;)
        if (!has_changed_soon(t, &t->done, done, 0))
            sleep_while(&t->done, done);
    int64_t now = nm_load_now();
    if (now >= t->load.due)
        nm_load_look(&t->load, t->times, t->size, now);
}

typedef struct tasks_of {
    int threads, tasks;
    nm_task *fn;
    void *arg;
} tasks_of;

static void run_tasks(void *arg)
{
    const tasks_of *w = arg;
    if (own_runner && !busy) {
        busy = true;
        own_runner(own_runner_arg, w->tasks, w->fn, w->arg);
        busy = false;
        return;
    }
    int threads = w->threads < w->tasks ? w->threads : w->tasks;
    threads = threads < NM_MOST_THREADS ? threads : NM_MOST_THREADS;
    team *t = threads > 1 && !busy ? team_of(threads) : NULL;
    if (t)
        run_round(t, threads, w->tasks, w->fn, w->arg);
    else
        for (int task = 0; task < w->tasks; task++)
            w->fn(w->arg, task, 0);
}

void nm_with_team(void (*fn)(void *arg), void *arg)
{
    if (is_serial) {
        fn(arg);
        return;
    }
    int before = omp_get_max_threads();
    make_serial();
    fn(arg);
    is_serial = false;
    omp_set_num_threads(before);
}

void nm_parallel(int threads, int tasks, nm_task *fn, void *arg)
{
    nm_with_team(run_tasks, &(tasks_of){threads, tasks, fn, arg});
}

void nm_run_rounds_by(nm_round_runner *runner, void *arg)
{
    own_runner = runner;
    own_runner_arg = arg;
}

void nm_team_size_from(int (*choose)(int threads))
{
    atomic_store(&chosen_size, choose);
}
