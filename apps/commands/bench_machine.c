/* What the machine allows: memory's bandwidth, and how long threads take to meet. */
#include "alloc.h"
#include "bench.h"
#include "clock.h"
#include "threads.h"

#include <math.h>
#include <unistd.h>

typedef struct triad {
    float *a;
    const float *b, *c;
} triad;

enum { TRIAD_PIECE = 1 << 18, TRIAD_ROUNDS = 10 }; /* 1 MB of float a task */

static void triad_task(void *arg, int task, int thread)
{
    (void)thread;
    const triad *t = arg;
    size_t first = (size_t)task * TRIAD_PIECE;
    float *restrict a = t->a + first;
    const float *restrict b = t->b + first, *restrict c = t->c + first;
    for (size_t i = 0; i < TRIAD_PIECE; i++)
        a[i] = b[i] + 0.5f * c[i];
}

nm_status bench_bandwidth(nm_context *ctx, int threads, double *gigabytes)
{
    size_t least = (size_t)64 << 20, most = (size_t)256 << 20;
    long cache = sysconf(_SC_LEVEL3_CACHE_SIZE);
    size_t bytes = cache > 0 && 2 * (size_t)cache > least ? 2 * (size_t)cache : least;
    int pieces = (int)((bytes < most ? bytes : most) / (TRIAD_PIECE * sizeof(float)));
    size_t count = (size_t)pieces * TRIAD_PIECE;
    float *block = nm_alloc(ctx, 3 * count, sizeof *block);
    if (!block)
        return NM_FAILED;
    for (size_t i = 0; i < 3 * count; i++)
        block[i] = (float)(i % 5);
    triad t = {block, block + count, block + 2 * count};
    double best = 0;
    for (int round = 0; round < TRIAD_ROUNDS; round++) {
        double start = nm_clock();
        nm_parallel(threads, pieces, triad_task, &t);
        best = fmax(best, 3e-9 * (double)count * sizeof(float) / (nm_clock() - start));
    }
    nm_free(block);
    *gigabytes = best;
    return NM_OK;
}

static void nothing(void *arg, int task, int thread)
{
    (void)arg;
    (void)task;
    (void)thread;
}

static double round_seconds(int threads)
{
    enum { COUNT = 2001 };
    static double took[COUNT];
    for (int i = 0; i < COUNT; i++) {
        double start = nm_clock();
        nm_parallel(threads, threads, nothing, NULL);
        took[i] = nm_clock() - start;
    }
    return nm_median(took, COUNT);
}

nm_status bench_machine_measure(nm_context *ctx, int threads, bench_machine *machine)
{
    machine->threads = threads;
    NM_TRY(bench_bandwidth(ctx, 1, &machine->bandwidth[0]));
    NM_TRY(bench_bandwidth(ctx, threads, &machine->bandwidth[1]));
    machine->round = threads > 1 ? round_seconds(threads) : 0;
    return NM_OK;
}
