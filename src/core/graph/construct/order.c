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

/* order[new] = old: the file's order, but every node after its inputs; inputs of the network first.
 */
static nm_status sort_nodes(nm_network *net, const bool *gone, bool *placed, int *order, int *count)
{
    *count = 0;
    for (;;) {
        int next = -1, waiting = -1;
        for (int i = 0; i < net->nodes && next < 0; i++) {
            if (placed[i] || gone[i])
                continue;
            bool ready = (net->node[i].share < 0 || placed[net->node[i].share]) &&
                         (net->node[i].pair < 0 || placed[net->node[i].pair]);
            for (int k = 0; k < net->node[i].inputs; k++)
                ready = ready && placed[net->node[i].from[k]];
            if (ready)
                next = i;
            else if (waiting < 0)
                waiting = i;
        }
        if (next < 0)
            return waiting < 0 ? NM_OK : report_cycle(net, placed, waiting);
        placed[next] = true;
        order[(*count)++] = next;
    }
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
