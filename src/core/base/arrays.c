#include "arrays.h"

#include "threads.h"

#include <string.h>

enum { CHUNK = 16384 }; /* elements a task: 64 KB of float */

typedef struct chunks {
    real *to;
    const real *from; /* NULL: zeros */
    size_t count;     /* elements */
} chunks;

static void chunk_task(void *arg, int task, int thread)
{
    (void)thread;
    const chunks *c = arg;
    size_t first = (size_t)task * CHUNK, last = first + CHUNK < c->count ? first + CHUNK : c->count;
    real *restrict to = c->to;
    const real *restrict from = c->from;
    if (!from)
        memset(to + first, 0, (last - first) * sizeof(real));
    for (size_t i = first; from && i < last; i++)
        to[i] += from[i];
}

static void run_chunks(int threads, real *to, const real *from, size_t count)
{
    nm_parallel(threads, (int)((count + CHUNK - 1) / CHUNK), chunk_task, &(chunks){to, from, count});
}

void nm_zero_array(int threads, real *to, size_t count)
{
    run_chunks(threads, to, NULL, count);
}

void nm_add_array(int threads, real *to, const real *from, size_t count)
{
    run_chunks(threads, to, from, count);
}
