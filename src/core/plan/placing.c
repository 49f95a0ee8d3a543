/* Placing regions in one slab. */
#include "plan.h"

#include "alloc.h"
#include "rng.h"

#include <stdlib.h>
#include <string.h>

/* Whether a's moments, taken `ahead` earlier, meet b's. */
static bool spans_meet(const nm_region *a, const nm_region *b, int ahead)
{
    return a->first - ahead <= b->last && b->first <= a->last - ahead;
}

static bool meet(const nm_region *a, const nm_region *b)
{
    return spans_meet(a, b, 0) || (a->again && spans_meet(a, b, a->again)) ||
           (b->again && spans_meet(b, a, b->again)) || (a->again && b->again && spans_meet(a, b, a->again - b->again));
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

/* ---- orders to try: by size, by size times life, by life, by first moment ------------------ */

static double weight_of(const nm_region *r, int rule)
{
    double life = r->last - r->first + 1, size = (double)r->size;
    return rule == 0 ? size : rule == 1 ? size * life : rule == 2 ? life * 1e12 + size : -1e12 * r->first + size;
}
enum { RULES = 4, ROUNDS = 32, WORK = 1 << 21 };

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

static void order_by(const nm_region *regions, int count, int rule, sort_key *keys, int *order)
{
    for (int i = 0; i < count; i++)
        keys[i] = (sort_key){weight_of(&regions[i], rule), i};
    qsort(keys, (size_t)count, sizeof *keys, by_weight);
    for (int i = 0; i < count; i++)
        order[i] = keys[i].index;
}

static size_t alive_at(const nm_region *regions, int count, int moment)
{
    size_t alive = 0;
    for (int j = 0; j < count; j++) {
        const nm_region *r = &regions[j];
        if ((r->first <= moment && moment <= r->last) ||
            (r->again && r->first <= moment + r->again && moment + r->again <= r->last))
            alive += r->size;
    }
    return alive;
}

static size_t most_alive(const nm_region *regions, int count)
{
    size_t most = 0;
    for (int i = 0; i < count; i++) /* the maximum is reached at some region's first moment */
        for (int again = 0; again < 1 + (regions[i].again != 0); again++) {
            size_t alive = alive_at(regions, count, regions[i].first - again * regions[i].again);
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

/* Where orders by rule leave gaps: the best one with a few regions exchanged at random, again and
 * again, until there is little left to gain. order, placed: room for an order each. */
static size_t exchange_some(nm_region *regions, int count, size_t slab, size_t lower_bound, int *best, int *order,
                            int *placed)
{
    double rounds = WORK / ((double)count * count + 1);
    nm_rng draw = nm_rng_stream(0, "plan", "memory");
    for (int round = 0; round < rounds && (double)slab > 1.02 * (double)lower_bound; round++) {
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
    size_t room = (size_t)count + 1;
    sort_key *keys = nm_alloc(ctx, room, sizeof *keys + 3 * sizeof(int));
    if (!keys)
        return NM_FAILED;
    int *order = (int *)(keys + room), *placed = order + room, *best = placed + room;
    *lower_bound = most_alive(regions, count);
    *slab = SIZE_MAX;
    for (int rule = 0; rule < RULES; rule++) {
        order_by(regions, count, rule, keys, order);
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
