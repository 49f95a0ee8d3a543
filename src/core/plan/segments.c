/* Planning: which gradients are needed, and where a network is cut whose batch is split. */
#include "plan.h"

/* ---- which gradients are needed ------------------------------------------------------ */

static bool has_trained(const nm_network *net, const nm_node *node)
{
    for (int i = 0; i < node->params; i++) {
        const nm_param *p = &net->param[node->first_param + i];
        if (p->kind != NM_STATE && !p->frozen)
            return true;
    }
    return false;
}

void nm_find_needed(nm_plan *plan)
{
    const nm_network *net = plan->net;
    const nm_request *q = &plan->request;
    nm_plan_node *node = plan->node;
    if (!plan->backward)
        return;
    for (int i = 0; i < net->nodes; i++) {
        bool above = i < net->inputs ? q->input_gradients || q->keep_all : has_trained(net, &net->node[i]);
        for (int k = 0; k < net->node[i].inputs; k++)
            above = above || node[node[i].edge[k].from].backward;
        node[i].backward = above;
    }
    for (int i = 0; i < nm_objective_count(net); i++)
        node[nm_objective_at(net, i).from].reached = true;
    for (int i = net->nodes - 1; i >= 0; i--) {
        node[i].backward = node[i].backward && node[i].reached;
        for (int k = 0; k < net->node[i].inputs; k++)
            node[node[i].edge[k].from].reached |= node[i].reached;
    }
    for (const nm_edge *e = plan->edge; e < plan->edge + plan->edges; e++)
        node[e->user].want_dx |= node[e->from].backward;
}

/* ---- segments of training ------------------------------------------------------------ */

void nm_find_segments(nm_plan *plan)
{
    const nm_network *net = plan->net;
    for (int i = net->inputs; i < net->nodes; i++)
        plan->node[i].takes_whole_batch = plan->split && net->node[i].type->batch_statistics;
    for (const nm_edge *e = plan->edge; e < plan->edge + plan->edges; e++) {
        nm_plan_node *user = &plan->node[e->user];
        int segment = plan->node[e->from].segment + user->takes_whole_batch;
        user->segment = segment > user->segment ? segment : user->segment;
        plan->segments = user->segment >= plan->segments ? user->segment + 1 : plan->segments;
    }
}

int nm_objective_segment(const nm_plan *plan, int objective)
{
    nm_objective o = nm_objective_at(plan->net, objective);
    int segment = plan->node[o.from].segment, targets = o.target >= 0 ? plan->node[o.target].segment : 0;
    return targets > segment ? targets : segment;
}

/* The output is read in that segment; NM_NONE: behind all of them. */
static void read_in_segment(nm_plan_node *node, int segment)
{
    node->whole |= node->segment != segment;
}

void nm_find_whole(nm_plan *plan)
{
    for (int i = 0; plan->split && i < plan->net->nodes; i++)
        plan->node[i].whole = plan->node[i].keep;
    for (const nm_edge *e = plan->edge; plan->split && e < plan->edge + plan->edges; e++)
        read_in_segment(&plan->node[e->from], plan->node[e->user].segment);
    for (int i = 0; plan->split && i < nm_objective_count(plan->net); i++) {
        nm_objective o = nm_objective_at(plan->net, i);
        int segment = plan->backward ? nm_objective_segment(plan, i) : NM_NONE;
        read_in_segment(&plan->node[o.from], segment);
        if (o.target >= 0)
            read_in_segment(&plan->node[o.target], segment);
    }
}

/* Behind each node those that read its output are known. What a node saves is of its own samples,
 * and so is an output that is not whole. */
void nm_find_recomputed(nm_plan *plan)
{
    nm_plan_node *node = plan->node;
    if (!plan->split || !plan->backward)
        return;
    for (int i = 0; i < nm_objective_count(plan->net); i++) {
        nm_objective o = nm_objective_at(plan->net, i);
        node[o.from].read_again = true;
        if (o.target >= 0)
            node[o.target].read_again = true;
    }
    for (int i = plan->net->nodes - 1; i >= plan->net->inputs; i--) {
        nm_plan_node *last = &node[node[i].last];
        bool saved = node[i].backward && node[i].saved_size && !node[i].takes_whole_batch,
             output = last->read_again || (node[i].backward && (node[i].memory & NM_BACK_Y));
        node[i].recompute =
            node[i].head == i && node[i].segment < plan->segments - 1 && (saved || (output && !last->whole));
        for (int k = 0; k < plan->net->node[i].inputs && node[i].head == i; k++)
            if (node[i].recompute || (node[i].backward && (node[i].memory & NM_BACK_X)))
                node[node[i].edge[k].from].read_again = true;
    }
}
