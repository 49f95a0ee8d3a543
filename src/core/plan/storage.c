/* Planning: which outputs are kept in bfloat16 between forward and backward (nm_rules.bf16).
 *
 * An output is, where its head can write it and all its readers can read it so, and nobody else
 * looks at it. What a type can read and write in bfloat16 it says in its nm_fusion; a head's own
 * outputs that it saves for a batch norm in its tail are its own business. */
#include "plan.h"

/* What head `index` can have in bfloat16. */
static unsigned abilities_of(const nm_plan *plan, int index)
{
    const nm_node *node = &plan->net->node[index];
    const nm_plan_node *planned = &plan->node[index];
    if (!node->type->fusion || !node->type->fusion->reads_and_writes_bf16 || !planned->backward)
        return 0;
    const nm_tail_request request = {&plan->rules, true, planned->want_dx};
    unsigned can = node->type->fusion->reads_and_writes_bf16(node->self, &planned->tail, &request);
    return node->inputs == 1 ? can : can & ~(unsigned)NM_BF16_X;
}

/* As what an edge's reader finds the output: it reads it itself, or its tail adds it. */
static unsigned use_of(const nm_edge *e)
{
    return e->user == e->reader ? NM_BF16_X : NM_BF16_OTHER;
}

/* What everybody may look at stays as it is: kept outputs, and those that a loss judges or takes as
 * targets. */
static bool is_public(const nm_plan *plan, int node)
{
    bool is = plan->node[node].keep;
    for (int i = 0; i < plan->objectives; i++)
        is |= plan->objective[i].from == node || plan->objective[i].target == node;
    return is;
}

static bool can_be_bf16(const nm_plan *plan, int head)
{
    const nm_plan_node *planned = &plan->node[head];
    bool can =
        !planned->leaves_normalisation && !is_public(plan, planned->last) && abilities_of(plan, head) & NM_BF16_Y;
    for (const nm_edge *e = plan->edge; e < plan->edge + plan->edges && can; e++)
        if (e->from == planned->last)
            can = e->reader != NM_NONE && abilities_of(plan, e->reader) & use_of(e);
    return can;
}

void nm_find_storage(nm_plan *plan)
{
    for (int head = plan->net->inputs; head < plan->net->nodes && plan->rules.bf16; head++) {
        if (plan->node[head].head != head || !can_be_bf16(plan, head))
            continue;
        plan->node[head].bf16 |= NM_BF16_Y;
        for (const nm_edge *e = plan->edge; e < plan->edge + plan->edges; e++)
            if (e->from == plan->node[head].last)
                plan->node[e->reader].bf16 |= use_of(e);
    }
}
