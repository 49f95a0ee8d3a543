/* Teams that shrink and grow while they run: the same bits whatever they do, and what they make of
 * a machine's load. */
#include "load.h"
#include "parse.h"
#include "plan.h"
#include "run_suite.h"
#include "threads.h"

#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* ---- bits ------------------------------------------------------------------------------ */

static int shuffled(int threads)
{
    static _Atomic uint32_t state = 1;
    state = state * 1664525u + 1013904223u;
    return 1 + (int)((state >> 8) % (uint32_t)threads);
}
static int all(int threads)
{
    return threads;
}

static const char network[] =
    "input: {height: 12, width: 12, channels: 3}\n"
    "defaults: {conv: {kernel: 3, pad: same, bias: false}}\n"
    "layers:\n"
    "- {name: a, conv: {filters: 16}}\n- batchnorm\n- relu\n"
    "- {name: p, maxpool: {size: 2}}\n- {name: b, conv: {filters: 32}}\n- batchnorm\n- relu\n"
    "- {name: c, conv: {filters: 32, groups: 32}}\n- relu\n- gap\n- {name: d, dense: {units: 5}}\n"
    "loss: softmax_ce\n";
enum { BATCH = 24, PIXELS = 12 * 12 * 3, STEPS = 20, MOST_WEIGHTS = 8192 };

/* The gradients of some steps, and the last loss. */
static size_t take_steps(int threads, real gradients[MOST_WEIGHTS], double *loss)
{
    static real x[BATCH * PIXELS];
    static int32_t labels[BATCH];
    const real *xs[] = {x};
    for (int i = 0; i < BATCH * PIXELS; i++)
        x[i] = (real)sin(1.3 * i);
    for (int i = 0; i < BATCH; i++)
        labels[i] = i % 5;
    nm_context *ctx = nm_context_new();
    nm_yaml *document = NULL;
    nm_network *net = NULL;
    nm_plan *plan = NULL;
    ck_assert_int_eq(nm_yaml_parse(ctx, "m.yaml", network, strlen(network), &document), NM_OK);
    ck_assert_msg(nm_network_build(ctx, document, NULL, &net) == NM_OK, "%s", nm_error_message(ctx, 0));
    nm_network_initialise(net, 1);
    nm_request request = {.mode = NM_TRAIN, .batch = BATCH, .threads = threads};
    ck_assert_msg(nm_plan_new(net, &request, &plan) == NM_OK, "%s", nm_error_message(ctx, 0));
    nm_batch batch = {.n = BATCH, .x = xs, .targets = {.labels = labels}, .seed = 1};
    for (int step = 0; step < STEPS; step++)
        *loss = nm_plan_run(plan, &batch, NM_PHASE_ALL).loss;
    size_t count = net->weight_count;
    ck_assert_uint_le(count, MOST_WEIGHTS);
    memcpy(gradients, nm_plan_gradients(plan), count * sizeof(real));
    nm_plan_free(plan);
    nm_network_free(net);
    nm_context_free(ctx);
    return count;
}

static const int team_sizes[] = {1, 2, 3, 8, 300};

START_TEST(teams_that_change_have_the_same_bits)
{
    static real first[MOST_WEIGHTS], other[MOST_WEIGHTS];
    double first_loss, loss;
    size_t count = take_steps(1, first, &first_loss);
    int (*const choices[])(int) = {NULL, all, shuffled};
    for (int i = 0; i < 5; i++)
        for (int k = 0; k < 3; k++) {
            nm_team_size_from(choices[k]);
            take_steps(team_sizes[i], other, &loss);
            ck_assert_mem_eq(first, other, count * sizeof(real));
            ck_assert_double_eq(first_loss, loss);
        }
}
END_TEST

/* ---- a team's life ---------------------------------------------------------------------- */

static void count_task(void *arg, int task, int thread)
{
    (void)task;
    (void)thread;
    atomic_fetch_add((atomic_int *)arg, 1);
}

static void *lead_a_team(void *arg)
{
    nm_parallel(4, 100, count_task, arg);
    return NULL;
}

START_TEST(a_team_ends_with_its_leader)
{
    atomic_int count = 0;
    lead_a_team(&count);
    int before = nm_threads_alive();
    for (int i = 0; i < 50; i++) {
        pthread_t leader;
        ck_assert_int_eq(pthread_create(&leader, NULL, lead_a_team, &count), 0);
        pthread_join(leader, NULL);
    }
    ck_assert_int_eq(count, 51 * 100);
    ck_assert_int_eq(nm_threads_alive(), before);
}
END_TEST

/* fork copies the thread that calls it, and no worker. */
START_TEST(a_forked_process_has_a_team_too)
{
    atomic_int count = 0;
    lead_a_team(&count);
    pid_t child = fork();
    if (child == 0) {
        lead_a_team(&count);
        _exit(count == 200 ? 0 : 1);
    }
    int status = -1;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_int_eq(status, 0);
    lead_a_team(&count);
    ck_assert_int_eq(count, 200);
}
END_TEST

/* ---- load -------------------------------------------------------------------------------- */

enum { WINDOW = 25000000, SECOND = 1000000000 / WINDOW };

/* A machine that shares its processors evenly. Where a thread waits for one, the others soon wait
 * for that thread. */
typedef struct machine {
    int processors, others;
} machine;

static int width_in(const nm_load *l, int asked)
{
    return l->width < asked ? l->width : asked;
}

/* Windows of the given number that a team of `asked` threads ran with a width from `least` to
 * `most`. */
static int count_windows(nm_load *l, machine m, int asked, int windows, int least, int most)
{
    int count = 0;
    for (int i = 0; i < windows; i++) {
        int threads = width_in(l, asked), runnable = threads + m.others;
        double share = runnable > m.processors ? (double)m.processors / runnable : 1, missing = threads * (1 - share);
        double held_up = threads > 1 ? 0.8 * fmin(1, missing) : 0;
        l->asked = asked;
        l->due += WINDOW;
        nm_load_decide(l, threads, threads * share * (1 - held_up), missing, l->due);
        count += width_in(l, asked) >= least && width_in(l, asked) <= most;
    }
    return count;
}

static const struct load_case {
    machine machine;
    int threads, least, most;
} load_cases[] = {
    {{2, 0}, 2, 2, 2},      {{2, 1}, 2, 1, 1},     {{2, 2}, 2, 1, 1},      {{2, 9}, 2, 1, 1},
    {{64, 0}, 64, 64, 64},  {{64, 1}, 64, 58, 63}, {{64, 32}, 64, 25, 34}, {{64, 0}, 16, 16, 16},
    {{64, 40}, 16, 16, 16}, {{64, 56}, 16, 6, 9},  {{2, 0}, 300, 1, 3},
};
enum { LOAD_CASES = sizeof load_cases / sizeof *load_cases };

START_TEST(threads_that_pay_are_found)
{
    const struct load_case *c = &load_cases[_i];
    nm_load l;
    nm_load_init(&l);
    count_windows(&l, c->machine, c->threads, 2 * SECOND, 1, 1024);
    int found = count_windows(&l, c->machine, c->threads, 20 * SECOND, c->least, c->most);
    ck_assert_int_ge(found, 19 * SECOND); /* the rest are trials of more */
}
END_TEST

START_TEST(a_team_grows_when_the_others_leave)
{
    const struct load_case *c = &load_cases[_i];
    nm_load l;
    nm_load_init(&l);
    count_windows(&l, c->machine, c->threads, 20 * SECOND, 1, 1024);
    int whole = c->threads < c->machine.processors ? c->threads : c->machine.processors;
    count_windows(&l, (machine){c->machine.processors, 0}, c->threads, 4 * SECOND, 1, 1024);
    ck_assert_int_ge(count_windows(&l, (machine){c->machine.processors, 0}, c->threads, SECOND, whole * 9 / 10, 1024),
                     SECOND * 9 / 10);
}
END_TEST

/* A processor that is never idle, but would be left to the team. */
START_TEST(a_team_grows_over_work_of_low_priority)
{
    nm_load l;
    nm_load_init(&l);
    count_windows(&l, (machine){2, 2}, 2, 8 * SECOND, 1, 1);
    int whole = 0;
    for (int i = 0; i < 5 * SECOND; i++) {
        l.asked = 2;
        l.due += WINDOW;
        l.idle = 0;
        nm_load_decide(&l, width_in(&l, 2), 0.95 * width_in(&l, 2), 0.05, l.due);
        whole += i >= 4 * SECOND && width_in(&l, 2) == 2;
    }
    ck_assert_int_eq(whole, SECOND);
}
END_TEST

/* A twentieth of a second in which others have all processors changes nothing. */
START_TEST(a_moment_without_processors_changes_nothing)
{
    nm_load l;
    nm_load_init(&l);
    for (int i = 0; i < 20 * SECOND; i++) {
        bool gone = i % SECOND >= SECOND - 2;
        l.asked = 2;
        l.due += WINDOW;
        l.idle = 0;
        nm_load_decide(&l, width_in(&l, 2), gone ? 0 : 1.9, gone ? 2 : 0, l.due);
        ck_assert_int_eq(width_in(&l, 2), 2);
    }
}
END_TEST

/* Work is processor time: a thread that sleeps does none. */
START_TEST(sleeping_is_no_work)
{
    nm_load_thread self = {0};
    nm_load l;
    nm_load_init(&l);
    nm_load_start(&self, pthread_self());
    nm_load_enter(&self);
    nanosleep(&(struct timespec){.tv_nsec = 50000000}, NULL);
    l.asked = 1;
    nm_load_look(&l, &self, 1, nm_load_now());
    double asleep = l.rate;
    ck_assert_double_lt(asleep, 0.5);
    for (clock_t begin = clock(); clock() - begin < CLOCKS_PER_SEC / 50;)
        ;
    l.asked = 1;
    nm_load_look(&l, &self, 1, nm_load_now());
    ck_assert_double_gt(l.rate, asleep);
}
END_TEST

static void add_load_cases(TCase *tcase)
{
    tcase_add_loop_test(tcase, threads_that_pay_are_found, 0, LOAD_CASES);
    tcase_add_loop_test(tcase, a_team_grows_when_the_others_leave, 0, LOAD_CASES);
}

SUITE_WITH("teams", add_load_cases, teams_that_change_have_the_same_bits, a_team_ends_with_its_leader,
           a_moment_without_processors_changes_nothing, a_team_grows_over_work_of_low_priority, sleeping_is_no_work,
           a_forked_process_has_a_team_too)
