/* The order of the nodes: each after those it reads. */
#include "parse.h"

#include "alloc.h"

#include <stdio.h>

static nm_status report_cycle(nm_network *net, const bool *placed, int start)
{
    int node = start; /* every unplaced node has an unplaced input: walking up ends in the cycle */
    for (int hops = 0; hops < net->nodes; hops++)
        for (int k = 0; k < net->node[node].inputs; k++)
            if (!placed[net->node[node].from[k]]) {
                node = net->node[node].from[k];
                break;
            }
    char text[512];
    size_t used = 0;
    int first = node;
    do {
        used += (size_t)snprintf(text + used, sizeof text - used, "%s <- ", net->node[node].name);
        for (int k = 0; k < net->node[node].inputs; k++)
            if (!placed[net->node[node].from[k]]) {
                node = net->node[node].from[k];
                break;
            }
    } while (node != first && used < sizeof text - 256);
    return nm_yaml_fail(net->ctx, net->node[first].at, "%s: a cycle: its input depends on its own output: %s%s",
                        net->node[first].label, text, net->node[node].name);
}

/* ---- sorting --------------------------------------------------------------------------- */

typedef struct sorter {
    int *waits;           /* of each node: how many it must follow that have no place yet */
    int *first, *follows; /* follows[first[i]] to follows[first[i + 1] - 1] must follow node i */
    int *heap, ready;     /* nodes that wait for none, the first one of the file on top */
} sorter;

/* The k-th node that `node` must follow; -1: none. */
static int leader(const nm_node *node, int k)
{
    return k < node->inputs ? node->from[k] : k == node->inputs ? node->share : node->pair;
}

static void push(sorter *s, int node)
{
    int at = s->ready++;
    for (; at > 0 && s->heap[(at - 1) / 2] > node; at = (at - 1) / 2)
        s->heap[at] = s->heap[(at - 1) / 2];
    s->heap[at] = node;
}

static int pop(sorter *s)
{
    int top = s->heap[0], last = s->heap[--s->ready], at = 0;
    for (int below = 1; below < s->ready; below = 2 * at + 1) {
        below += below + 1 < s->ready && s->heap[below + 1] < s->heap[below];
        if (s->heap[below] >= last)
            break;
        s->heap[at] = s->heap[below];
        at = below;
    }
    s->heap[at] = last;
    return top;
}

static nm_status make_sorter(const nm_network *net, const bool *gone, sorter *s)
{
    size_t nodes = (size_t)net->nodes + 2, edges = 0;
    for (int i = 0; i < net->nodes; i++)
        edges += (size_t)net->node[i].inputs + 2;
    int *memory = nm_alloc(net->ctx, 3 * nodes + edges, sizeof *memory);
    if (!memory)
        return NM_FAILED;
    *s = (sorter){.waits = memory, .heap = memory + nodes, .first = memory + 2 * nodes, .follows = memory + 3 * nodes};
    for (int i = 0; i < net->nodes; i++)
        for (int k = 0; k < net->node[i].inputs + 2; k++)
            if (leader(&net->node[i], k) >= 0) {
                s->waits[i]++;
                s->first[leader(&net->node[i], k) + 2]++;
            }
    for (int i = 2; i <= net->nodes; i++)
        s->first[i] += s->first[i - 1];
    for (int i = 0; i < net->nodes; i++)
        for (int k = 0; k < net->node[i].inputs + 2; k++)
            if (leader(&net->node[i], k) >= 0)
                s->follows[s->first[leader(&net->node[i], k) + 1]++] = i;
    for (int i = 0; i < net->nodes; i++)
        if (s->waits[i] == 0 && !gone[i])
            push(s, i);
    return NM_OK;
}

/* order[new] = old: the file's order, but every node after its inputs; inputs of the network first.
 */
static nm_status sort_nodes(nm_network *net, const bool *gone, bool *placed, int *order, int *count)
{
    sorter s;
    NM_TRY(make_sorter(net, gone, &s));
    *count = 0;
    while (s.ready) {
        int next = pop(&s);
        placed[next] = true;
        order[(*count)++] = next;
        for (int k = s.first[next]; k < s.first[next + 1]; k++)
            if (--s.waits[s.follows[k]] == 0 && !gone[s.follows[k]])
                push(&s, s.follows[k]);
    }
    nm_free(s.waits);
    for (int i = 0; i < net->nodes; i++)
        if (!placed[i] && !gone[i])
            return report_cycle(net, placed, i);
    return NM_OK;
}

static void count_users(nm_network *net)
{
    for (int i = 0; i < net->nodes; i++)
        for (int k = 0; k < net->node[i].inputs; k++)
            net->node[net->node[i].from[k]].users++;
    for (int i = 0; i < net->objectives; i++) {
        net->node[net->objective[i].from].users++;
        if (net->objective[i].target >= 0)
            net->node[net->objective[i].target].users++;
    }
}

static nm_status reorder(nm_network *net, const bool *gone, const int *order, int count)
{
    nm_node *sorted = nm_alloc(net->ctx, (size_t)count + 1, sizeof *sorted);
    int *place = nm_alloc(net->ctx, (size_t)net->nodes + 1, sizeof *place);
    if (!sorted || !place) {
        nm_free(sorted);
        nm_free(place);
        return NM_FAILED;
    }
    for (int i = 0; i < count; i++) {
        sorted[i] = net->node[order[i]];
        place[order[i]] = i;
    }
    for (int i = 0; i < count; i++) {
        for (int k = 0; k < sorted[i].inputs; k++)
            sorted[i].from[k] = place[sorted[i].from[k]];
        if (sorted[i].share >= 0)
            sorted[i].share = place[sorted[i].share];
        if (sorted[i].pair >= 0)
            sorted[i].pair = place[sorted[i].pair];
    }
    for (int i = 0; i < net->objectives; i++) {
        nm_objective *o = &net->objective[i];
        o->from = place[o->from];
        o->target = o->target < 0 ? -1 : place[o->target];
    }
    net->output = place[net->output];
    for (int i = 0; i < net->nodes; i++)
        if (gone[i])
            nm_node_clear(&net->node[i]);
    nm_free(net->node);
    nm_free(place);
    net->node = sorted;
    net->nodes = count;
    count_users(net);
    return NM_OK;
}

nm_status nm_order(nm_network *net, const bool *gone)
{
    size_t capacity = (size_t)net->nodes + 1;
    int *order = nm_alloc(net->ctx, capacity, sizeof *order + sizeof(bool));
    if (!order)
        return NM_FAILED;
    bool *placed = (bool *)(order + capacity);
    int count = 0;
    nm_status status = sort_nodes(net, gone, placed, order, &count);
    if (status == NM_OK)
        status = reorder(net, gone, order, count);
    nm_free(order);
    return status;
}
