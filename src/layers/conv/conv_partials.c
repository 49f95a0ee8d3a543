/* Partial sums of the gradients by weights and bias: see conv_partials.h. */
#include "conv_partials.h"

#include <string.h>

enum { MOST_CHUNK = 1024, LEAST_CHUNK = 256, CHUNKS = 64, SIDE_BY_SIDE = 64 };

typedef struct partials_job {
    const real *partials;
    real *total;
    int used;
    size_t count, chunk;
} partials_job;

static void add_partials_task(void *arg, int task, int thread)
{
    (void)thread;
    const partials_job *j = arg;
    size_t begin = (size_t)task * j->chunk, end = begin + j->chunk < j->count ? begin + j->chunk : j->count;
    for (size_t first = begin; first < end; first += SIDE_BY_SIDE) {
        size_t count = end - first < SIDE_BY_SIDE ? end - first : SIDE_BY_SIDE;
        real sum[SIDE_BY_SIDE] = {0};
        for (int k = 0; k < j->used; k++)
            for (size_t i = 0; i < count; i++)
                sum[i] += j->partials[(size_t)k * j->count + first + i];
        for (size_t i = 0; i < count; i++)
            j->total[first + i] += sum[i];
    }
}

static void add_in_order(int threads, const real *partials, int used, size_t count, real *total)
{
    size_t chunk = count / CHUNKS / SIDE_BY_SIDE * SIDE_BY_SIDE;
    chunk = chunk < LEAST_CHUNK ? LEAST_CHUNK : chunk > MOST_CHUNK ? MOST_CHUNK : chunk;
    partials_job job = {partials, total, used, count, chunk};
    if (partials && total)
        nm_parallel(threads, (int)((count + chunk - 1) / chunk), add_partials_task, &job);
}

void NM_ISA(nm_conv_add_partials)(const nm_conv_call *call, const nm_conv_partials *p)
{
    add_in_order(call->threads, p->dw, p->count, nm_conv_weight_count(call->g), call->dw);
    add_in_order(call->threads, p->db, p->count, (size_t)call->g->out.c, call->db);
}

void NM_ISA(nm_conv_sum_partials)(const nm_conv_call *call, const nm_conv_partials *p, nm_task *task, void *arg)
{
    NM_ISA(nm_conv_run_tasks)(call, p->count * p->parts, task, arg);
    NM_ISA(nm_conv_add_partials)(call, p);
}

nm_conv_partial NM_ISA(nm_conv_partial_of)(const nm_conv_partials *p, const nm_conv_geometry *g, int task)
{
    int index = task / p->parts, part = task % p->parts;
    nm_conv_partial one = {.dw = p->dw + (size_t)index * nm_conv_weight_count(g),
                           .db = part ? NULL : p->db + (size_t)index * (size_t)g->out.c,
                           .part = part,
                           .first = p->units * index / p->count,
                           .last = p->units * (index + 1) / p->count};
    if (one.db)
        memset(one.db, 0, (size_t)g->out.c * sizeof *one.db);
    return one;
}
