/* Planning: where regions lie. The values of a stage that threads run apart lie together in a room
 * of its own for each thread, since one thread may be at the stage's first layer while another is
 * at its last; the rooms of a stage are one region. */
#include "plan_draft.h"

#include "alloc.h"

/* Places the values of stage number `stage` within a thread's room; `some`: space for as many
 * regions as there are. */
static nm_status place_room(nm_draft *d, int stage, nm_region *some, nm_region *rooms)
{
    int count = 0;
    size_t size, bound;
    for (int i = 0; i < d->regions; i++)
        if (d->region[i].room == stage)
            some[count++] = d->region[i];
    NM_TRY(nm_memory_place(d->ctx, some, count, &size, &bound));
    for (int i = d->regions - 1; i >= 0; i--)
        if (d->region[i].room == stage) {
            d->region[i].offset = some[--count].offset;
            d->region[i].apart = size;
        }
    int first = nm_time_forward_window(d, stage);
    *rooms = (nm_region){
        .size = size * (size_t)d->plan->request.threads, .first = first, .last = first + nm_window_size(d->net) - 1};
    return NM_OK;
}

/* Places what belongs to all threads, the rooms among it. */
static nm_status place_all(nm_draft *d, nm_region *some, nm_region *rooms)
{
    nm_plan *plan = d->plan;
    int count = 0;
    for (int i = 0; i < d->regions; i++)
        if (d->region[i].room == NM_NONE)
            some[count++] = d->region[i];
    int shared = count;
    for (int k = 0; k < plan->stages; k++)
        if (rooms[k].size)
            some[count++] = rooms[k];
    NM_TRY(nm_memory_place(d->ctx, some, count, &plan->memory.activations, &plan->memory.lower_bound));
    for (int k = plan->stages - 1; k >= 0; k--)
        if (rooms[k].size)
            rooms[k].offset = some[--count].offset;
    for (int i = d->regions - 1; i >= 0; i--) {
        nm_region *r = &d->region[i];
        r->offset = r->room == NM_NONE ? some[--shared].offset : r->offset + rooms[r->room].offset;
    }
    return NM_OK;
}

nm_status nm_draft_place(nm_draft *d)
{
    int stages = d->plan->stages;
    nm_region *some = nm_alloc(d->ctx, (size_t)(d->regions + stages), sizeof *some);
    nm_region *rooms = nm_alloc(d->ctx, (size_t)stages, sizeof *rooms);
    nm_status status = some && rooms ? NM_OK : NM_FAILED;
    for (int k = 0; k < stages && status == NM_OK; k++)
        if (d->plan->stage[k].apart)
            status = place_room(d, k, some, &rooms[k]);
    if (status == NM_OK)
        status = place_all(d, some, rooms);
    nm_free(some);
    nm_free(rooms);
    return status;
}
