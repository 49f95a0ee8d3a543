/* Planning: what the list of operations tells: how many samples each region holds, what need not be
 * computed again, what can be done in place, and from when to when each region is alive. */
#include "plan.h"

#include <string.h>

/* ---- segments and loops ------------------------------------------------------------------ */

/* What is whole holds the batch, and stays when the segment is done. The rest is of one slice, for
 * each thread where threads take slices for themselves. */
static void find_sizes(nm_plan *plan)
{
    for (nm_region *r = plan->region; r < plan->region + plan->regions; r++) {
        int samples = r->whole || !r->segment ? plan->request.batch : r->segment->slice;
        r->size = nm_aligned(r->size + (size_t)samples * r->sample_size);
        if (r->whole || (r->segment && !r->segment->by_thread))
            r->segment = NULL;
    }
}

/* Goes back through the list, knowing what is read behind. */
static void drop_unread(nm_plan *plan)
{
    for (int i = plan->ops - 1; i >= 0; i--) {
        nm_op *op = &plan->op[i];
        bool again = op->kind == NM_OP_FORWARD && op->phase == NM_PHASE_BACKWARD, wanted = !again;
        for (const nm_access *a = op->access; a < op->access + op->accesses; a++)
            wanted |= a->write && a->region->wanted && !a->region->whole;
        for (const nm_access *a = op->access; a < op->access + op->accesses && wanted; a++)
            a->region->wanted = a->read;
        if (wanted)
            continue;
        plan->ops--;
        memmove(op, op + 1, (size_t)(plan->ops - i) * sizeof *op);
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

/* ---- lives ------------------------------------------------------------------------------ */

/* From the first operation that touches it to the last. */
static void find_lives(nm_plan *plan)
{
    for (int i = 0; i < plan->ops; i++)
        for (int k = 0; k < plan->op[i].accesses; k++) {
            nm_region *r = plan->op[i].access[k].region;
            r->first = r->first == NM_NONE ? i : r->first;
            r->last = i;
        }
}

/* What is whole lives from the first slice of a loop to the last. */
static void extend_over_loops(nm_plan *plan)
{
    for (nm_region *r = plan->region; r < plan->region + plan->regions; r++)
        if (r->whole && r->first != NM_NONE) {
            int first = plan->op[r->first].loop, last = plan->op[r->last].loop;
            r->first = first == NM_NONE ? r->first : first;
            r->last = last == NM_NONE ? r->last : plan->op[last].end;
        }
}

/* ---- working in place ------------------------------------------------------------------ */

/* Lets what an operation writes lie where it has read, if nobody reads that again. */
static void share_region(const nm_op *op, nm_region *read, nm_region *written)
{
    nm_region *from = nm_region_owner(read), *to = nm_region_owner(written);
    int accesses = 0;
    for (int k = 0; k < op->accesses; k++)
        accesses += nm_region_owner(op->access[k].region) == from;
    if (!from || !to || from == to || from->whole != to->whole || from->size != to->size || accesses != 1 ||
        from->last != to->first)
        return;
    from->last = to->last;
    to->first = NM_NONE;
    to->shares = from;
}

/* y in x[0]'s memory, dx[0] in dy's. Between segments whole outputs stay where they are: they may
 * be read again. */
static void share_in_place(const nm_plan *plan, const nm_op *op)
{
    const nm_plan_node *node = &plan->node[op->index], *last = &plan->node[node->last];
    nm_region *x = plan->node[node->edge->from].value[nm_in_backward(op)];
    if (op->kind == NM_OP_FORWARD && x && (!x->whole || plan->sharding.shards))
        share_region(op, x, last->value[nm_in_backward(op)]);
    if (op->kind == NM_OP_BACKWARD)
        share_region(op, last->gradient, node->edge->gradient);
}

void nm_find_liveness(nm_plan *plan)
{
    find_sizes(plan);
    drop_unread(plan);
    find_loops(plan);
    find_lives(plan);
    for (const nm_op *op = plan->op; op < plan->op + plan->ops && !plan->request.keep_all; op++)
        if ((op->kind == NM_OP_FORWARD || op->kind == NM_OP_BACKWARD) && (plan->node[op->index].memory & NM_INPLACE))
            share_in_place(plan, op);
    extend_over_loops(plan);
}
