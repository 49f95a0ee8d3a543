/* Watching what other programs leave of the processors. */
#include "load.h"

#include "threads.h"

#include <fcntl.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MILLISECOND = 1000000 };
static const int64_t window = 25 * MILLISECOND; /* several of a scheduler's time slices */
enum { FEWER, MORE };
static const int long_enough = 3; /* windows in which there were too many threads */
static const int64_t least_pause[] = {100 * MILLISECOND, 200 * MILLISECOND};
static const int64_t longest_pause[] = {800 * MILLISECOND, 3200LL * MILLISECOND};
static const double noticeable = 0.1; /* of a processor, for all threads together */
static const double promising = 0.95; /* of what fewer threads could do at best */
static const double tolerable = 0.5;  /* fewer threads need a while to get the processors they leave to each other */
static const double worth_it = 0.2;   /* of what more threads could do at best */

static int64_t nanoseconds(clockid_t clock)
{
    struct timespec t;
    return clock_gettime(clock, &t) == 0 ? (int64_t)t.tv_sec * 1000000000 + t.tv_nsec : 0;
}

int64_t nm_load_now(void)
{
    return nanoseconds(CLOCK_MONOTONIC);
}

/* Time for which a thread could have run but had no processor (proc(5): schedstat); 0 where the
 * system does not say. */
static int64_t time_kept_waiting(pid_t thread)
{
    char text[128];
    snprintf(text, sizeof text, "/proc/self/task/%d/schedstat", (int)thread);
    int file = open(text, O_RDONLY | O_CLOEXEC);
    if (file < 0)
        return 0;
    ssize_t length = read(file, text, sizeof text - 1);
    close(file);
    text[length > 0 ? length : 0] = '\0';
    const char *second = strchr(text, ' ');
    return second ? strtoll(second, NULL, 10) : 0;
}

static int64_t time_worked(nm_load_thread *t)
{
    return nanoseconds(t->clock) - atomic_load_explicit(&t->spun, memory_order_relaxed);
}

static void read_thread(nm_load_thread *t)
{
    t->worked = time_worked(t);
    t->kept_waiting = time_kept_waiting(atomic_load(&t->id));
}

void nm_load_start(nm_load_thread *t, pthread_t thread)
{
    if (pthread_getcpuclockid(thread, &t->clock) != 0)
        t->clock = CLOCK_MONOTONIC;
    t->worked = time_worked(t);
}

void nm_load_enter(nm_load_thread *t)
{
    atomic_store(&t->id, gettid());
}

static int at_most(int a, int b)
{
    return a < b ? a : b;
}

/* How many threads would have processors of their own, where `missing` were not to be had: two
 * threads that want one each lose half of it. */
static int undisturbed(int threads, double missing)
{
    int fewer = threads - (missing > noticeable ? (int)ceil(2 * missing - noticeable) : 0);
    return fewer < 1 ? 1 : fewer;
}

/* Whether so many would do more. */
static bool is_too_many(int threads, double rate, double missing)
{
    int fewer = undisturbed(threads, missing);
    return fewer < threads && rate < promising * fewer;
}

/* The trial of another width is over. */
static void end_trial(nm_load *l, double rate, double missing, int64_t now)
{
    int direction = l->width > l->before ? MORE : FEWER;
    bool better = direction == FEWER ? rate > l->rate - tolerable
                                     : rate > l->rate * (1 + worth_it * (l->width - l->before) / l->before) &&
                                           !is_too_many(l->width, rate, missing);
    l->step = better && direction == MORE ? 2 * l->step : 1;
    if (better) {
        l->rate = rate;
        for (int i = 0; i < 2; i++)
            l->pause[i] = least_pause[i];
        l->next[FEWER] = now;
        l->next[MORE] = direction == MORE ? now : now + l->pause[MORE];
    } else {
        l->width = l->before;
        l->next[direction] = now + l->pause[direction];
        l->pause[direction] =
            2 * l->pause[direction] < longest_pause[direction] ? 2 * l->pause[direction] : longest_pause[direction];
    }
    if (direction == MORE && !better)
        l->last_failure = now;
    if (direction == FEWER && better)
        l->last_failure =
            now - longest_pause[MORE]; /* what came may have gone: the next trial needs no idle processor */
    l->before = 0;
}

/* Processors without work since it was asked last. */
static void look_for_idle_ones(nm_load *l, int64_t now)
{
    long long user, nice, system, idle;
    FILE *f = fopen("/proc/stat", "re");
    bool known = f && fscanf(f, "cpu %lld %lld %lld %lld", &user, &nice, &system, &idle) == 4;
    if (f)
        fclose(f);
    int64_t time = known ? idle * (1000000000 / sysconf(_SC_CLK_TCK)) : 0;
    l->idle = known && l->idle_at ? (double)(time - l->idle_time) / (double)(now - l->idle_at) : INFINITY;
    l->idle_time = time;
    l->idle_at = now;
}

void nm_load_init(nm_load *l)
{
    int64_t now = nm_load_now();
    *l = (nm_load){.width = NM_MOST_THREADS,
                   .step = 1,
                   .begin = now,
                   .due = now + window,
                   .pause = {least_pause[FEWER], least_pause[MORE]}};
    look_for_idle_ones(l, now);
}

static void begin_trial(nm_load *l, int threads, double missing, int64_t now)
{
    l->crowded = is_too_many(threads, l->rate, missing) ? l->crowded + 1 : 0;
    if (l->crowded >= long_enough && now >= l->next[FEWER]) {
        l->crowded = 0;
        l->before = threads;
        l->width = undisturbed(threads, missing);
    } else if (threads < l->asked && now >= l->next[MORE] && l->idle < noticeable &&
               now < l->last_failure + longest_pause[MORE]) {
        l->next[MORE] = now + least_pause[MORE];
    } else if (threads < l->asked && now >= l->next[MORE]) {
        l->before = threads;
        l->width = at_most(l->asked, threads + l->step);
    }
}

void nm_load_decide(nm_load *l, int threads, double worked, double missing, int64_t now)
{
    if (l->before) {
        end_trial(l, worked, missing, now);
    } else {
        l->rate = l->rate > 0 ? (l->rate + worked) / 2 : worked;
        begin_trial(l, threads, missing, now);
    }
    l->disturbed = missing > noticeable || l->width < l->asked;
    if (l->width >= l->asked && !l->before)
        l->width = NM_MOST_THREADS;
}

void nm_load_look(nm_load *l, nm_load_thread *thread, int alive, int64_t now)
{
    int threads = at_most(at_most(l->width, l->asked), alive);
    int64_t before = nanoseconds(CLOCK_THREAD_CPUTIME_ID);
    double passed = (double)(now - l->begin), worked = 0, missing = 0;
    for (int i = 0; i < threads; i++) {
        int64_t worked_before = thread[i].worked, waited_before = thread[i].kept_waiting;
        read_thread(&thread[i]);
        worked += (double)(thread[i].worked - worked_before) / passed;
        missing += (double)(thread[i].kept_waiting - waited_before) / passed;
    }
    if (threads < l->asked && now >= l->next[MORE])
        look_for_idle_ones(l, now);
    nm_load_decide(l, threads, worked, missing, now);
    for (int i = threads; i < at_most(at_most(l->width, l->asked), alive); i++)
        read_thread(&thread[i]); /* what they did while they were not asked is nobody's */
    l->asked = 0;
    l->begin = nm_load_now();
    int64_t took = nanoseconds(CLOCK_THREAD_CPUTIME_ID) - before;
    l->due = l->begin + (window > 200 * took ? window : 200 * took); /* looking takes half a percent at most */
}
