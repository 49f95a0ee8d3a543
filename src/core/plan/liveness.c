/* Planning: from which operation to which each region is alive. */
#include "builder.h"

#include "alloc.h"

/* ---- working in place ------------------------------------------------------------------ */

static const nm_access *access_to(const nm_op *op, int region)
{
    for (int i = 0; i < op->accesses; i++)
        if (op->access[i].region == region)
            return &op->access[i];
    return NULL;
}

static bool is_read_twice(const nm_op *op, int region)
{
    const nm_access *first = access_to(op, region), *end = op->access + op->accesses;
    for (const nm_access *a = first + 1; a < end; a++)
        if (a->region == region)
            return true;
    return false;
}

/* Whether nobody needs what lies in the region once the node's operation of that kind is done. */
static bool reads_last(const nm_program *p, nm_op_kind kind, int node, int region)
{
    bool done = false;
    for (int i = 0; i < p->ops; i++) {
        const nm_op *op = &p->op[i];
        const nm_access *a = access_to(op, region);
        if (done && a && a->read)
            return false;
        if (a)
            done = false;
        if (a && op->kind == kind && op->index == node) {
            if (is_read_twice(op, region))
                return false;
            done = true;
        }
    }
    return true;
}

static void rename_region(int *regions, size_t count, int from, int to)
{
    for (size_t i = 0; i < count; i++)
        if (regions[i] == from)
            regions[i] = to;
}

/* What lay in region `from` lies in `to`, everywhere. */
static void join_regions(nm_builder *b, int from, int to)
{
    const nm_program *p = &b->plan->program;
    size_t nodes = (size_t)b->net->nodes;
    for (int i = 0; i < p->ops; i++)
        for (int k = 0; k < p->op[i].accesses; k++)
            if (p->op[i].access[k].region == from)
                p->op[i].access[k].region = to;
    rename_region(b->value, nodes, from, to);
    rename_region(b->gradient, nodes, from, to);
    rename_region(b->edge, (size_t)b->first_edge[nodes - 1] + (size_t)b->net->node[nodes - 1].inputs, from, to);
    p->region[from].size = 0;
}

/* Lets what an operation writes lie where it has read, if it is the last reader. */
static void share_region(nm_builder *b, const nm_op *op, int read, int written)
{
    const nm_program *p = &b->plan->program;
    if (read == NM_NONE || written == NM_NONE || read == written)
        return;
    const nm_region *from = &p->region[read], *to = &p->region[written];
    if (from->whole == to->whole && from->size == to->size && reads_last(p, op->kind, op->index, read))
        join_regions(b, written, read);
}

/* y in x[0]'s memory, dx[0] in dy's. Whole outputs stay where they are: they may be read again. */
static void share_in_place(nm_builder *b, const nm_op *op)
{
    int node = op->index, x = b->value[b->net->node[node].from[0]];
    if (op->kind == NM_OP_FORWARD && x != NM_NONE && !b->plan->program.region[x].whole)
        share_region(b, op, x, b->value[b->tail[node]]);
    if (op->kind == NM_OP_BACKWARD)
        share_region(b, op, b->gradient[b->tail[node]], b->edge[b->first_edge[node]]);
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
static void find_lives(nm_program *p)
{
    for (int i = 0; i < p->ops; i++)
        for (int k = 0; k < p->op[i].accesses; k++) {
            const nm_op *op = &p->op[i];
            nm_region *r = &p->region[op->access[k].region];
            nm_interval now = {i, i};
            if (r->whole && op->loop != NM_NONE)
                now = (nm_interval){op->loop, p->op[op->loop].end};
            extend_life(r, now, !op->access[k].read);
        }
}

/* Which regions die with each operation; what the last one reads stays. */
static nm_status find_deaths(nm_builder *b)
{
    nm_program *p = &b->plan->program;
    int *next = p->dead = nm_alloc(b->ctx, (size_t)p->regions * NM_MAX_INTERVALS + 1, sizeof *next);
    if (!next)
        return NM_FAILED;
    for (int i = 0; i < p->ops - 1; i++) {
        p->op[i].dead = next;
        for (int r = 0; r < p->regions; r++)
            for (int k = 0; k < p->region[r].intervals; k++)
                if (p->region[r].live[k].last == i)
                    *next++ = r;
        p->op[i].deaths = (int)(next - p->op[i].dead);
    }
    return NM_OK;
}

nm_status nm_find_liveness(nm_builder *b)
{
    nm_program *p = &b->plan->program;
    for (int i = 0; i < p->ops && !b->plan->request.keep_all; i++)
        if ((p->op[i].kind == NM_OP_FORWARD || p->op[i].kind == NM_OP_BACKWARD) &&
            (b->memory[p->op[i].index] & NM_INPLACE))
            share_in_place(b, &p->op[i]);
    find_lives(p);
    return b->plan->request.poison ? find_deaths(b) : NM_OK;
}
