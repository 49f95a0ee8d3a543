/* Planning: what the list of operations tells: how many samples each region holds, what need not be
 * computed again, what can be done in place, and from when to when each region is alive. */
#include "plan.h"

#include <string.h>

/* How often the operation reads and writes the region, and how often it reads it. */
static int accesses_to(const nm_op *op, const nm_region *region, int *reads)
{
    int accesses = 0;
    *reads = 0;
    for (int k = 0; k < op->accesses; k++)
        if (nm_region_owner(op->access[k].region) == region) {
            *reads += op->access[k].read;
            accesses++;
        }
    return accesses;
}

/* ---- segments and loops ------------------------------------------------------------------ */

/* What operations of two segments touch, or one outside of all, holds the whole batch, and stays
 * when the segment is done. The rest is of one slice, for each thread where threads take slices for
 * themselves. */
static void find_whole(nm_plan *plan)
{
    for (const nm_op *op = plan->op; op < plan->op + plan->ops; op++)
        for (int k = 0; k < op->accesses; k++)
            op->access[k].region->whole |= plan->split && op->access[k].region->segment != op->segment;
    for (nm_region *r = plan->region; r < plan->region + plan->regions; r++) {
        int samples = r->whole || !r->segment ? plan->request.batch : r->segment->slice;
        r->size = nm_aligned(r->size + (size_t)samples * r->sample_size);
        if (r->whole || (r->segment && !r->segment->by_thread))
            r->segment = NULL;
    }
}

/* Whether something of a slice that the operation writes is read behind it. */
static bool is_read(const nm_plan *plan, const nm_op *writer)
{
    for (int k = 0; k < writer->accesses; k++) {
        const nm_region *written = writer->access[k].write ? writer->access[k].region : NULL;
        int reads = 0;
        for (const nm_op *op = writer + 1; op < plan->op + plan->ops && written && !written->whole && !reads; op++)
            accesses_to(op, written, &reads);
        if (reads)
            return true;
    }
    return false;
}

static void drop_unread(nm_plan *plan)
{
    for (nm_op *op = plan->op + plan->ops - 1; op >= plan->op; op--)
        if (op->kind == NM_OP_FORWARD && op->phase == NM_PHASE_BACKWARD && !is_read(plan, op)) {
            plan->ops--;
            memmove(op, op + 1, (size_t)(plan->op + plan->ops - op) * sizeof *op);
        }
}

static void find_loops(nm_plan *plan)
{
    int loop = NM_NONE;
    for (int i = 0; i < plan->ops; i++) {
        nm_op *op = &plan->op[i];
        op->loop = loop;
        if (loop != NM_NONE)
            plan->op[loop].phase |= op->phase;
        if (op->kind == NM_OP_LOOP)
            loop = i;
        if (op->kind != NM_OP_LOOP_END)
            continue;
        op->phase = plan->op[loop].phase;
        plan->op[loop].end = i;
        loop = NM_NONE;
    }
}

/* ---- working in place ------------------------------------------------------------------ */

/* Whether nobody needs what lies in the region once operations like this one are done: the same
 * node's, of the same kind. They read it once. */
static bool reads_last(const nm_plan *plan, const nm_op *reader, const nm_region *region)
{
    bool done = false;
    for (const nm_op *op = plan->op; op < plan->op + plan->ops; op++) {
        int reads, accesses = accesses_to(op, region, &reads);
        bool like = accesses && op->kind == reader->kind && op->index == reader->index;
        if ((done && reads) || (like && accesses > 1))
            return false;
        done = accesses ? like : done;
    }
    return true;
}

/* Lets what an operation writes lie where it has read, if it is the last reader. */
static void share_region(const nm_plan *plan, const nm_op *op, nm_region *read, nm_region *written)
{
    nm_region *from = nm_region_owner(read), *to = nm_region_owner(written);
    if (from && to && from != to && from->whole == to->whole && from->size == to->size && reads_last(plan, op, from))
        to->shares = from;
}

/* y in x[0]'s memory, dx[0] in dy's. Whole outputs stay where they are: they may be read again. */
static void share_in_place(const nm_plan *plan, const nm_op *op)
{
    const nm_plan_node *node = &plan->node[op->index], *last = &plan->node[node->last];
    nm_region *x = plan->node[node->edge->from].value;
    if (op->kind == NM_OP_FORWARD && x && !nm_region_owner(x)->whole)
        share_region(plan, op, x, last->value);
    if (op->kind == NM_OP_BACKWARD)
        share_region(plan, op, last->gradient, node->edge->gradient);
}

/* ---- lives ------------------------------------------------------------------------------ */

/* The region is touched in an interval, the last so far; `anew`: nothing of it is needed from
 * before. */
static void extend_life(nm_region *r, nm_interval now, bool anew)
{
    nm_interval *last = &r->live[r->intervals ? r->intervals - 1 : 0];
    if (r->intervals == 0 || (anew && now.first > last->last && r->intervals < NM_MAX_INTERVALS))
        r->live[r->intervals++] = now;
    else if (now.last > last->last)
        last->last = now.last;
}

/* Within a loop, what belongs to one slice lives within one run of the loop's body; what is whole
 * lives from the first slice to the last. */
static void find_lives(nm_plan *plan)
{
    for (int i = 0; i < plan->ops; i++)
        for (int k = 0; k < plan->op[i].accesses; k++) {
            const nm_op *op = &plan->op[i];
            nm_region *r = nm_region_owner(op->access[k].region);
            nm_interval now = {i, i};
            if (r->whole && op->loop != NM_NONE)
                now = (nm_interval){op->loop, plan->op[op->loop].end};
            extend_life(r, now, !op->access[k].read);
        }
}

void nm_find_liveness(nm_plan *plan)
{
    find_whole(plan);
    drop_unread(plan);
    find_loops(plan);
    for (const nm_op *op = plan->op; op < plan->op + plan->ops && !plan->request.keep_all; op++)
        if ((op->kind == NM_OP_FORWARD || op->kind == NM_OP_BACKWARD) && (plan->node[op->index].memory & NM_INPLACE))
            share_in_place(plan, op);
    find_lives(plan);
}
