/* Parallel tasks and matrix products: every task once, the same bits for any team, against a naive
 * product. */
#include "alloc.h"
#include "cpus.h"
#include "gemm.h"
#include "run_suite.h"
#include "threads.h"

#include <dlfcn.h>
#include <math.h>
#include <omp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

enum { TASKS = 1000, SIZE = 96 };

static void count_task(void *arg, int task, int thread)
{
    int *counts = arg;
    counts[task]++;
    if (thread < 0 || thread >= 8)
        counts[task] = -1000;
}

START_TEST(every_task_runs_once)
{
    static const int threads[] = {1, 2, 3, 8, 1};
    for (int i = 0; i < 5; i++) {
        int counts[TASKS] = {0};
        nm_parallel(threads[i], TASKS, count_task, counts);
        for (int task = 0; task < TASKS; task++)
            ck_assert_int_eq(counts[task], 1);
    }
    nm_parallel(4, 0, count_task, NULL);
}
END_TEST

static atomic_int slow_starts; /* microseconds that a worker takes to begin; 0: as it comes */
static atomic_int workers_begun;

/* In the place of OpenMP's, which each worker calls as it begins. */
void omp_set_num_threads(int threads)
{
    void (*real_one)(int);
    *(void **)&real_one = dlsym(RTLD_NEXT, "omp_set_num_threads");
    bool slow = atomic_load(&slow_starts) > 0 && gettid() != getpid();
    if (slow)
        usleep((unsigned)atomic_load(&slow_starts));
    real_one(threads);
    if (slow)
        atomic_fetch_add(&workers_begun, 1);
}

/* Whoever forks after that (h5_cage.c) finds no worker holding a lock of malloc or of a sanitizer:
 * its child would wait for it for ever. */
START_TEST(workers_have_begun_when_a_round_ends)
{
    int counts[TASKS] = {0};
    atomic_store(&slow_starts, 50000);
    nm_parallel(8, TASKS, count_task, counts);
    ck_assert_int_eq(atomic_load(&workers_begun), 7);
    atomic_store(&slow_starts, 0);
}
END_TEST

enum { ROUNDS = 3000, MOST = 37 };

typedef struct rounds {
    int threads, wrong;
} rounds;

static void nothing_more(void *arg)
{
    ++*(int *)arg;
}

/* Rounds of 1 to MOST tasks, for teams smaller and larger than asked, with a team asked for inside
 * a team. */
static void many_rounds(void *arg)
{
    rounds *r = arg;
    for (int round = 0; round < ROUNDS; round++) {
        int counts[MOST] = {0}, tasks = 1 + round % MOST;
        nm_parallel(1 + round % 4, tasks, count_task, counts);
        for (int task = 0; task < MOST; task++)
            r->wrong += counts[task] != (task < tasks);
    }
    int calls = 0;
    nm_with_team(nothing_more, &calls);
    r->wrong += calls != 1;
}

START_TEST(a_team_serves_many_rounds)
{
    static const int threads[] = {1, 2, 3, 8};
    for (int i = 0; i < 4; i++) {
        rounds r = {threads[i], 0};
        nm_with_team(many_rounds, &r);
        ck_assert_int_eq(r.wrong, 0);
    }
}
END_TEST

static void *lead(void *arg)
{
    nm_with_team(many_rounds, arg);
    return NULL;
}

/* A program may run networks in threads of its own. */
START_TEST(teams_side_by_side)
{
    pthread_t other;
    rounds a = {2, 0}, b = {2, 0};
    ck_assert_int_eq(pthread_create(&other, NULL, lead, &a), 0);
    lead(&b);
    pthread_join(other, NULL);
    ck_assert_int_eq(a.wrong + b.wrong, 0);
}
END_TEST

typedef struct products {
    real a[SIZE * SIZE], b[SIZE * SIZE], c[16][SIZE * SIZE];
} products;

static void product_task(void *arg, int task, int thread)
{
    (void)thread;
    products *p = arg;
    nm_gemm(false, true, SIZE, SIZE, SIZE, 1, p->a, SIZE, p->b, SIZE, 0, p->c[task], SIZE);
}

START_TEST(products_have_the_same_bits_for_any_team)
{
    static products first, other;
    for (int i = 0; i < SIZE * SIZE; i++) {
        first.a[i] = (real)sin(i);
        first.b[i] = (real)cos(3 * i);
    }
    nm_parallel(1, 16, product_task, &first);
    static const int threads[] = {2, 3, 8};
    for (int i = 0; i < 3; i++) {
        memcpy(&other, &first, sizeof first.a + sizeof first.b);
        nm_parallel(threads[i], 16, product_task, &other);
        ck_assert_mem_eq(first.c, other.c, sizeof first.c);
    }
}
END_TEST

/* Small integers: every sum is exact, so == holds. */
START_TEST(products_are_right)
{
    for (int flags = 0; flags < 4; flags++) {
        bool ta = flags & 1, tb = flags & 2;
        enum { M = 5, N = 7, K = 3 };
        real a[M * K], b[K * N], c[M * N];
        for (int i = 0; i < M * K; i++)
            a[i] = (real)(i % 5 - 2);
        for (int i = 0; i < K * N; i++)
            b[i] = (real)(i % 7 - 3);
        for (int i = 0; i < M * N; i++)
            c[i] = (real)(i % 3);
        nm_gemm(ta, tb, M, N, K, 2, a, ta ? M : K, b, tb ? K : N, 1, c, N);
        for (int i = 0; i < M; i++)
            for (int j = 0; j < N; j++) {
                double sum = (i * N + j) % 3;
                for (int k = 0; k < K; k++)
                    sum += 2 * (double)a[ta ? k * M + i : i * K + k] * (double)b[tb ? j * K + k : k * N + j];
                ck_assert_double_eq(c[i * N + j], sum);
            }
    }
}
END_TEST

START_TEST(the_right_openblas)
{
    nm_context *ctx = nm_context_new();
    ck_assert_msg(nm_gemm_check(ctx) == NM_OK, "%s", nm_error_message(ctx, 0));
    ck_assert_int_ge(nm_threads_default(), 1);
    nm_context_free(ctx);
}
END_TEST

START_TEST(memory_is_zero_and_aligned)
{
    nm_context *ctx = nm_context_new();
    static const size_t sizes[] = {0, 1, 63, 64, 5000, 1 << 20, 3 << 20};
    for (int i = 0; i < 7; i++) {
        unsigned char *block = nm_alloc(ctx, sizes[i], 1);
        ck_assert_ptr_nonnull(block);
        ck_assert_uint_eq((uintptr_t)block % 64, 0);
        for (size_t k = 0; k < sizes[i]; k += 61)
            ck_assert_int_eq(block[k], 0);
        nm_free(block);
    }
    ck_assert_ptr_null(nm_alloc(ctx, SIZE_MAX / 2, 4));
    ck_assert_ptr_null(nm_alloc(ctx, (size_t)1 << 46, 1));
    ck_assert_int_eq(nm_error_count(ctx), 2);
    nm_context_free(ctx);
}
END_TEST

static void find_cpus(void *arg, int task, int thread)
{
    cpu_set_t *set = arg;
    (void)thread;
    sched_getaffinity(0, sizeof *set, &set[task]);
}

/* A process that is bound has its CPUs alone, and so have its threads, whatever OpenMP says. */
START_TEST(bound_processes)
{
    cpu_set_t all, one, set[TASKS];
    int cpu = 0;
    unsetenv("OMP_NUM_THREADS");
    ck_assert(nm_cpus_allowed(&all) && nm_cpus() == CPU_COUNT(&all));
    ck_assert_int_eq(nm_threads_shared(1, 1), nm_threads_default());
    ck_assert_int_eq(nm_threads_shared(CPU_SETSIZE, 1), 1);
    ck_assert_int_eq(nm_threads_shared(1, 1 << 20), 1);
    while (!CPU_ISSET(cpu, &all))
        cpu++;
    CPU_ZERO(&one);
    ck_assert(!nm_cpus_bind(&one) && nm_cpus() == CPU_COUNT(&all));
    CPU_SET(cpu, &one);
    ck_assert(nm_cpus_bind(&one));
    ck_assert(nm_cpus() == 1 && nm_threads_default() == 1 && nm_cpus_allowed(&all) && CPU_EQUAL(&all, &one));
    nm_parallel(3, TASKS, find_cpus, set);
    for (int task = 0; task < TASKS; task++)
        ck_assert(CPU_EQUAL(&set[task], &one));
    setenv("OMP_NUM_THREADS", "3", 1);
    ck_assert_int_ge(nm_threads_shared(2, 2), 1);
}
END_TEST

SUITE("threads", bound_processes, every_task_runs_once, workers_have_begun_when_a_round_ends, a_team_serves_many_rounds,
      teams_side_by_side, products_have_the_same_bits_for_any_team, products_are_right, the_right_openblas,
      memory_is_zero_and_aligned)
