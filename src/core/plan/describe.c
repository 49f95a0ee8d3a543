/* Looking at a plan: what is alive after a run, what was chosen, the program as text. */
#include "plan.h"

#include "algorithm_choice.h"

#include <stdio.h>
#include <string.h>

/* Where a region lies, the first thread's where each has one. */
static const real *first_of(const nm_plan *plan, const nm_region *region)
{
    return region && plan->slab ? (const real *)(const void *)(plan->slab + region->offset) : NULL;
}

const real *nm_plan_output(const nm_plan *plan, int node)
{
    return first_of(plan, plan->node[node].value);
}

const real *nm_plan_output_gradient(const nm_plan *plan, int node)
{
    return first_of(plan, plan->node[node].gradient);
}

const real *nm_plan_input_gradient(const nm_plan *plan, int input)
{
    return nm_plan_output_gradient(plan, input);
}

real *nm_plan_gradients(const nm_plan *plan)
{
    return plan->gradients;
}

nm_plan_memory nm_plan_memory_use(const nm_plan *plan)
{
    return plan->memory;
}

int nm_plan_head(const nm_plan *plan, int node)
{
    return plan->node[node].head;
}

/* ---- layers ---------------------------------------------------------------------------- */

void nm_plan_describe(const nm_plan *plan, int node, char *text, size_t size)
{
    const nm_node *n = &plan->net->node[node];
    const nm_plan_node *planned = &plan->node[node];
    const nm_segment *segment = &plan->segment[planned->segment];
    *text = '\0';
    if (n->type && n->type->describe)
        n->type->describe(n->self, planned->choice, text, size);
    size_t used = strlen(text);
    for (int i = node + 1; i <= planned->last && used < size; i++)
        if (plan->node[i].head == node)
            used += (size_t)snprintf(text + used, size - used, "%swith %s", used ? ", " : "",
                                     plan->net->node[i].type->name);
    if (planned->leaves_normalisation && used < size)
        used += (size_t)snprintf(text + used, size - used, "%snormalised by its reader", used ? ", " : "");
    if (segment->by_thread && used < size)
        snprintf(text + used, size - used, "%s%d samples at once", used ? ", " : "", segment->slice);
}

void nm_plan_explain(const nm_plan *plan, int node, char *text, size_t size)
{
    const nm_node *n = &plan->net->node[node];
    *text = '\0';
    if (n->type && n->type->algorithms)
        n->type->algorithms->explain(n->self, plan->node[node].choice, text, size);
}

void nm_plan_chosen(const nm_plan *plan, int node, char *text, size_t size)
{
    const nm_node *n = &plan->net->node[node];
    *text = '\0';
    if (n->type && n->type->algorithms)
        n->type->algorithms->chosen(plan->node[node].choice, text, size);
}

/* ---- operations ------------------------------------------------------------------------- */

int nm_plan_ops(const nm_plan *plan)
{
    return plan->ops;
}

static double op_seconds(const nm_plan *plan, int op)
{
    double seconds = 0;
    for (int k = 0; k < plan->workers && plan->seconds && plan->request.timing; k++) /* the threads side by side */
        seconds += plan->seconds[k * plan->ops + op] / (k ? plan->workers - 1 : 1);
    return seconds;
}

void nm_plan_seconds(const nm_plan *plan, int node, double *forward, double *backward)
{
    *forward = *backward = 0;
    for (int i = 0; i < plan->ops; i++) {
        const nm_op *op = &plan->op[i];
        if (op->index != node)
            continue;
        if (op->kind == NM_OP_STATISTICS || op->kind == NM_OP_FORWARD)
            *forward += op_seconds(plan, i);
        if (op->kind == NM_OP_SUM || op->kind == NM_OP_BACKWARD)
            *backward += op_seconds(plan, i);
    }
}

static const char *kind_name(const nm_op *op)
{
    static const char *const names[] = {"zero", "loop", "end",      "statistics", "forward",
                                        "loss", "sum",  "backward", "results"};
    return op->kind == NM_OP_FORWARD && op->phase == NM_PHASE_BACKWARD ? "recompute" : names[op->kind];
}

/* The regions that an operation reads, or writes: "x:3 saved:7", each as a use and a number. */
static void list_regions(const nm_plan *plan, const nm_op *op, bool written, char *text, size_t size)
{
    static const char *const uses[] = {"x", "y", "dy", "dx", "saved", "target", "part", "arena"};
    size_t used = 0;
    *text = '\0';
    for (int i = 0; i < op->accesses && used < size; i++) {
        const nm_access *a = &op->access[i];
        if (written ? a->write : a->read)
            used += (size_t)snprintf(text + used, size - used, "%s%s:%d", used ? " " : "", uses[a->use],
                                     (int)(nm_region_owner(a->region) - plan->region));
    }
}

nm_plan_op nm_plan_op_at(const nm_plan *plan, int index)
{
    const nm_op *op = &plan->op[index];
    bool layer = op->kind == NM_OP_STATISTICS || op->kind == NM_OP_FORWARD || op->kind == NM_OP_BACKWARD,
         loop = op->kind == NM_OP_LOOP || op->kind == NM_OP_LOOP_END;
    const nm_segment *segment = loop ? &plan->segment[op->index] : op->segment;
    nm_plan_op out = {.kind = kind_name(op),
                      .node = layer || op->kind == NM_OP_SUM ? op->index : -1,
                      .objective = op->kind == NM_OP_LOSS ? op->index : -1,
                      .samples = segment ? segment->slice : plan->request.batch,
                      .in_loop = op->loop != NM_NONE && !loop,
                      .by_thread = segment && segment->by_thread,
                      .scratch = layer ? plan->node[op->index].scratch : 0,
                      .thread_scratch = layer ? plan->node[op->index].thread_scratch : 0,
                      .seconds = op_seconds(plan, index)};
    list_regions(plan, op, false, out.reads, sizeof out.reads);
    list_regions(plan, op, true, out.writes, sizeof out.writes);
    return out;
}

int nm_plan_regions(const nm_plan *plan)
{
    return plan->regions;
}

nm_plan_region_use nm_plan_region_at(const nm_plan *plan, int index)
{
    const nm_region *r = &plan->region[index];
    nm_plan_region_use out = {.offset = r->offset, .bytes = r->size, .intervals = r->intervals, .whole = r->whole};
    out.arena = r->segment != NULL;
    for (int i = 0; i < r->intervals; i++) {
        out.first[i] = r->live[i].first;
        out.last[i] = r->live[i].last;
    }
    return out;
}
