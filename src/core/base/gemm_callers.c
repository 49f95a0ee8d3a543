/* A gate before OpenBLAS, open to all as long as they are few and the address space is not
 * limited. */
#include "gemm_callers.h"

#include "threads.h"

#include <cblas.h>
#if defined __GLIBC__
#include <malloc.h>
#endif
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>

/* OpenBLAS's own functions for its buffers; other builds may lack them, and then only the number
 * of callers is bounded. */
void *blas_memory_alloc(int unused) __attribute__((weak));
void blas_memory_free(void *buffer) __attribute__((weak));

enum { BUFFER = 128 << 20, RESERVE = 16 << 20 }; /* bytes of a buffer, at most; bytes that are left to others */

static pthread_once_t known = PTHREAD_ONCE_INIT;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t left = PTHREAD_COND_INITIALIZER;
static int most;          /* callers that OpenBLAS was built for; it has twice as many buffers */
static bool limited;      /* the address space is */
static atomic_int chosen; /* by nm_blas_limit_callers */
static int inside, buffers;
static atomic_int unbounded; /* so many threads need not be counted */
static bool exhausted;       /* there is no memory for another buffer */

/* glibc gives each thread an arena of its own at its first malloc: 128 MiB of addresses at once, of
 * which 64 stay. Between the probe of one_more_fits and OpenBLAS's own call they would be gone. */
static void share_one_arena(void)
{
#if defined __GLIBC__
    mallopt(M_ARENA_MAX, 1);
#endif
}

static void find_limits(void)
{
    enum { USUAL = 64 };
    const char *threads = strstr(openblas_get_config(), "MAX_THREADS=");
    most = threads ? atoi(threads + strlen("MAX_THREADS=")) : USUAL;
    most = most > 0 ? most : USUAL;
    struct rlimit space, data;
    limited = blas_memory_alloc && blas_memory_free &&
              ((getrlimit(RLIMIT_AS, &space) == 0 && space.rlim_cur != RLIM_INFINITY) ||
               (getrlimit(RLIMIT_DATA, &data) == 0 && data.rlim_cur != RLIM_INFINITY));
    atomic_store(&unbounded, limited ? 0 : most);
    if (limited)
        share_one_arena();
}

static bool one_more_fits(void)
{
    void *probe = mmap(NULL, BUFFER + RESERVE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (probe == MAP_FAILED)
        return false;
    munmap(probe, BUFFER + RESERVE);
    return true;
}

/* Has OpenBLAS make buffers for `wanted` callers, while none is inside. */
static void make_buffers(int wanted)
{
    void **taken = calloc((size_t)wanted, sizeof *taken);
    int count = 0;
    while (taken && count < wanted && one_more_fits())
        taken[count++] = blas_memory_alloc(0);
    exhausted = count < wanted;
    buffers = count > buffers ? count : buffers;
    atomic_store(&unbounded, buffers);
    for (int i = 0; i < count; i++)
        blas_memory_free(taken[i]);
    free(taken);
}

static int callers_allowed(void)
{
    int asked = atomic_load(&chosen), callers = nm_threads_alive() < most ? nm_threads_alive() : most;
    if (limited && !exhausted && buffers < callers && inside == 0)
        make_buffers(callers);
    int allowed = limited && buffers < callers ? buffers : callers;
    allowed = asked && asked < allowed ? asked : allowed;
    return allowed < 1 ? 1 : allowed;
}

bool nm_blas_enter(void)
{
    pthread_once(&known, find_limits);
    if (nm_threads_alive() <= atomic_load_explicit(&unbounded, memory_order_relaxed) &&
        !atomic_load_explicit(&chosen, memory_order_relaxed))
        return false;
    pthread_mutex_lock(&lock);
    while (inside >= callers_allowed())
        pthread_cond_wait(&left, &lock);
    inside++;
    pthread_mutex_unlock(&lock);
    return true;
}

void nm_blas_leave(bool counted)
{
    if (!counted)
        return;
    pthread_mutex_lock(&lock);
    inside--;
    pthread_cond_broadcast(&left);
    pthread_mutex_unlock(&lock);
}

bool nm_blas_has_memory(void)
{
    pthread_once(&known, find_limits);
    pthread_mutex_lock(&lock);
    if (limited && buffers == 0)
        make_buffers(1);
    pthread_mutex_unlock(&lock);
    return !limited || buffers > 0;
}

void nm_blas_limit_callers(int callers)
{
    atomic_store(&chosen, callers);
}
