/* Planning: which gradients are needed, and where a network is cut whose batch is split. */
#include "builder.h"

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

void nm_find_needed(nm_builder *b)
{
    const nm_network *net = b->net;
    const nm_request *q = &b->plan->request;
    for (int i = 0; i < net->nodes; i++) { /* something to train at or above */
        bool above = i < net->inputs ? q->input_gradients || q->keep_all : has_trained(net, &net->node[i]);
        for (int k = 0; k < net->node[i].inputs; k++)
            above = above || b->needed[net->node[i].from[k]];
        b->needed[i] = above && b->plan->backward;
    }
    for (int i = 0; i < nm_objective_count(net); i++)
        b->reached[nm_objective_node(net, i)] = true;
    for (int i = net->nodes - 1; i >= 0; i--)
        for (int k = 0; b->reached[i] && k < net->node[i].inputs; k++)
            b->reached[net->node[i].from[k]] = true;
    for (int i = 0; i < net->nodes; i++)
        b->needed[i] = b->needed[i] && b->reached[i];
}

/* ---- segments of training ------------------------------------------------------------ */

void nm_find_segments(nm_builder *b)
{
    const nm_network *net = b->net;
    int last = 0;
    for (int i = net->inputs; i < net->nodes; i++) {
        for (int k = 0; k < net->node[i].inputs; k++)
            if (b->segment[net->node[i].from[k]] > b->segment[i])
                b->segment[i] = b->segment[net->node[i].from[k]];
        b->segment[i] += nm_takes_whole_batch(b, i);
        last = b->segment[i] > last ? b->segment[i] : last;
    }
    b->plan->segments = last + 1;
    for (int i = 0; i < nm_objective_count(net); i++) {
        int segment = b->segment[nm_objective_node(net, i)], target = nm_objective_target(net, i);
        b->objective_segment[i] = target >= 0 && b->segment[target] > segment ? b->segment[target] : segment;
    }
}

static bool objective_reads(const nm_network *net, int objective, int node)
{
    return nm_objective_node(net, objective) == node || nm_objective_target(net, objective) == node;
}

bool nm_value_is_whole(const nm_builder *b, int node)
{
    const nm_network *net = b->net;
    if (!b->plan->split || b->keep[node])
        return b->plan->split;
    for (int user = node + 1; user < net->nodes; user++)
        for (int k = 0; k < net->node[user].inputs; k++)
            if (net->node[user].from[k] == node && b->segment[user] != b->segment[node])
                return true;
    for (int i = 0; i < nm_objective_count(net); i++)
        if (objective_reads(net, i, node) &&
            (b->plan->request.mode == NM_EVAL || b->objective_segment[i] != b->segment[node]))
            return true;
    return false;
}

bool nm_gradient_is_whole(const nm_builder *b, int from, int segment, bool by_whole_batch)
{
    return b->plan->split && (segment != b->segment[from] || by_whole_batch || nm_takes_whole_batch(b, b->head[from]) ||
                              from < b->net->inputs);
}

/* Whether backward needs what `head` computes and nobody has kept. Those below it are known. */
static bool is_recomputed(const nm_builder *b, int head)
{
    const nm_network *net = b->net;
    int tail = b->tail[head];
    if (b->needed[head] && b->saved_size[head] && !nm_takes_whole_batch(b, head))
        return true;
    if (nm_value_is_whole(b, tail))
        return false;
    if (b->needed[head] && (b->memory[head] & NM_BACK_Y))
        return true;
    for (int user = tail + 1; user < net->nodes; user++)
        for (int k = 0; k < net->node[user].inputs; k++)
            if (net->node[user].from[k] == tail && b->head[user] == user &&
                (b->recompute[user] || (b->needed[user] && (b->memory[user] & NM_BACK_X))))
                return true;
    for (int i = 0; i < nm_objective_count(net); i++)
        if (objective_reads(net, i, tail))
            return true;
    return false;
}

void nm_find_recomputed(nm_builder *b)
{
    bool split = b->plan->split && b->plan->request.mode == NM_TRAIN;
    for (int i = b->net->nodes - 1; i >= b->net->inputs && split; i--)
        b->recompute[i] = b->head[i] == i && b->segment[i] < b->plan->segments - 1 && is_recomputed(b, i);
}
