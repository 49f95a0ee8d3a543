/* Looking at a plan: what is alive after a run, what was chosen, the program. */
#include "plan.h"

#include <stdio.h>
#include <string.h>

/* Where a region lies, the first thread's where each has one. */
static const real *first_of(const nm_plan *plan, const nm_region *region)
{
    return region && plan->slab ? (const real *)(const void *)(plan->slab + region->offset) : NULL;
}

const real *nm_plan_output(const nm_plan *plan, int node)
{
    return first_of(plan, plan->node[node].value[0]);
}

const real *nm_plan_output_gradient(const nm_plan *plan, int node)
{
    return first_of(plan, plan->node[node].gradient);
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

const void *nm_plan_choice(const nm_plan *plan, int node)
{
    return plan->node[node].choice;
}

nm_plan_program nm_plan_program_of(const nm_plan *plan)
{
    return (nm_plan_program){.batch = plan->request.batch,
                             .ops = plan->ops,
                             .regions = plan->regions,
                             .shards = plan->sharding.shards,
                             .shard_samples = plan->sharding.samples,
                             .op = plan->op,
                             .region = plan->region,
                             .segment = plan->segment};
}

void nm_plan_seconds(const nm_plan *plan, int node, double *forward, double *backward)
{
    *forward = *backward = 0;
    for (int i = 0; i < plan->ops; i++) {
        nm_op_kind kind = plan->op[i].kind;
        double *to = kind == NM_OP_STATISTICS || kind == NM_OP_FORWARD ? forward
                     : kind == NM_OP_SUM || kind == NM_OP_BACKWARD     ? backward
                                                                       : NULL;
        for (int k = 0; k < plan->workers && to && plan->op[i].index == node && plan->request.timing; k++)
            *to += plan->seconds[k * plan->ops + i];
    }
}
