/* Planning: which outputs, gradients and saved values live from when to when. */
#include "plan_draft.h"

#include "alloc.h"

static size_t output_bytes(const nm_draft *d, int node)
{
    return (size_t)d->plan->request.batch * nm_shape_size(d->net->node[node].out) * sizeof(real);
}

static int add_region(nm_draft *d, size_t size, int first, int last)
{
    d->region[d->regions] = (nm_region){nm_aligned(size), 0, first, last};
    return d->regions++;
}

static void live_until(nm_draft *d, int region, int moment)
{
    if (d->region[region].last < moment)
        d->region[region].last = moment;
}

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

void nm_draft_needed(nm_draft *d)
{
    const nm_network *net = d->net;
    const nm_request *q = &d->plan->request;
    for (int i = 0; i < net->nodes; i++) { /* something to train at or above */
        bool above = i < net->inputs ? q->input_gradients || q->keep_all : has_trained(net, &net->node[i]);
        for (int k = 0; k < net->node[i].inputs; k++)
            above = above || d->needed[net->node[i].from[k]];
        d->needed[i] = above && d->plan->backward;
    }
    bool *reached = (bool *)d->keep + net->nodes; /* a loss at or below */
    for (int i = 0; i < nm_objective_count(net); i++)
        reached[nm_objective_node(net, i)] = true;
    for (int i = net->nodes - 1; i >= 0; i--)
        for (int k = 0; reached[i] && k < net->node[i].inputs; k++)
            reached[net->node[i].from[k]] = true;
    for (int i = 0; i < net->nodes; i++)
        d->needed[i] = d->needed[i] && reached[i];
}

/* ---- forward regions ----------------------------------------------------------------- */

/* The last moment at which anybody reads the output of `node` in its own right; `except`: a user not counted. */
static int last_read(const nm_draft *d, int node, int except)
{
    const nm_network *net = d->net;
    int last = node;
    if (d->keep[node])
        last = nm_time_end(net);
    else if (d->needed[node] && (d->memory[d->head[node]] & NM_BACK_Y))
        last = nm_time_backward(net, d->head[node]);
    if (nm_objective_reads(net, node) && last < net->nodes)
        last = net->nodes;
    for (int user = node + 1; user < net->nodes; user++)
        for (int k = 0; k < net->node[user].inputs; k++) {
            if (net->node[user].from[k] != node || d->head[user] != user)
                continue;
            int read = user == except && k == 0 ? node : user;
            if (d->needed[user] && (d->memory[user] & NM_BACK_X))
                read = nm_time_backward(net, user);
            if (read > last)
                last = read;
        }
    return last;
}

static bool can_take_over(const nm_draft *d, int index)
{
    int from = d->net->node[index].from[0];
    return (d->memory[index] & NM_INPLACE) && !d->plan->request.keep_all && from >= d->net->inputs &&
           output_bytes(d, d->tail[index]) == output_bytes(d, from) && last_read(d, from, index) < index;
}

static void plan_values(nm_draft *d)
{
    const nm_network *net = d->net;
    for (int i = net->inputs; i < net->nodes; i++) {
        if (d->head[i] != i)
            continue;
        int tail = d->tail[i], last = last_read(d, tail, NM_NONE);
        if (can_take_over(d, i)) {
            d->value[tail] = d->value[net->node[i].from[0]];
            live_until(d, d->value[tail], last);
        } else {
            d->value[tail] = add_region(d, output_bytes(d, tail), i, last);
        }
        if (d->saved_size[i])
            d->saved[i] = add_region(d, d->saved_size[i], i, d->needed[i] ? nm_time_backward(net, i) : i);
    }
}

/* ---- backward regions ---------------------------------------------------------------- */

typedef struct part {
    int region, moment;
} part;

/* The gradients that reach the output of `node`, in the order in which they are written. */
static int find_parts(const nm_draft *d, int node, part *parts)
{
    const nm_network *net = d->net;
    int count = 0;
    for (int i = 0; i < nm_objective_count(net); i++)
        if (nm_objective_node(net, i) == node)
            parts[count++] = (part){d->objective[i], net->nodes};
    for (int user = net->nodes - 1; user > node; user--)
        for (int k = 0; d->needed[user] && d->head[user] == user && k < net->node[user].inputs; k++)
            if (net->node[user].from[k] == node)
                parts[count++] = (part){d->edge[d->first_edge[user] + k], nm_time_backward(net, user)};
    return count;
}

/* The regions that backward of `index` writes: dy's own where it may, else new ones. */
static void plan_edges(nm_draft *d, int index)
{
    const nm_node *node = &d->net->node[index];
    int now = nm_time_backward(d->net, index);
    for (int k = 0; k < node->inputs; k++) {
        int from = node->from[k];
        if (!d->needed[from])
            continue;
        int tail = d->tail[index];
        bool take_over = k == 0 && (d->memory[index] & NM_INPLACE) && !d->plan->request.keep_all &&
                         output_bytes(d, tail) == output_bytes(d, from);
        d->edge[d->first_edge[index] + k] =
            take_over ? d->gradient[tail] : add_region(d, output_bytes(d, from), now, now);
    }
}

/* The gradient of one output: where the first part is written, summed with the others. */
static nm_status plan_gradient(nm_draft *d, int node, part *parts)
{
    const nm_network *net = d->net;
    const nm_request *q = &d->plan->request;
    int count = find_parts(d, node, parts);
    d->gradient[node] = parts[0].region;
    bool keep = q->keep_all || (node < net->inputs && q->input_gradients);
    live_until(d, d->gradient[node], keep ? nm_time_end(net) : nm_time_backward(net, d->head[node]));
    for (int k = 1; k < count; k++)
        live_until(d, parts[k].region, nm_time_sum(net, node));
    nm_sum *sum = &d->plan->step[node].sum;
    sum->parts = count;
    sum->part = nm_alloc(d->ctx, (size_t)count, sizeof *sum->part);
    d->part[node] = nm_alloc(d->ctx, (size_t)count, sizeof **d->part);
    if (!sum->part || !d->part[node])
        return NM_FAILED;
    for (int k = 0; k < count; k++)
        d->part[node][k] = parts[k].region;
    return NM_OK;
}

static nm_status plan_gradients(nm_draft *d)
{
    const nm_network *net = d->net;
    int most = nm_objective_count(net);
    for (int i = 0; i < net->nodes; i++)
        most += net->node[i].inputs;
    part *parts = nm_alloc(d->ctx, (size_t)most, sizeof *parts);
    if (!parts)
        return NM_FAILED;
    for (int i = 0; i < nm_objective_count(net); i++)
        if (d->needed[nm_objective_node(net, i)])
            d->objective[i] = add_region(d, output_bytes(d, nm_objective_node(net, i)), net->nodes, net->nodes);
    nm_status status = NM_OK;
    for (int i = net->nodes - 1; i >= 0 && status == NM_OK; i--) {
        if (d->needed[i] && d->tail[d->head[i]] == i)
            status = plan_gradient(d, i, parts);
        if (d->needed[i] && d->head[i] == i && i >= net->inputs)
            plan_edges(d, i);
    }
    nm_free(parts);
    return status;
}

nm_status nm_draft_regions(nm_draft *d)
{
    plan_values(d);
    return plan_gradients(d);
}
