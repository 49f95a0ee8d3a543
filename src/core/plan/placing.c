/* Planning: where regions lie in the slab. */
#include "plan.h"

#include "alloc.h"
#include "rng.h"

#include <stdlib.h>
#include <string.h>

/* Regions to be placed one after the other; how much memory it takes depends on the order. */
typedef struct placing {
    int count;
    nm_region **order, **best, **placed; /* [count]: to be tried; that took least so far; by offset */
    int highest;              /* of the order that was tried: which region reaches highest, of those placed */
    size_t size, lower_bound; /* of the best; that no order can go below */
} placing;

static bool meet(const nm_region *a, const nm_region *b)
{
    return a->first <= b->last && b->first <= a->last;
}

/* The lowest gap of the smallest sufficient size between the `count` placed ones that meet `r`. */
static size_t find_gap(const placing *p, int count, const nm_region *r)
{
    size_t at = 0, best = SIZE_MAX, best_size = SIZE_MAX;
    for (int i = 0; i < count; i++) {
        const nm_region *other = p->placed[i];
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

/* Keeps the order if it is the best; gives up where it is not. */
static void try_order(placing *p)
{
    size_t size = 0;
    for (int i = 0; i < p->count; i++) {
        nm_region *r = p->order[i];
        r->offset = find_gap(p, i, r);
        int k = i;
        for (; k > 0 && p->placed[k - 1]->offset > r->offset; k--)
            p->placed[k] = p->placed[k - 1];
        p->placed[k] = r;
        if (r->offset + r->size <= size)
            continue;
        size = r->offset + r->size;
        p->highest = i;
        if (size >= p->size)
            return;
    }
    p->size = size;
    memcpy(p->best, p->order, (size_t)p->count * sizeof *p->best);
}

/* Most bytes alive at one operation: at one where some region begins. */
static size_t most_alive(const placing *p)
{
    size_t most = 0;
    for (int i = 0; i < p->count; i++) {
        int first = p->order[i]->first;
        size_t alive = 0;
        for (int k = 0; k < p->count; k++)
            alive += p->order[k]->first <= first && first <= p->order[k]->last ? p->order[k]->size : 0;
        most = alive > most ? alive : most;
    }
    return most;
}

/* ---- orders to try ------------------------------------------------------------------ */

/* The longest life first, else as they come in the program. */
static int by_life(const void *a, const void *b)
{
    const nm_region *ra = *(nm_region *const *)a, *rb = *(nm_region *const *)b;
    int longer = (rb->last - rb->first) - (ra->last - ra->first);
    return longer ? longer : (ra > rb) - (ra < rb);
}

enum { FIRST_ROUNDS = 256, AT_ONCE = 64, WORK = 1 << 21 };

/* From order to order until no gap is left or time is up: the region first that reached highest,
 * time after time, then the best order so far with a few regions exchanged at random. */
static void find_order(placing *p)
{
    double rounds = FIRST_ROUNDS + WORK / ((double)p->count * p->count + 1);
    nm_rng draw = nm_rng_stream(0, "plan", "memory");
    qsort(p->order, (size_t)p->count, sizeof *p->order, by_life);
    for (int round = 1; round < rounds && p->size > p->lower_bound; round++) {
        try_order(p);
        nm_region *highest = p->order[p->highest];
        memmove(p->order + 1, p->order, (size_t)p->highest * sizeof *p->order);
        p->order[0] = highest;
        if (round % (round < FIRST_ROUNDS ? AT_ONCE : 2))
            continue;
        memcpy(p->order, p->best, (size_t)p->count * sizeof *p->order);
        for (int k = 0; k < 3; k++) {
            uint32_t a = nm_rng_below(&draw, (uint32_t)p->count), b = nm_rng_below(&draw, (uint32_t)p->count);
            nm_region *first = p->order[a];
            p->order[a] = p->order[b];
            p->order[b] = first;
        }
    }
    memcpy(p->order, p->best, (size_t)p->count * sizeof *p->order);
    p->size = SIZE_MAX; /* so that all of it is placed */
    try_order(p);
}

/* Those that lie in the arenas of `segment`, or in none. */
static nm_status place_regions_in(nm_plan *plan, const nm_segment *segment, size_t *size)
{
    size_t count = (size_t)plan->regions;
    placing p = {.size = SIZE_MAX, .order = nm_alloc(plan->net->ctx, count + 1, 3 * sizeof *p.order)};
    if (!p.order)
        return NM_FAILED;
    p.best = p.order + count;
    p.placed = p.best + count;
    for (nm_region *r = plan->region; r < plan->region + count; r++)
        if (r->first != NM_NONE && r->segment == segment)
            p.order[p.count++] = r;
    plan->memory.lower_bound = p.lower_bound = most_alive(&p);
    find_order(&p);
    *size = p.size;
    nm_free(p.order);
    return NM_OK;
}

/* ---- arenas -------------------------------------------------------------------------------- */

/* The values of a segment whose slices threads take for themselves lie in an arena of each
 * thread's, since one thread may be at the segment's first layer while another is at its last. The
 * arenas of a segment are one region of what belongs to all threads. */
nm_status nm_place_regions(nm_plan *plan)
{
    for (nm_segment *s = plan->segment; s < plan->segment + plan->segments; s++) {
        if (!s->arenas)
            continue;
        NM_TRY(place_regions_in(plan, s, &s->arena_bytes));
        s->arenas->size = s->arena_bytes * (size_t)plan->request.threads;
    }
    NM_TRY(place_regions_in(plan, NULL, &plan->memory.activations));
    for (nm_region *r = plan->region; r < plan->region + plan->regions; r++)
        if (!r->shares && r->segment)
            r->offset += r->segment->arenas->offset;
    for (nm_region *r = plan->region; r < plan->region + plan->regions; r++)
        r->offset = nm_region_owner(r)->offset;
    return NM_OK;
}
