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
