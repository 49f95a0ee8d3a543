/* Planning: which outputs, gradients and saved values live from when to when. */
#include "plan_draft.h"

#include "alloc.h"

/* Bytes of a node's output, or of its gradient: of the whole batch, or of the samples that are run
 * at once. */
static size_t output_bytes(const nm_draft *d, int node, bool whole)
{
    const nm_request *q = &d->plan->request;
    return (size_t)(whole ? q->batch : d->plan->stage[d->stage[node]].slice) * nm_shape_size(d->net->node[node].out) *
           sizeof(real);
}

static int add_region(nm_draft *d, size_t size, int first, int last)
{
    d->region[d->regions] = (nm_region){.size = nm_aligned(size), .first = first, .last = last, .room = NM_NONE};
    return d->regions++;
}

/* One for the values of a stage while it runs: for each thread its own, where threads run it apart.
 */
static int add_region_of(nm_draft *d, int stage, size_t size, int first, int last)
{
    int region = add_region(d, size, first, last);
    if (d->plan->stage[stage].apart)
        d->region[region].room = stage;
    return region;
}

/* The last moment of the window of `moment`. */
static int window_end(const nm_draft *d, int moment)
{
    return (moment / nm_window_size(d->net) + 1) * nm_window_size(d->net) - 1;
}

/* Where samples go through the window of `moment` a few at a time, what is whole is alive in all of
 * it. */
static bool in_slices(const nm_draft *d, int moment)
{
    int window = moment / nm_window_size(d->net), last = d->plan->stages - 1;
    return d->plan->stage[window > 2 * last ? last
                          : window > last   ? 2 * last - window
                                            : window]
               .slice < d->plan->request.batch;
}

static int add_whole(nm_draft *d, size_t size, int first, int last)
{
    if (in_slices(d, first))
        first = first / nm_window_size(d->net) * nm_window_size(d->net);
    if (in_slices(d, last))
        last = window_end(d, last);
    int region = add_region(d, size, first, last);
    d->region[region].whole = true;
    return region;
}

static void live_until(nm_draft *d, int region, int moment)
{
    nm_region *r = &d->region[region];
    if (r->whole && in_slices(d, moment))
        moment = window_end(d, moment);
    if (r->last < moment)
        r->last = moment;
}

/* When backward of a node is done: layers that gather come after all others of their stage. */
static int done_backward(const nm_draft *d, int node)
{
    int moment = nm_time_backward(d, node);
    return nm_gathers(d, node) ? window_end(d, moment) : moment;
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

/* ---- stages -------------------------------------------------------------------------- */

void nm_draft_stages(nm_draft *d)
{
    const nm_network *net = d->net;
    int last = 0;
    for (int i = net->inputs; i < net->nodes; i++) {
        for (int k = 0; k < net->node[i].inputs; k++)
            if (d->stage[net->node[i].from[k]] > d->stage[i])
                d->stage[i] = d->stage[net->node[i].from[k]];
        d->stage[i] += nm_gathers(d, i);
        last = d->stage[i] > last ? d->stage[i] : last;
    }
    d->plan->stages = last + 1;
    for (int i = 0; i < nm_objective_count(net); i++) {
        int stage = d->stage[nm_objective_node(net, i)], target = net->objectives ? net->objective[i].target : -1;
        d->plan->objective_stage[i] = target >= 0 && d->stage[target] > stage ? d->stage[target] : stage;
    }
}

static bool objective_reads(const nm_network *net, int objective, int node)
{
    return nm_objective_node(net, objective) == node || (net->objectives && net->objective[objective].target == node);
}

/* Whether the output of `node` crosses from its stage into another, or stays readable. */
static bool value_is_whole(const nm_draft *d, int node)
{
    const nm_network *net = d->net;
    bool whole = d->keep[node];
    for (int user = node + 1; user < net->nodes; user++)
        for (int k = 0; k < net->node[user].inputs; k++)
            whole = whole || (net->node[user].from[k] == node && d->stage[user] != d->stage[node]);
    for (int i = 0; i < nm_objective_count(net); i++)
        whole = whole || (objective_reads(net, i, node) &&
                          (d->plan->request.mode == NM_EVAL || d->plan->objective_stage[i] != d->stage[node]));
    return whole && d->plan->staged;
}

/* Whether a node of an earlier stage than the last must be run again for the sake of backward.
 * Those below it are known. */
static bool runs_again(const nm_draft *d, int head)
{
    const nm_network *net = d->net;
    int tail = d->tail[head];
    if (d->stage[head] == d->plan->stages - 1 || (d->needed[head] && d->saved_size[head] && !nm_gathers(d, head)))
        return true;
    if (d->region[d->value[tail]].whole)
        return false;
    bool again = d->needed[head] && (d->memory[head] & NM_BACK_Y);
    for (int user = tail + 1; user < net->nodes; user++)
        for (int k = 0; k < net->node[user].inputs; k++)
            if (net->node[user].from[k] == tail && d->head[user] == user)
                again = again || d->again[user] || (d->needed[user] && (d->memory[user] & NM_BACK_X));
    for (int i = 0; i < nm_objective_count(net); i++)
        again = again || objective_reads(net, i, tail);
    return again;
}

/* Regions that nodes fill again are alive in both windows of their stage, the others in the forward
 * window alone. */
static void plan_second_runs(nm_draft *d)
{
    const nm_network *net = d->net;
    for (int i = net->nodes - 1; i >= net->inputs; i--)
        if (d->head[i] == i)
            d->again[i] = runs_again(d, i);
    for (int again = 1; again >= 0;
         again--) /* a region may belong to several nodes, in place: one that runs again counts */
        for (int i = net->inputs; i < net->nodes; i++) {
            int ahead = nm_time_backward_window(d, d->stage[i]) - nm_time_forward_window(d, d->stage[i]);
            int owned[] = {d->value[d->tail[i]], d->saved[i]};
            for (int k = 0; k < 2 && d->head[i] == i && d->again[i] == again && ahead; k++) {
                nm_region *r = owned[k] == NM_NONE || d->region[owned[k]].whole ? NULL : &d->region[owned[k]];
                if (r && again) {
                    r->again = ahead;
                } else if (r && !r->again && r->first >= nm_time_backward_window(d, d->stage[i])) {
                    r->first -= ahead;
                    r->last -= ahead;
                }
            }
        }
}

/* ---- forward regions ----------------------------------------------------------------- */

/* The last moment at which anybody reads the output of `node` in its own right, all in its stage;
 * `except`: a user not counted. */
static int last_read(const nm_draft *d, int node, int except)
{
    const nm_network *net = d->net;
    int last = nm_time_forward(d, node);
    if (d->keep[node])
        last = nm_time_end(d);
    else if (d->needed[node] && (d->memory[d->head[node]] & NM_BACK_Y))
        last = nm_time_backward(d, d->head[node]);
    for (int i = 0; i < nm_objective_count(net); i++)
        if (objective_reads(net, i, node) && last < nm_time_loss(d, i))
            last = nm_time_loss(d, i);
    for (int user = node + 1; user < net->nodes; user++)
        for (int k = 0; k < net->node[user].inputs; k++) {
            int reader = nm_reader(d, user, k);
            if (net->node[user].from[k] != node || reader == NM_NONE)
                continue;
            int read = nm_time_forward(d, user == except && k == 0 ? node : reader);
            if (d->needed[user] && reader == user && (d->memory[user] & NM_BACK_X))
                read = nm_time_backward(d, user);
            if (read > last)
                last = read;
        }
    return last;
}

/* The last moment at which a whole output is read, or written again. */
static int last_use(const nm_draft *d, int node)
{
    const nm_network *net = d->net;
    int head = d->head[node], last = nm_time_forward_window(d, d->stage[node]) + head;
    if (d->keep[node])
        return nm_time_end(d);
    if (d->needed[node] && ((d->memory[head] & NM_BACK_Y) || (d->saved_size[head] && !nm_gathers(d, head))))
        last = nm_time_backward(d, head);
    for (int i = 0; i < nm_objective_count(net); i++)
        if (objective_reads(net, i, node) && nm_time_loss(d, i) > last)
            last = nm_time_loss(d, i);
    for (int user = node + 1; user < net->nodes; user++)
        for (int k = 0; k < net->node[user].inputs; k++) {
            int reader = nm_reader(d, user, k);
            if (net->node[user].from[k] != node || reader == NM_NONE)
                continue;
            int read = nm_time_forward_window(d, d->stage[user]) + reader;
            if (d->needed[user]) /* it may run again */
                read = (d->memory[user] & NM_BACK_X) ? done_backward(d, user) : nm_time_forward(d, user);
            last = read > last ? read : last;
        }
    return last;
}

static bool can_take_over(const nm_draft *d, int index)
{
    int from = d->net->node[index].from[0];
    return (d->memory[index] & NM_INPLACE) && !d->plan->request.keep_all && from >= d->net->inputs &&
           !d->region[d->value[from]].whole && !value_is_whole(d, d->tail[index]) &&
           output_bytes(d, d->tail[index], false) == output_bytes(d, from, false) &&
           last_read(d, from, index) < nm_time_forward(d, index);
}

static void plan_saved(nm_draft *d, int index)
{
    int now = nm_time_forward(d, index);
    if (!d->saved_size[index])
        return;
    if (nm_gathers(d, index))
        d->saved[index] =
            add_whole(d, d->saved_size[index], nm_time_forward_window(d, d->stage[index]), done_backward(d, index));
    else
        d->saved[index] = add_region_of(d, d->stage[index], d->saved_size[index], now,
                                        d->needed[index] ? nm_time_backward(d, index) : now);
}

static void plan_values(nm_draft *d)
{
    const nm_network *net = d->net;
    for (int i = net->inputs; i < net->nodes; i++) {
        if (d->head[i] != i)
            continue;
        int tail = d->tail[i];
        plan_saved(d, i);
        if (d->plan->step[i].leaves_normalisation)
            continue; /* the reader reads what is saved */
        if (can_take_over(d, i)) {
            d->value[tail] = d->value[net->node[i].from[0]];
            live_until(d, d->value[tail], last_read(d, tail, NM_NONE));
        } else if (value_is_whole(d, tail)) {
            d->value[tail] = add_whole(d, output_bytes(d, tail, true), nm_time_forward_window(d, d->stage[i]) + i,
                                       last_use(d, tail));
        } else {
            d->value[tail] = add_region_of(d, d->stage[i], output_bytes(d, tail, false), nm_time_forward(d, i),
                                           last_read(d, tail, NM_NONE));
        }
    }
    if (d->plan->staged)
        plan_second_runs(d);
}

/* ---- backward regions ---------------------------------------------------------------- */

typedef struct part {
    int region, moment;
} part;

static void add_part(part *parts, int *count, part next)
{
    int at = (*count)++;
    for (; at > 0 && parts[at - 1].moment > next.moment; at--)
        parts[at] = parts[at - 1];
    parts[at] = next;
}

/* The gradients that reach the output of `node`, in the order in which they are written. */
static int find_parts(const nm_draft *d, int node, part *parts)
{
    const nm_network *net = d->net;
    int count = 0;
    for (int i = 0; i < nm_objective_count(net); i++)
        if (nm_objective_node(net, i) == node)
            add_part(parts, &count, (part){d->objective[i], nm_time_loss(d, i)});
    for (int user = net->nodes - 1; user > node; user--)
        for (int k = 0; d->needed[user] && k < net->node[user].inputs; k++)
            if (net->node[user].from[k] == node && nm_reader(d, user, k) != NM_NONE)
                add_part(parts, &count, (part){d->edge[d->first_edge[user] + k], nm_time_backward(d, d->head[user])});
    return count;
}

/* The region of a gradient by the output of `from` that somebody of stage `stage` writes at `now`.
 * It is whole where another stage reads it, or one that goes backward for the whole batch. */
static int add_gradient(nm_draft *d, int from, int stage, int now, bool by_gathering)
{
    bool whole = d->plan->staged &&
                 (stage != d->stage[from] || by_gathering || nm_gathers(d, d->head[from]) || from < d->net->inputs);
    return whole ? add_whole(d, output_bytes(d, from, true), now, now)
                 : add_region(d, output_bytes(d, from, false), now, now);
}

/* The regions that backward of `index` writes: dy's own where it may, else new ones. */
static void plan_edges(nm_draft *d, int index)
{
    const nm_node *node = &d->net->node[index];
    for (int k = 0; k < node->inputs; k++) {
        int from = node->from[k], *edge = &d->edge[d->first_edge[index] + k];
        if (!d->needed[from])
            continue;
        int dy = d->gradient[d->tail[index]], before = d->regions;
        *edge = add_gradient(d, from, d->stage[index], nm_time_backward(d, index), nm_gathers(d, index));
        if (k == 0 && (d->memory[index] & NM_INPLACE) && !d->plan->request.keep_all &&
            d->region[dy].whole == d->region[*edge].whole && d->region[dy].size == d->region[*edge].size) {
            d->regions = before;
            *edge = dy;
        }
    }
}

/* The same for what the layers that `index` does the work of read beside its own output. */
static void plan_other_edges(nm_draft *d, int index)
{
    for (int next = index + 1; next <= d->tail[index]; next++) {
        const nm_node *node = &d->net->node[next];
        for (int k = 0; d->head[next] == index && k < node->inputs; k++)
            if (nm_reader(d, next, k) != NM_NONE && d->needed[node->from[k]])
                d->edge[d->first_edge[next] + k] =
                    add_gradient(d, node->from[k], d->stage[index], nm_time_backward(d, index), nm_gathers(d, index));
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
    for (int k = 0; k < count; k++)
        live_until(d, parts[k].region, k == 0 ? done_backward(d, d->head[node]) : nm_time_sum(d, node));
    if (keep)
        live_until(d, parts[0].region, nm_time_end(d));
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
    for (int i = 0; i < nm_objective_count(net); i++) {
        int from = nm_objective_node(net, i);
        if (d->needed[from])
            d->objective[i] = add_gradient(d, from, d->plan->objective_stage[i], nm_time_loss(d, i), false);
    }
    nm_status status = NM_OK;
    for (int i = net->nodes - 1; i >= 0 && status == NM_OK; i--) {
        if (d->needed[i] && d->tail[d->head[i]] == i)
            status = plan_gradient(d, i, parts);
        if (d->needed[i] && d->head[i] == i && i >= net->inputs) {
            plan_edges(d, i);
            plan_other_edges(d, i);
        }
    }
    nm_free(parts);
    return status;
}

nm_status nm_draft_regions(nm_draft *d)
{
    plan_values(d);
    return plan_gradients(d);
}
