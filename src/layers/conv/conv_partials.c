/* Partial sums of the gradients by weights and bias: see conv_partials.h. */
#include "conv_partials.h"

#include <string.h>

enum { MOST_CHUNK = 1024, LEAST_CHUNK = 256, CHUNKS = 64, SIDE_BY_SIDE = 64 };

/* ---- how many -------------------------------------------------------------------------------- */

/* No more of them than this, which grows with n and with the units of work. */
static int bound_of(const nm_conv_geometry *g, int n, long units)
{
    size_t share = g->lean ? 2 : 1, bound = NM_CONV_MOST_PARTIALS / share;
    size_t read = (size_t)n * (nm_shape_size(g->in) + nm_shape_size(g->out)) / share;
    size_t most = read / 4 * 3 / nm_conv_weight_count(g);
    most = most < NM_CONV_FEWEST_PARTIALS ? NM_CONV_FEWEST_PARTIALS : most;
    most = most > bound ? bound : most;
    return units < (long)most ? (int)units : (int)most;
}

static long parts_of(long units, long each)
{
    return (units + each - 1) / each;
}

/* Sums of `each` units. Where there are many, the last eighth of the units is in sums of half the
 * size; few of them are one task for each thread, and must be equal. */
static nm_conv_partials sums_of(long units, long each)
{
    enum { MANY = 32 };
    nm_conv_partials p = {.parts = 1, .units = units, .whole = (int)parts_of(units, each), .whole_units = units};
    if (each > 1 && p.whole > MANY) {
        p.whole = (int)(units * 7 / 8 / each);
        p.whole_units = p.whole * each;
    }
    p.count = p.whole + (int)parts_of(units - p.whole_units, (each + 1) / 2);
    return p;
}

nm_conv_partials NM_ISA(nm_conv_partials_layout)(nm_scratch *s, const nm_conv_geometry *g, int n, long units)
{
    enum { ENOUGH = 64 }; /* units: of more, a sum has at least two, as each sum has work of its own */
    int bound = bound_of(g, n, units);
    long each = parts_of(units, bound);
    each = each == 1 && units > ENOUGH ? 2 : each;
    nm_conv_partials p = sums_of(units, each);
    while (p.count > bound)
        p = sums_of(units, ++each);
    p.dw = nm_scratch_reals(s, (size_t)bound * nm_conv_weight_count(g));
    p.db = nm_scratch_reals(s, (size_t)bound * (size_t)g->out.c);
    return p;
}

/* The first unit of sum number `index`. */
static long unit_at(const nm_conv_partials *p, long index)
{
    if (index <= p->whole)
        return p->whole_units * index / p->whole;
    return p->whole_units + (p->units - p->whole_units) * (index - p->whole) / (p->count - p->whole);
}

/* ---- computing them -------------------------------------------------------------------------- */

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
    const nm_conv_round round = {.tasks = p->count * p->parts,
                                 .fn = task,
                                 .arg = arg,
                                 .larger = p->whole * p->parts,
                                 .share = (double)p->whole_units / (double)p->units};
    NM_ISA(nm_conv_run_round)(call, &round);
    NM_ISA(nm_conv_add_partials)(call, p);
}

nm_conv_partial NM_ISA(nm_conv_partial_of)(const nm_conv_partials *p, const nm_conv_geometry *g, int task)
{
    int index = task / p->parts, part = task % p->parts;
    nm_conv_partial one = {.dw = p->dw + (size_t)index * nm_conv_weight_count(g),
                           .db = part ? NULL : p->db + (size_t)index * (size_t)g->out.c,
                           .part = part,
                           .first = unit_at(p, index),
                           .last = unit_at(p, index + 1)};
    if (one.db)
        memset(one.db, 0, (size_t)g->out.c * sizeof *one.db);
    return one;
}
