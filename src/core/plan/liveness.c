/* Planning: from which operation to which each region is alive. */
#include "plan.h"

/* ---- working in place ------------------------------------------------------------------ */

/* Whether nobody needs what lies in the region once operations like this one are done: the same
 * node's, of the same kind. They read it once. */
static bool reads_last(const nm_plan *plan, const nm_op *reader, const nm_region *region)
{
    bool done = false;
    for (const nm_op *op = plan->op; op < plan->op + plan->ops; op++) {
        int reads = 0, accesses = 0;
        for (int k = 0; k < op->accesses; k++)
            if (nm_region_owner(op->access[k].region) == region) {
                reads += op->access[k].read;
                accesses++;
            }
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
void nm_find_liveness(nm_plan *plan)
{
    for (const nm_op *op = plan->op; op < plan->op + plan->ops && !plan->request.keep_all; op++)
        if ((op->kind == NM_OP_FORWARD || op->kind == NM_OP_BACKWARD) && (plan->node[op->index].memory & NM_INPLACE))
            share_in_place(plan, op);
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
