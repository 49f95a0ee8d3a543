/* Threads share OpenBLAS's buffers, and the address space that these need. */
#include "gemm.h"
#include "gemm_callers.h"
#include "run_suite.h"
#include "sanitized.h"
#include "threads.h"

#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static int all(int threads)
{
    return threads;
}

enum { SIZE = 160, TASKS = 400 };
typedef struct products {
    real a[SIZE * SIZE], b[SIZE * SIZE], c[TASKS][SIZE];
} products;

static void product_task(void *arg, int task, int thread)
{
    (void)thread;
    products *p = arg;
    real c[SIZE * SIZE];
    nm_gemm(false, true, SIZE, SIZE, SIZE, 1, p->a, SIZE, p->b, SIZE, 0, c, SIZE);
    memcpy(p->c[task], c + task % SIZE * SIZE, sizeof p->c[task]);
}

/* More threads than OpenBLAS has buffers for, and few buffers. */
START_TEST(callers_of_openblas_wait_for_a_buffer)
{
    static products first, other;
    for (int i = 0; i < SIZE * SIZE; i++) {
        first.a[i] = (real)sin(i);
        first.b[i] = (real)cos(3 * i);
    }
    nm_parallel(1, TASKS, product_task, &first);
    nm_team_size_from(all);
    static const int limits[] = {0, 1, 3};
    for (int i = 0; i < 3; i++) {
        nm_blas_limit_callers(limits[i]);
        memcpy(&other, &first, sizeof first.a + sizeof first.b);
        nm_parallel(300, TASKS, product_task, &other);
        ck_assert_mem_eq(first.c, other.c, sizeof first.c);
    }
}
END_TEST

static size_t address_space(void)
{
    unsigned long pages = 0;
    FILE *f = fopen("/proc/self/statm", "r");
    ck_assert(f && fscanf(f, "%lu", &pages) == 1);
    fclose(f);
    return pages * (size_t)sysconf(_SC_PAGESIZE);
}

static void *allocate(void *arg)
{
    (void)arg;
    void *volatile block = malloc(100000);
    free(block);
    return NULL;
}

/* Where the address space is limited a thread takes none that OpenBLAS has been found to have. In a
 * process of its own, as the limit stays. */
START_TEST(threads_leave_address_space_to_openblas)
{
    if (SANITIZED) /* the sanitizers take terabytes of it */
        return;
    pid_t child = fork();
    if (child == 0) {
        struct rlimit limit = {(rlim_t)4 << 30, (rlim_t)4 << 30};
        pthread_t thread;
        if (setrlimit(RLIMIT_AS, &limit) != 0 || !nm_blas_has_memory())
            _exit(2);
        size_t before = address_space();
        if (pthread_create(&thread, NULL, allocate, NULL) != 0)
            _exit(3);
        pthread_join(thread, NULL);
        _exit(address_space() - before < (size_t)32 << 20 ? 0 : 1);
    }
    int status = -1;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_int_eq(status, 0);
}
END_TEST

SUITE("gemm_callers", callers_of_openblas_wait_for_a_buffer, threads_leave_address_space_to_openblas)
