/* Planning: where regions lie in the slab. */
#include "builder.h"

#include "alloc.h"
#include "rng.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static bool meet(const nm_region *a, const nm_region *b)
{
    for (int i = 0; i < a->intervals; i++)
        for (int k = 0; k < b->intervals; k++)
            if (a->live[i].first <= b->live[k].last && b->live[k].first <= a->live[i].last)
                return true;
    return false;
}

/* The lowest gap of the smallest sufficient size between the placed regions that meet region `r`.
 */
static size_t find_gap(const nm_region *regions, const int *placed, int count, const nm_region *r)
{
    size_t at = 0, best = SIZE_MAX, best_size = SIZE_MAX;
    for (int i = 0; i < count; i++) { /* placed[] is sorted by offset */
        const nm_region *other = &regions[placed[i]];
        if (!meet(other, r))
            continue;
        if (other->offset > at && other->offset - at >= r->size && other->offset - at < best_size) {
            best = at;
            best_size = other->offset - at;
        }
        if (other->offset + other->size > at)
            at = other->offset + other->size;
    }
    return best != SIZE_MAX ? best : at;
}

static size_t place_in_order(nm_region *regions, const int *order, int *placed, int count)
{
    size_t slab = 0;
    for (int i = 0; i < count; i++) {
        nm_region *r = &regions[order[i]];
        r->offset = find_gap(regions, placed, i, r);
        int k = i;
        for (; k > 0 && regions[placed[k - 1]].offset > r->offset; k--)
            placed[k] = placed[k - 1];
        placed[k] = order[i];
        if (r->offset + r->size > slab)
            slab = r->offset + r->size;
    }
    return slab;
}

/* ---- orders to try ------------------------------------------------------------------ */

typedef enum rule { BY_SIZE, BY_SIZE_AND_LIFE, BY_LIFE, BY_BIRTH, BY_SIZE_AND_ROOT_OF_LIFE, RULES } rule;
enum { ROUNDS = 32, WORK = 1 << 21 };

static double weight_of(const nm_region *r, rule by)
{
    double life = 0, size = (double)r->size;
    for (int i = 0; i < r->intervals; i++)
        life += r->live[i].last - r->live[i].first + 1;
    switch (by) {
    case BY_SIZE:
        return size;
    case BY_SIZE_AND_LIFE:
        return size * life;
    case BY_SIZE_AND_ROOT_OF_LIFE:
        return size * sqrt(life);
    case BY_LIFE:
        return life * 1e12 + size;
    default:
        return -1e12 * r->live[0].first + size;
    }
}

typedef struct sort_key {
    double weight;
    int index;
} sort_key;

static int by_weight(const void *a, const void *b)
{
    const sort_key *ka = a, *kb = b;
    if (ka->weight != kb->weight)
        return ka->weight < kb->weight ? 1 : -1;
    return ka->index - kb->index;
}

static void order_by(const nm_region *regions, int count, rule by, sort_key *keys, int *order)
{
    for (int i = 0; i < count; i++)
        keys[i] = (sort_key){weight_of(&regions[i], by), i};
    qsort(keys, (size_t)count, sizeof *keys, by_weight);
    for (int i = 0; i < count; i++)
        order[i] = keys[i].index;
}

static size_t alive_at(const nm_region *regions, int count, int op)
{
    size_t alive = 0;
    for (int i = 0; i < count; i++)
        for (int k = 0; k < regions[i].intervals; k++)
            if (regions[i].live[k].first <= op && op <= regions[i].live[k].last)
                alive += regions[i].size;
    return alive;
}

static size_t most_alive(const nm_region *regions, int count)
{
    size_t most = 0;
    for (int i = 0; i < count; i++) /* the maximum is reached where some region begins */
        for (int k = 0; k < regions[i].intervals; k++) {
            size_t alive = alive_at(regions, count, regions[i].live[k].first);
            most = alive > most ? alive : most;
        }
    return most;
}

/* The region that reaches highest is placed first the next time. */
static void promote_highest(const nm_region *regions, int *order, int count)
{
    int highest = 0;
    for (int i = 1; i < count; i++)
        if (regions[order[i]].offset + regions[order[i]].size >
            regions[order[highest]].offset + regions[order[highest]].size)
            highest = i;
    int kept = order[highest];
    memmove(order + 1, order, (size_t)highest * sizeof *order);
    order[0] = kept;
}

/* Where orders by rule leave gaps: the best one with a few regions exchanged at random, time
 * after time, until nothing is left to gain. order, placed: memory for an order each. */
static size_t exchange_some(nm_region *regions, int count, size_t slab, size_t lower_bound, int *best, int *order,
                            int *placed)
{
    double rounds = WORK / ((double)count * count + 1);
    nm_rng draw = nm_rng_stream(0, "plan", "memory");
    for (int round = 0; round < rounds && slab > lower_bound; round++) {
        memcpy(order, best, (size_t)count * sizeof *order);
        for (int k = 0; k < 3; k++) {
            uint32_t a = nm_rng_below(&draw, (uint32_t)count), b = nm_rng_below(&draw, (uint32_t)count);
            int first = order[a];
            order[a] = order[b];
            order[b] = first;
        }
        size_t size = place_in_order(regions, order, placed, count);
        if (size < slab) {
            slab = size;
            memcpy(best, order, (size_t)count * sizeof *best);
        }
    }
    return slab;
}

nm_status nm_memory_place(nm_context *ctx, nm_region *regions, int count, size_t *slab, size_t *lower_bound)
{
    size_t capacity = (size_t)count + 1;
    sort_key *keys = nm_alloc(ctx, capacity, sizeof *keys + 3 * sizeof(int));
    if (!keys)
        return NM_FAILED;
    int *order = (int *)(keys + capacity), *placed = order + capacity, *best = placed + capacity;
    *lower_bound = most_alive(regions, count);
    *slab = SIZE_MAX;
    for (rule by = 0; by < RULES; by++) {
        order_by(regions, count, by, keys, order);
        for (int round = 0; round<ROUNDS && * slab> * lower_bound; round++) {
            size_t size = place_in_order(regions, order, placed, count);
            if (size < *slab) {
                *slab = size;
                memcpy(best, order, (size_t)count * sizeof *best);
            }
            promote_highest(regions, order, count);
        }
    }
    *slab = exchange_some(regions, count, *slab, *lower_bound, best, order, placed);
    *slab = place_in_order(regions, best, placed, count);
    nm_free(keys);
    return NM_OK;
}

/* ---- arenas -------------------------------------------------------------------------------- */

/* The values of a segment whose slices threads take for themselves lie in an arena of each
 * thread's, since one thread may be at the segment's first layer while another is at its last. The
 * arenas of a segment are one region, alive as long as its loop. */
static nm_status place_arena(nm_builder *b, int loop, nm_region *some, nm_region *arenas)
{
    nm_program *p = &b->plan->program;
    int count = 0, segment = p->op[loop].index;
    size_t size, bound;
    for (int i = 0; i < p->regions; i++)
        if (p->region[i].intervals && p->region[i].segment == segment)
            some[count++] = p->region[i];
    NM_TRY(nm_memory_place(b->ctx, some, count, &size, &bound));
    for (int i = p->regions - 1; i >= 0; i--)
        if (p->region[i].intervals && p->region[i].segment == segment) {
            p->region[i].offset = some[--count].offset;
            p->region[i].arena_bytes = size;
        }
    *arenas = (nm_region){
        .size = size * (size_t)b->plan->request.threads, .intervals = size > 0, .live = {{loop, p->op[loop].end}}};
    return NM_OK;
}

/* Places what belongs to all threads, the arenas among it. */
static nm_status place_all(nm_builder *b, nm_region *some, nm_region *arenas)
{
    nm_plan *plan = b->plan;
    nm_program *p = &plan->program;
    int count = 0;
    for (int i = 0; i < p->regions; i++)
        if (p->region[i].intervals && p->region[i].segment == NM_NONE)
            some[count++] = p->region[i];
    int shared = count;
    for (int k = 0; k < plan->segments; k++)
        if (arenas[k].intervals)
            some[count++] = arenas[k];
    NM_TRY(nm_memory_place(b->ctx, some, count, &plan->memory.activations, &plan->memory.lower_bound));
    for (int k = plan->segments - 1; k >= 0; k--)
        if (arenas[k].intervals)
            arenas[k].offset = some[--count].offset;
    for (int i = p->regions - 1; i >= 0; i--) {
        nm_region *r = &p->region[i];
        if (r->intervals)
            r->offset = r->segment == NM_NONE ? some[--shared].offset : r->offset + arenas[r->segment].offset;
    }
    return NM_OK;
}

nm_status nm_place_regions(nm_builder *b)
{
    const nm_plan *plan = b->plan;
    const nm_program *p = &plan->program;
    nm_region *some = nm_alloc(b->ctx, (size_t)(p->regions + plan->segments), sizeof *some);
    nm_region *arenas = nm_alloc(b->ctx, (size_t)plan->segments, sizeof *arenas);
    nm_status status = some && arenas ? NM_OK : NM_FAILED;
    for (int i = 0; i < p->ops && status == NM_OK; i++)
        if (p->op[i].kind == NM_OP_LOOP && plan->segment[p->op[i].index].by_thread)
            status = place_arena(b, i, some, &arenas[p->op[i].index]);
    if (status == NM_OK)
        status = place_all(b, some, arenas);
    nm_free(some);
    nm_free(arenas);
    return status;
}
