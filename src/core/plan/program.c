/* Planning: the operations of a plan in the order in which they are run, and which regions each of
 * them reads and writes. The only place that knows the order. */
#include "plan.h"

#include "alloc.h"

/* ---- regions and accesses -------------------------------------------------------------- */

/* One that the operation is the first to touch. */
static nm_region *add_region(nm_plan *plan, const nm_op *op, size_t size, size_t sample_size)
{
    nm_region *region = &plan->region[plan->regions++];
    *region = (nm_region){.size = size,
                          .sample_size = sample_size,
                          .whole = plan->sharding.shards > 0,
                          .segment = op->segment,
                          .first = NM_NONE};
    return region;
}

/* Bytes of a sample. */
static size_t output_size(const nm_plan *plan, int node)
{
    return nm_shape_size(plan->net->node[node].out) * sizeof(real);
}

static nm_op *add_op(nm_plan *plan, nm_op_kind kind, int index, unsigned phase)
{
    nm_op *op = &plan->op[plan->ops];
    nm_access *access = plan->ops++ ? op[-1].access + op[-1].accesses : plan->access;
    *op = (nm_op){.kind = kind, .index = index, .phase = phase, .segment = plan->open, .access = access};
    return op;
}

/* Nothing where there is no region. What operations of two segments touch, or one outside of all,
 * is whole. */
static void add_access(nm_op *op, nm_use use, nm_region *region, bool read, bool write)
{
    if (!region)
        return;
    region->whole |= region->segment != op->segment;
    op->access[op->accesses++] = (nm_access){region, use, read, write};
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
        add_access(op, NM_AS_X, (lazy ? before->saved : from->value)[nm_in_backward(op)], true, false);
    }
}

/* The operation writes `region`, an output or what its layer saves: that of forward, or again, into
 * another one. One that is whole, or will be, stays the same; so does one that is only completed.
 */
static void write_region(nm_plan *plan, nm_op *op, nm_use use, nm_region *region[2], size_t size, size_t sample_size,
                         bool read)
{
    const nm_plan_node *node = &plan->node[op->index];
    bool read_whole = (node->takes_whole_batch && node->memory & NM_BACK_Y) || plan->node[node->last].keep;
    bool stays = region[0] && (region[0]->whole || read_whole || read);
    if ((!region[0] || (nm_in_backward(op) && !stays)) && size + sample_size) {
        region[1] = add_region(plan, op, size, sample_size);
        region[0] = region[0] ? region[0] : region[1];
    }
    add_access(op, use, region[nm_in_backward(op)], read, true);
}

static void write_saved(nm_plan *plan, nm_op *op, bool read)
{
    nm_plan_node *node = &plan->node[op->index];
    write_region(plan, op, NM_AS_SAVED, node->saved, node->saved_size, 0, read);
    if (plan->sharding.shards && node->saved[0] && !node->takes_whole_batch) {
        node->saved[0]->shard_size = nm_aligned(node->saved_size);
        node->saved[0]->size = node->saved[0]->shard_size * (size_t)(plan->sharding.end - plan->sharding.first);
    }
}

static nm_op *add_layer_op(nm_plan *plan, nm_op_kind kind, int head, nm_phase phase)
{
    nm_op *op = add_op(plan, kind, head, phase);
    op->scratch = plan->node[head].scratch;
    op->thread_scratch = plan->node[head].thread_scratch;
    read_inputs(plan, op, kind == NM_OP_BACKWARD);
    return op;
}

static void add_statistics(nm_plan *plan, int head)
{
    if (plan->net->node[head].type->batch_statistics)
        write_saved(plan, add_layer_op(plan, NM_OP_STATISTICS, head, NM_PHASE_FORWARD), false);
}

/* With `phase` backward: what backward needs is computed again. The output of a layer that leaves
 * its normalisation to the reader is what it saves. */
static void add_forward(nm_plan *plan, int head, nm_phase phase)
{
    const nm_plan_node *node = &plan->node[head];
    nm_plan_node *last = &plan->node[node->last];
    nm_op *op = add_layer_op(plan, NM_OP_FORWARD, head, phase);
    write_saved(plan, op, plan->net->node[head].type->batch_statistics);
    if (!node->leaves_normalisation)
        write_region(plan, op, NM_AS_Y, last->value, 0,
                     output_size(plan, node->last) / (node->bf16 & NM_BF16_Y ? sizeof(real) / sizeof(nm_bf16) : 1),
                     false);
}

/* The operation writes the gradient by the output of `from`: the next part of it, where there is
 * one already. */
static nm_region *write_gradient(nm_plan *plan, nm_op *op, int from)
{
    nm_region **part = &plan->node[from].gradient;
    while (*part)
        part = &(*part)->next_part;
    *part = add_region(plan, op, 0, output_size(plan, from));
    add_access(op, NM_AS_DX, *part, false, true);
    return *part;
}

static void add_backward(nm_plan *plan, int head)
{
    const nm_plan_node *node = &plan->node[head], *last = &plan->node[node->last];
    nm_op *op = add_layer_op(plan, NM_OP_BACKWARD, head, NM_PHASE_BACKWARD);
    if (node->memory & NM_BACK_Y)
        add_access(op, NM_AS_Y, last->value[1], true, false);
    add_access(op, NM_AS_SAVED, node->saved[1], true, true);
    add_access(op, NM_AS_DY, last->gradient, true, node->tail.layers > 0);
    for (nm_edge *e = plan->edge; e < plan->edge + plan->edges; e++)
        if (e->reader == head && plan->node[e->from].backward)
            e->gradient = write_gradient(plan, op, e->from);
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

/* The segment of training in which the loss has all that it reads. */
static int segment_of_loss(const nm_plan *plan, int objective)
{
    const nm_objective *o = &plan->objective[objective];
    int segment = plan->node[o->from].segment, targets = o->target >= 0 ? plan->node[o->target].segment : 0;
    return targets > segment ? targets : segment;
}

/* Those of a segment; without backward all of them. Where the network has no loss, the operation
 * stands for the gradient that the caller gives. */
static void add_losses(nm_plan *plan, int segment)
{
    for (int i = 0; i < plan->objectives; i++) {
        const nm_objective *o = &plan->objective[i];
        bool backward = plan->node[o->from].backward;
        if ((plan->backward && segment_of_loss(plan, i) != segment) || (!plan->net->objectives && !backward))
            continue;
        nm_op *op = add_op(plan, NM_OP_LOSS, i, NM_PHASE_LOSS);
        add_access(op, NM_AS_X, plan->node[o->from].value[1], true, false);
        add_access(op, NM_AS_TARGET, o->target >= 0 ? plan->node[o->target].value[1] : NULL, true, false);
        if (backward)
            write_gradient(plan, op, o->from);
    }
}

/* ---- segments -------------------------------------------------------------------------- */

/* What is added from now on is done by slices of the segment, in a loop where that does not take
 * the whole batch at once. */
static void open_segment(nm_plan *plan, int index)
{
    nm_segment *segment = &plan->segment[index];
    if (plan->split && !plan->open && (segment->by_thread || segment->slice < plan->request.batch)) {
        nm_op *op = add_op(plan, NM_OP_LOOP, index, 0);
        segment->arenas = segment->by_thread ? add_region(plan, op, 0, 0) : NULL;
        add_access(op, NM_AS_ARENA, segment->arenas, false, true);
    }
    plan->open = plan->split ? segment : NULL;
}

static void close_segment(nm_plan *plan)
{
    const nm_segment *segment = plan->open;
    plan->open = NULL;
    if (segment && (segment->by_thread || segment->slice < plan->request.batch)) {
        nm_op *op = add_op(plan, NM_OP_LOOP_END, (int)(segment - plan->segment), 0);
        add_access(op, NM_AS_ARENA, segment->arenas, true, false);
    }
}

static bool is_done_in(const nm_plan *plan, int node, int segment)
{
    return node >= plan->net->inputs && plan->node[node].head == node && plan->node[node].segment == segment;
}

/* Whether a segment begins with the node: the whole batch goes through it, outside of all loops. */
static bool is_between_segments(const nm_plan *plan, int node)
{
    return plan->split && plan->node[node].takes_whole_batch;
}

/* With `phase` backward: again. */
static void add_segment_forward(nm_plan *plan, int segment, nm_phase phase)
{
    for (int i = 0; i < plan->net->nodes; i++)
        if (is_done_in(plan, i, segment)) {
            if (phase == NM_PHASE_FORWARD && !is_between_segments(plan, i))
                add_statistics(plan, i);
            add_forward(plan, i, phase);
        }
}

/* Of the layers that take the whole batch, or of the others. */
static void add_segment_backward(nm_plan *plan, int segment, bool whole_batch)
{
    for (int i = plan->net->nodes - 1; i >= 0; i--) {
        const nm_plan_node *node = &plan->node[i];
        if (node->backward && node->segment == segment && plan->node[node->head].last == i && !whole_batch)
            add_sum(plan, i);
        if (node->backward && is_done_in(plan, i, segment) && is_between_segments(plan, i) == whole_batch)
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
            add_access(op, NM_AS_Y, node->value[0], true, false);
        if (q->keep_all || (i < plan->net->inputs && q->input_gradients))
            add_access(op, NM_AS_DY, node->gradient, true, false);
    }
}

/* Memory for as much as there can be. */
static nm_status allocate_program(nm_plan *plan)
{
    nm_context *ctx = plan->net->ctx;
    size_t nodes = (size_t)plan->net->nodes, objectives = (size_t)plan->objectives, edges = (size_t)plan->edges;
    /* statistics, forward twice, sum, backward of a node; two loops for a segment */
    plan->op = nm_alloc(ctx, 9 * nodes + objectives + 8, sizeof *plan->op);
    plan->access = nm_alloc(ctx, 6 * edges + 12 * nodes + 4 * objectives, sizeof *plan->access);
    plan->region = nm_alloc(ctx, 5 * nodes + edges + objectives, sizeof *plan->region);
    return plan->op && plan->access && plan->region ? NM_OK : NM_FAILED;
}

nm_status nm_write_program(nm_plan *plan)
{
    int last = plan->segments - 1;
    NM_TRY(allocate_program(plan));
    if (plan->backward)
        add_op(plan, NM_OP_ZERO, NM_NONE, NM_PHASE_BACKWARD);
    for (int segment = 0; segment <= last; segment++) {
        for (int i = 0; i < plan->net->nodes; i++) /* these read earlier segments alone */
            if (is_done_in(plan, i, segment) && is_between_segments(plan, i))
                add_statistics(plan, i);
        open_segment(plan, segment);
        add_segment_forward(plan, segment, NM_PHASE_FORWARD);
        if (segment < last || !plan->backward)
            close_segment(plan);
    }
    if (!plan->backward)
        add_losses(plan, last);
    for (int segment = last; segment >= 0 && plan->backward; segment--) {
        open_segment(plan, segment);
        if (segment < last) /* the last one is open still */
            add_segment_forward(plan, segment, NM_PHASE_BACKWARD);
        add_losses(plan, segment);
        add_segment_backward(plan, segment, false);
        close_segment(plan);
        add_segment_backward(plan, segment, true);
    }
    add_results(plan);
    return NM_OK;
}
