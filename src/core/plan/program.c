/* Planning: the operations of a plan in the order in which they are run, and which regions each of
 * them reads and writes. The only place that knows the order. */
#include "builder.h"

#include "alloc.h"

/* ---- regions and accesses -------------------------------------------------------------- */

static int add_region(nm_builder *b, size_t size, bool whole, int segment)
{
    nm_program *p = &b->plan->program;
    bool in_arena = !whole && segment != NM_NONE && b->plan->segment[segment].by_thread;
    p->region[p->regions] =
        (nm_region){.size = nm_aligned(size), .whole = whole, .segment = in_arena ? segment : NM_NONE};
    return p->regions++;
}

/* One for a node's output, or for its gradient: of the whole batch, or of the samples that are run
 * at once. */
static int add_output(nm_builder *b, int node, bool whole, int segment)
{
    const nm_plan *plan = b->plan;
    int samples = whole ? plan->request.batch : plan->segment[b->segment[node]].slice;
    return add_region(b, (size_t)samples * nm_shape_size(b->net->node[node].out) * sizeof(real), whole, segment);
}

static void add_op(nm_builder *b, nm_op_kind kind, int index, unsigned phase)
{
    nm_program *p = &b->plan->program;
    nm_access *next = p->ops ? p->op[p->ops - 1].access + p->op[p->ops - 1].accesses : p->access;
    p->op[p->ops++] = (nm_op){.kind = kind, .index = index, .phase = phase, .loop = b->loop, .access = next};
    if (b->loop != NM_NONE)
        p->op[b->loop].phase |= phase;
}

/* Of the last operation; nothing where there is no region. */
static void add_access(nm_builder *b, nm_use use, int region, bool read, bool write)
{
    nm_op *op = &b->plan->program.op[b->plan->program.ops - 1];
    if (region != NM_NONE)
        op->access[op->accesses++] = (nm_access){region, use, read, write};
}

int nm_op_region(const nm_op *op, nm_use use)
{
    for (int i = 0; i < op->accesses; i++)
        if (op->access[i].use == use)
            return op->access[i].region;
    return NM_NONE;
}

/* ---- what a layer reads and writes ------------------------------------------------------ */

/* What node `head` reads of inputs, for itself and for those whose work it does: all of them, or
 * those that backward reads. Where the layer before has left its normalisation to it, that is what
 * that one has saved. */
static void read_inputs(nm_builder *b, int head, bool backward)
{
    for (int node = head; node <= b->tail[head]; node++)
        for (int k = 0; b->head[node] == head && k < b->net->node[node].inputs; k++) {
            int from = b->net->node[node].from[k], before = b->head[from];
            if (nm_reader(b, node, k) == NM_NONE || (backward && !(b->memory[node] & NM_BACK_X)))
                continue;
            bool lazy = b->plan->node[before].leaves_normalisation && b->tail[before] == from;
            add_access(b, NM_AS_X, lazy ? b->saved[before] : b->value[from], true, false);
        }
}

static void add_statistics(nm_builder *b, int head)
{
    add_op(b, NM_OP_STATISTICS, head, NM_PHASE_FORWARD);
    read_inputs(b, head, false);
    add_access(b, NM_AS_SAVED, b->saved[head], false, true);
}

/* With `phase` backward: what backward needs is computed again. */
static void add_forward(nm_builder *b, int head, nm_phase phase)
{
    add_op(b, NM_OP_FORWARD, head, phase);
    read_inputs(b, head, false);
    add_access(b, NM_AS_Y, b->value[b->tail[head]], false, true);
    add_access(b, NM_AS_SAVED, b->saved[head], b->net->node[head].type->batch_statistics, true);
}

/* A region for the gradient by the output of `from`, which the last operation writes; another part
 * of it where there is one already. */
static int write_gradient(nm_builder *b, int from, int segment, bool by_whole_batch)
{
    int region = add_output(b, from, nm_gradient_is_whole(b, from, segment, by_whole_batch), NM_NONE);
    add_access(b, NM_AS_DX, region, false, true);
    b->written[b->writes] = region;
    b->written_for[b->writes++] = from;
    return region;
}

static void add_backward(nm_builder *b, int head)
{
    const nm_network *net = b->net;
    int tail = b->tail[head];
    add_op(b, NM_OP_BACKWARD, head, NM_PHASE_BACKWARD);
    read_inputs(b, head, true);
    if (b->memory[head] & NM_BACK_Y)
        add_access(b, NM_AS_Y, b->value[tail], true, false);
    add_access(b, NM_AS_SAVED, b->saved[head], true, true);
    add_access(b, NM_AS_DY, b->gradient[tail], true, b->plan->node[head].tail.layers > 0);
    for (int node = head; node <= tail; node++)
        for (int k = 0; b->head[node] == head && k < net->node[node].inputs; k++)
            if (nm_reader(b, node, k) != NM_NONE && b->needed[net->node[node].from[k]])
                b->edge[b->first_edge[node] + k] =
                    write_gradient(b, net->node[node].from[k], b->segment[head], nm_takes_whole_batch(b, head));
}

/* The gradient by the output of `node`: the first part that was written, the others added to it. */
static void add_sum(nm_builder *b, int node)
{
    int parts = 0;
    for (int i = 0; i < b->writes; i++) {
        if (b->written_for[i] != node)
            continue;
        if (parts++ == 0) {
            b->gradient[node] = b->written[i];
            continue;
        }
        if (parts == 2) {
            add_op(b, NM_OP_SUM, node, NM_PHASE_BACKWARD);
            add_access(b, NM_AS_PART, b->gradient[node], true, true);
        }
        add_access(b, NM_AS_PART, b->written[i], true, false);
    }
}

/* ---- losses ---------------------------------------------------------------------------- */

/* Where the network has no loss, the operation stands for the gradient that the caller gives. */
static void add_losses(nm_builder *b, int segment)
{
    for (int i = 0; i < nm_objective_count(b->net); i++) {
        int from = nm_objective_node(b->net, i), target = nm_objective_target(b->net, i);
        if (b->objective_segment[i] != segment || (!b->net->objectives && !b->needed[from]))
            continue;
        add_op(b, NM_OP_LOSS, i, NM_PHASE_LOSS);
        add_access(b, NM_AS_X, b->value[from], true, false);
        add_access(b, NM_AS_TARGET, target >= 0 ? b->value[target] : NM_NONE, true, false);
        if (b->needed[from])
            write_gradient(b, from, b->objective_segment[i], false);
    }
}

/* ---- segments -------------------------------------------------------------------------- */

/* Opens a loop over slices, where the segment does not take the whole batch at once. */
static void open_loop(nm_builder *b, int segment)
{
    const nm_segment *s = &b->plan->segment[segment];
    if (!s->by_thread && s->slice >= b->plan->request.batch)
        return;
    add_op(b, NM_OP_LOOP, segment, 0);
    b->loop = b->plan->program.ops - 1;
}

static void close_loop(nm_builder *b, int segment)
{
    int loop = b->loop;
    if (loop == NM_NONE)
        return;
    nm_op *op = &b->plan->program.op[loop];
    op->end = b->plan->program.ops;
    add_op(b, NM_OP_LOOP_END, segment, op->phase);
    b->loop = NM_NONE;
}

static void add_segment_forward(nm_builder *b, int segment)
{
    for (int i = b->net->inputs; i < b->net->nodes; i++)
        if (b->head[i] == i && b->segment[i] == segment) {
            if (b->net->node[i].type->batch_statistics && !nm_takes_whole_batch(b, i))
                add_statistics(b, i);
            add_forward(b, i, NM_PHASE_FORWARD);
        }
}

/* Of the layers that need them for the whole batch: they read earlier segments alone. */
static void add_segment_statistics(nm_builder *b, int segment)
{
    for (int i = b->net->inputs; i < b->net->nodes; i++)
        if (b->head[i] == i && b->segment[i] == segment && nm_takes_whole_batch(b, i))
            add_statistics(b, i);
}

static void add_segment_backward(nm_builder *b, int segment)
{
    for (int i = b->net->nodes - 1; i >= 0; i--) {
        if (b->segment[i] != segment || !b->needed[i])
            continue;
        if (b->tail[b->head[i]] == i)
            add_sum(b, i);
        if (b->head[i] == i && i >= b->net->inputs && !nm_takes_whole_batch(b, i))
            add_backward(b, i);
    }
}

static void add_whole_batch_backward(nm_builder *b, int segment)
{
    for (int i = b->net->nodes - 1; i >= b->net->inputs; i--)
        if (b->segment[i] == segment && b->needed[i] && b->head[i] == i && nm_takes_whole_batch(b, i))
            add_backward(b, i);
}

/* A segment whose forward pass is done, or is to be computed again. */
static void add_recomputed_backward(nm_builder *b, int segment)
{
    open_loop(b, segment);
    for (int i = b->net->inputs; i < b->net->nodes; i++)
        if (b->segment[i] == segment && b->recompute[i])
            add_forward(b, i, NM_PHASE_BACKWARD);
    add_losses(b, segment);
    add_segment_backward(b, segment);
    close_loop(b, segment);
    add_whole_batch_backward(b, segment);
}

/* ---- the program ----------------------------------------------------------------------- */

/* What stays readable after the run. */
static void add_results(nm_builder *b)
{
    const nm_request *q = &b->plan->request;
    add_op(b, NM_OP_RESULTS, NM_NONE, 0);
    for (int i = 0; i < b->net->nodes; i++) {
        if (b->keep[i])
            add_access(b, NM_AS_Y, b->value[i], true, false);
        if (q->keep_all || (i < b->net->inputs && q->input_gradients))
            add_access(b, NM_AS_DY, b->gradient[i], true, false);
    }
}

/* The regions of outputs and of what layers save; those of gradients come with the operations that
 * write them. */
static void add_value_regions(nm_builder *b)
{
    for (int i = b->net->inputs; i < b->net->nodes; i++) {
        if (b->head[i] != i)
            continue;
        if (b->saved_size[i])
            b->saved[i] = add_region(b, b->saved_size[i], nm_takes_whole_batch(b, i), b->segment[i]);
        if (!b->plan->node[i].leaves_normalisation) /* else the reader reads what is saved */
            b->value[b->tail[i]] = add_output(b, b->tail[i], nm_value_is_whole(b, b->tail[i]), b->segment[i]);
    }
}

/* Memory for as much as there can be. */
static nm_status allocate_program(nm_builder *b)
{
    nm_program *p = &b->plan->program;
    size_t nodes = (size_t)b->net->nodes, objectives = (size_t)nm_objective_count(b->net), edges = 0;
    for (int i = 0; i < b->net->nodes; i++)
        edges += (size_t)b->net->node[i].inputs;
    /* statistics, forward twice, sum, backward of a node; two loops for a segment */
    size_t ops = 9 * nodes + objectives + 8;
    p->op = nm_alloc(b->ctx, ops, sizeof *p->op);
    p->access = nm_alloc(b->ctx, 6 * edges + 10 * nodes + 4 * objectives, sizeof *p->access);
    p->region = nm_alloc(b->ctx, 2 * nodes + edges + objectives + 1, sizeof *p->region);
    return p->op && p->access && p->region ? NM_OK : NM_FAILED;
}

nm_status nm_write_program(nm_builder *b)
{
    const nm_plan *plan = b->plan;
    int last = plan->segments - 1;
    bool sliced_evaluation = plan->split && plan->request.mode == NM_EVAL;
    NM_TRY(allocate_program(b));
    add_value_regions(b);
    if (plan->backward)
        add_op(b, NM_OP_ZERO, NM_NONE, NM_PHASE_BACKWARD);
    for (int segment = 0; segment <= last; segment++) {
        add_segment_statistics(b, segment);
        open_loop(b, segment);
        add_segment_forward(b, segment);
        if (segment < last || sliced_evaluation)
            close_loop(b, segment);
    }
    add_losses(b, last);
    add_segment_backward(b, last);
    close_loop(b, last);
    add_whole_batch_backward(b, last);
    for (int segment = last - 1; segment >= 0 && !sliced_evaluation; segment--)
        add_recomputed_backward(b, segment);
    add_results(b);
    return NM_OK;
}
