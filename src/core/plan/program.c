/* Planning: the operations of a plan in the order in which they are run, and which regions each of
 * them reads and writes. The only place that knows the order. */
#include "plan.h"

#include "alloc.h"

/* ---- regions and accesses -------------------------------------------------------------- */

/* One of a node's: of the whole batch, or of the samples that its segment takes at once. */
static nm_region *add_region(nm_plan *plan, int node, size_t size, bool whole)
{
    const nm_segment *segment = &plan->segment[plan->node[node].segment];
    nm_region *region = &plan->region[plan->regions++];
    region->size = nm_aligned(size);
    region->whole = whole;
    region->segment = !whole && segment->by_thread ? segment : NULL;
    return region;
}

/* For a node's output, or for its gradient. */
static nm_region *add_output(nm_plan *plan, int node, bool whole)
{
    int samples = whole ? plan->request.batch : plan->segment[plan->node[node].segment].slice;
    return add_region(plan, node, (size_t)samples * nm_shape_size(plan->net->node[node].out) * sizeof(real), whole);
}

/* The loop that the next operation is in; NM_NONE: none. */
static int open_loop_of(const nm_plan *plan)
{
    const nm_op *last = plan->ops ? &plan->op[plan->ops - 1] : NULL;
    if (!last || last->kind == NM_OP_LOOP_END)
        return NM_NONE;
    return last->kind == NM_OP_LOOP ? plan->ops - 1 : last->loop;
}

static nm_op *add_op(nm_plan *plan, nm_op_kind kind, int index, unsigned phase)
{
    nm_op *op = &plan->op[plan->ops];
    nm_access *access = plan->ops ? op[-1].access + op[-1].accesses : plan->access;
    *op = (nm_op){.kind = kind, .index = index, .phase = phase, .loop = open_loop_of(plan), .access = access};
    if (op->loop != NM_NONE)
        plan->op[op->loop].phase |= phase;
    plan->ops++;
    return op;
}

/* Nothing where there is no region. */
static void add_access(nm_op *op, nm_use use, nm_region *region, bool read, bool write)
{
    if (region)
        op->access[op->accesses++] = (nm_access){region, use, read, write};
}

nm_region *nm_op_region(const nm_op *op, nm_use use)
{
    for (int i = 0; i < op->accesses; i++)
        if (op->access[i].use == use)
            return op->access[i].region;
    return NULL;
}

/* ---- what a layer reads and writes ------------------------------------------------------ */

/* What node `head` reads of inputs, for itself and for those whose work it does: all of them, or
 * those that backward reads. Where the layer before has left its normalisation to it, that is what
 * that one has saved. */
static void read_inputs(const nm_plan *plan, nm_op *op, bool backward)
{
    for (const nm_edge *e = plan->edge; e < plan->edge + plan->edges; e++) {
        if (e->reader != op->index || (backward && !(plan->node[e->user].memory & NM_BACK_X)))
            continue;
        const nm_plan_node *from = &plan->node[e->from], *before = &plan->node[from->head];
        bool lazy = before->leaves_normalisation && before->last == e->from;
        add_access(op, NM_AS_X, lazy ? before->saved : from->value, true, false);
    }
}

static void add_statistics(nm_plan *plan, int head)
{
    nm_op *op = add_op(plan, NM_OP_STATISTICS, head, NM_PHASE_FORWARD);
    read_inputs(plan, op, false);
    add_access(op, NM_AS_SAVED, plan->node[head].saved, false, true);
}

/* With `phase` backward: what backward needs is computed again. */
static void add_forward(nm_plan *plan, int head, nm_phase phase)
{
    const nm_plan_node *node = &plan->node[head];
    nm_op *op = add_op(plan, NM_OP_FORWARD, head, phase);
    read_inputs(plan, op, false);
    add_access(op, NM_AS_Y, plan->node[node->last].value, false, true);
    add_access(op, NM_AS_SAVED, node->saved, plan->net->node[head].type->batch_statistics, true);
}

/* A region for the gradient by the output of `from`, which the operation in that segment writes:
 * the next part of it where there is one already. Whole where it goes to another segment or to a
 * layer that takes the whole batch, or comes from one. */
static nm_region *write_gradient(nm_plan *plan, nm_op *op, int from, int segment, bool by_whole_batch)
{
    nm_plan_node *node = &plan->node[from];
    bool whole = segment != node->segment || by_whole_batch || plan->node[node->head].takes_whole_batch ||
                 from < plan->net->inputs;
    nm_region **part = &node->gradient;
    while (*part)
        part = &(*part)->next_part;
    *part = add_output(plan, from, plan->split && whole);
    add_access(op, NM_AS_DX, *part, false, true);
    return *part;
}

static void add_backward(nm_plan *plan, int head)
{
    const nm_plan_node *node = &plan->node[head], *last = &plan->node[node->last];
    nm_op *op = add_op(plan, NM_OP_BACKWARD, head, NM_PHASE_BACKWARD);
    read_inputs(plan, op, true);
    if (node->memory & NM_BACK_Y)
        add_access(op, NM_AS_Y, last->value, true, false);
    add_access(op, NM_AS_SAVED, node->saved, true, true);
    add_access(op, NM_AS_DY, last->gradient, true, node->tail.layers > 0);
    for (nm_edge *e = plan->edge; e < plan->edge + plan->edges; e++)
        if (e->reader == head && plan->node[e->from].backward)
            e->gradient = write_gradient(plan, op, e->from, node->segment, node->takes_whole_batch);
}

/* The other parts of a gradient are added to the first. */
static void add_sum(nm_plan *plan, int node)
{
    nm_region *total = plan->node[node].gradient;
    if (!total || !total->next_part)
        return;
    nm_op *op = add_op(plan, NM_OP_SUM, node, NM_PHASE_BACKWARD);
    for (nm_region *part = total; part; part = part->next_part)
        add_access(op, NM_AS_PART, part, true, part == total);
}

/* ---- losses ---------------------------------------------------------------------------- */

/* Those of a segment; without backward all of them. Where the network has no loss, the operation
 * stands for the gradient that the caller gives. */
static void add_losses(nm_plan *plan, int segment)
{
    for (int i = 0; i < nm_objective_count(plan->net); i++) {
        nm_objective o = nm_objective_at(plan->net, i);
        bool backward = plan->node[o.from].backward;
        if ((plan->backward && nm_objective_segment(plan, i) != segment) || (!plan->net->objectives && !backward))
            continue;
        nm_op *op = add_op(plan, NM_OP_LOSS, i, NM_PHASE_LOSS);
        add_access(op, NM_AS_X, plan->node[o.from].value, true, false);
        add_access(op, NM_AS_TARGET, o.target >= 0 ? plan->node[o.target].value : NULL, true, false);
        if (backward)
            write_gradient(plan, op, o.from, segment, false);
    }
}

/* ---- segments -------------------------------------------------------------------------- */

/* Opens a loop over slices, where the segment does not take the whole batch at once, and no loop is
 * open. */
static void open_loop(nm_plan *plan, int segment)
{
    nm_segment *s = &plan->segment[segment];
    if ((!s->by_thread && s->slice >= plan->request.batch) || open_loop_of(plan) != NM_NONE)
        return;
    nm_op *op = add_op(plan, NM_OP_LOOP, segment, 0);
    s->arenas = s->by_thread ? &plan->region[plan->regions++] : NULL;
    add_access(op, NM_AS_ARENA, s->arenas, false, true);
}

static void close_loop(nm_plan *plan)
{
    int loop = open_loop_of(plan);
    if (loop == NM_NONE)
        return;
    int segment = plan->op[loop].index;
    plan->op[loop].end = plan->ops;
    nm_op *op = add_op(plan, NM_OP_LOOP_END, segment, plan->op[loop].phase);
    add_access(op, NM_AS_ARENA, plan->segment[segment].arenas, true, false);
}

/* Layers that need statistics of the whole batch read earlier segments alone. */
static void add_segment_statistics(nm_plan *plan, int segment)
{
    for (int i = plan->net->inputs; i < plan->net->nodes; i++) {
        const nm_plan_node *node = &plan->node[i];
        if (node->head == i && node->segment == segment && node->takes_whole_batch)
            add_statistics(plan, i);
    }
}

/* With `phase` backward: what is computed again. */
static void add_segment_forward(nm_plan *plan, int segment, nm_phase phase)
{
    for (int i = plan->net->inputs; i < plan->net->nodes; i++) {
        const nm_plan_node *node = &plan->node[i];
        bool again = phase == NM_PHASE_BACKWARD;
        if (node->head != i || node->segment != segment || (again && !node->recompute))
            continue;
        if (!again && !node->takes_whole_batch && plan->net->node[i].type->batch_statistics)
            add_statistics(plan, i);
        add_forward(plan, i, phase);
    }
}

/* Of the layers that take the whole batch, or of the others. */
static void add_segment_backward(nm_plan *plan, int segment, bool whole_batch)
{
    for (int i = plan->net->nodes - 1; i >= 0; i--) {
        const nm_plan_node *node = &plan->node[i];
        if (node->segment != segment || !node->backward)
            continue;
        if (plan->node[node->head].last == i && !whole_batch)
            add_sum(plan, i);
        if (node->head == i && i >= plan->net->inputs && node->takes_whole_batch == whole_batch)
            add_backward(plan, i);
    }
}

/* ---- the program ----------------------------------------------------------------------- */

/* What stays readable after the run. */
static void add_results(nm_plan *plan)
{
    const nm_request *q = &plan->request;
    nm_op *op = add_op(plan, NM_OP_RESULTS, NM_NONE, 0);
    for (int i = 0; i < plan->net->nodes; i++) {
        const nm_plan_node *node = &plan->node[i];
        if (node->keep)
            add_access(op, NM_AS_Y, node->value, true, false);
        if (q->keep_all || (i < plan->net->inputs && q->input_gradients))
            add_access(op, NM_AS_DY, node->gradient, true, false);
    }
}

/* The regions of outputs and of what layers save; those of gradients come with the operations that
 * write them. */
static void add_value_regions(nm_plan *plan)
{
    for (int i = plan->net->inputs; i < plan->net->nodes; i++) {
        nm_plan_node *node = &plan->node[i], *last = &plan->node[node->last];
        if (node->head != i)
            continue;
        if (node->saved_size)
            node->saved = add_region(plan, i, node->saved_size, node->takes_whole_batch);
        if (!node->leaves_normalisation) /* else the reader reads what is saved */
            last->value = add_output(plan, node->last, last->whole);
    }
}

/* Memory for as much as there can be. */
static nm_status allocate_program(nm_plan *plan)
{
    nm_context *ctx = plan->net->ctx;
    size_t nodes = (size_t)plan->net->nodes, objectives = (size_t)nm_objective_count(plan->net),
           edges = (size_t)plan->edges;
    /* statistics, forward twice, sum, backward of a node; two loops for a segment */
    plan->op = nm_alloc(ctx, 9 * nodes + objectives + 8, sizeof *plan->op);
    plan->access = nm_alloc(ctx, 6 * edges + 12 * nodes + 4 * objectives, sizeof *plan->access);
    plan->region = nm_alloc(ctx, 3 * nodes + edges + objectives, sizeof *plan->region);
    return plan->op && plan->access && plan->region ? NM_OK : NM_FAILED;
}

nm_status nm_write_program(nm_plan *plan)
{
    int last = plan->segments - 1;
    NM_TRY(allocate_program(plan));
    add_value_regions(plan);
    if (plan->backward)
        add_op(plan, NM_OP_ZERO, NM_NONE, NM_PHASE_BACKWARD);
    for (int segment = 0; segment <= last; segment++) {
        add_segment_statistics(plan, segment);
        open_loop(plan, segment);
        add_segment_forward(plan, segment, NM_PHASE_FORWARD);
        if (segment < last || !plan->backward)
            close_loop(plan);
    }
    if (!plan->backward)
        add_losses(plan, last);
    for (int segment = last; segment >= 0 && plan->backward; segment--) {
        open_loop(plan, segment); /* the last one's is open still, and nothing of it is computed again */
        add_segment_forward(plan, segment, NM_PHASE_BACKWARD);
        add_losses(plan, segment);
        add_segment_backward(plan, segment, false);
        close_loop(plan);
        add_segment_backward(plan, segment, true);
    }
    add_results(plan);
    return NM_OK;
}
