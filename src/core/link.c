/* Names to edges: who reads whom, what is left out, in which order. */
#include "parse.h"

#include "alloc.h"

#include <stdio.h>
#include <string.h>

int nm_network_find(const nm_network *net, const char *name)
{
    for (int i = 0; i < net->nodes; i++)
        if (strcmp(net->node[i].name, name) == 0)
            return i;
    return -1;
}

/* The node that the scalar `word` names. */
static nm_status resolve(nm_network *net, const nm_yaml *word, const char *who, int *node)
{
    if (word->kind != NM_YAML_SCALAR)
        return nm_yaml_fail(net->ctx, word, "%s: expected a layer's name", who);
    *node = nm_network_find(net, word->text);
    if (*node >= 0)
        return NM_OK;
    const char **names = nm_alloc(net->ctx, (size_t)net->nodes, sizeof *names);
    if (!names)
        return NM_FAILED;
    for (int i = 0; i < net->nodes; i++)
        names[i] = net->node[i].name;
    char hint[NM_HINT];
    nm_did_you_mean(hint, word->text, names, net->nodes);
    nm_free(names);
    return nm_yaml_fail(net->ctx, word, "%s: there is no layer '%s'%s", who, word->text, hint);
}

static nm_status link_inputs(nm_network *net, int index)
{
    nm_node *node = &net->node[index];
    const nm_yaml *from = nm_yaml_get(node->at, "from");
    bool list = from && from->kind == NM_YAML_LIST;
    node->inputs = list ? from->count : 1;
    node->from = nm_alloc(net->ctx, (size_t)node->inputs + 1, sizeof *node->from);
    node->in = nm_alloc(net->ctx, (size_t)node->inputs + 1, sizeof *node->in);
    if (!node->from || !node->in)
        return NM_FAILED;
    if (!from)
        node->from[0] = index == net->inputs ? 0 : index - 1;
    nm_status status = NM_OK;
    for (int k = 0; from && k < node->inputs; k++)
        if (resolve(net, list ? from->items[k] : from, node->label, &node->from[k]) != NM_OK)
            status = NM_INVALID;
    int least = node->type->least_inputs, most = node->type->most_inputs;
    if (node->inputs < least || (most > 0 && node->inputs > most)) {
        char expected[64];
        if (least == most)
            snprintf(expected, sizeof expected, "%d", least);
        else if (most == 0)
            snprintf(expected, sizeof expected, "at least %d", least);
        else
            snprintf(expected, sizeof expected, "%d to %d", least, most);
        status = nm_yaml_fail(net->ctx, node->at, "%s: takes %s input%s (by 'from'); found %d", node->label, expected,
                              least == 1 && most == 1 ? "" : "s", node->inputs);
    }
    const nm_yaml *share = nm_yaml_get(node->at, "share");
    if (share && status == NM_OK) {
        NM_TRY(resolve(net, share, node->label, &node->share));
        if (net->node[node->share].type != node->type || node->share == index)
            return nm_yaml_fail(net->ctx, share, "%s: can share the parameters of another %s only; '%s' is none",
                                node->label, node->type->name, share->text);
    }
    return status;
}

static nm_status link_objectives(nm_network *net)
{
    net->output = net->nodes - 1;
    const nm_yaml *output = nm_yaml_get(net->document, "output");
    if (output)
        NM_TRY(resolve(net, output, "output", &net->output));
    nm_status status = NM_OK;
    for (int i = 0; i < net->objectives; i++) {
        nm_objective *o = &net->objective[i];
        const nm_yaml *from = o->at->kind == NM_YAML_MAP ? nm_yaml_get(o->at, "from") : NULL;
        o->from = net->output;
        if (from && resolve(net, from, o->type->name, &o->from) != NM_OK)
            status = NM_INVALID;
    }
    if (net->objectives && !output)
        net->output = net->objective[0].from;
    return status;
}

/* ---- leaving layers out -------------------------------------------------------------- */

static bool left_out(const nm_node *node, const nm_strings *without)
{
    for (int i = 0; without && i < without->count; i++)
        if (node->type && strcmp(node->type->name, without->values[i]) == 0)
            return true;
    return false;
}

/* The layer that a left-out layer followed gets the bias that the left-out shift stood for. */
static void give_bias(nm_node *node)
{
    const nm_option *bias = node->type ? nm_option_find(node->type->options, "bias") : NULL;
    if (bias && bias->type == NM_OPT_BOOL)
        *(bool *)((char *)node->self + bias->offset) = true;
}

static nm_status leave_out(nm_network *net, const nm_strings *without, bool *gone)
{
    for (int i = 0; without && i < without->count; i++)
        if (!nm_layer_find(without->values[i]))
            return nm_fail(net->ctx, NM_INVALID, "%s: without: unknown layer type '%s' (norma layers lists all)",
                           net->document->file, without->values[i]);
    for (int i = 0; i < net->nodes; i++) {
        gone[i] = left_out(&net->node[i], without);
        if (gone[i] && net->node[i].inputs != 1)
            return nm_yaml_fail(net->ctx, net->node[i].at, "%s: a layer of %d inputs cannot be left out",
                                net->node[i].label, net->node[i].inputs);
        if (gone[i])
            give_bias(&net->node[net->node[i].from[0]]);
    }
    return NM_OK;
}

static int beyond(const nm_network *net, const bool *gone, int node)
{
    for (int hops = 0; gone[node] && hops < net->nodes; hops++)
        node = net->node[node].from[0];
    return node;
}

static void bypass(nm_network *net, const bool *gone)
{
    for (int i = 0; i < net->nodes; i++)
        for (int k = 0; k < net->node[i].inputs; k++)
            net->node[i].from[k] = beyond(net, gone, net->node[i].from[k]);
    for (int i = 0; i < net->objectives; i++)
        net->objective[i].from = beyond(net, gone, net->objective[i].from);
    net->output = beyond(net, gone, net->output);
}

/* ---- order --------------------------------------------------------------------------- */

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

/* order[new] = old: the file's order, but every node after its inputs; inputs of the network first. */
static nm_status sort_nodes(nm_network *net, const bool *gone, bool *placed, int *order, int *count)
{
    *count = 0;
    for (;;) {
        int next = -1, waiting = -1;
        for (int i = 0; i < net->nodes && next < 0; i++) {
            if (placed[i] || gone[i])
                continue;
            bool ready = net->node[i].share < 0 || placed[net->node[i].share];
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

static void node_clear(nm_node *node)
{
    if (node->type) {
        if (node->type->release)
            node->type->release(node->self);
        nm_options_free(node->type->options, node->self);
    }
    nm_free(node->self);
    nm_free(node->from);
    nm_free(node->in);
    nm_free(node->name);
    nm_free(node->who);
    *node = (nm_node){0};
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
    }
    for (int i = 0; i < net->objectives; i++)
        net->objective[i].from = place[net->objective[i].from];
    net->output = place[net->output];
    for (int i = 0; i < net->nodes; i++)
        if (gone[i])
            node_clear(&net->node[i]);
    nm_free(net->node);
    nm_free(place);
    net->node = sorted;
    net->nodes = count;
    for (int i = 0; i < count; i++)
        for (int k = 0; k < sorted[i].inputs; k++)
            sorted[sorted[i].from[k]].users++;
    for (int i = 0; i < net->objectives; i++)
        sorted[net->objective[i].from].users++;
    return NM_OK;
}

nm_status nm_link(nm_network *net, const nm_strings *without)
{
    nm_status status = NM_OK;
    for (int i = net->inputs; i < net->nodes; i++)
        if (link_inputs(net, i) != NM_OK)
            status = NM_INVALID;
    if (link_objectives(net) != NM_OK || status != NM_OK)
        return NM_INVALID;
    size_t room = (size_t)net->nodes + 1;
    bool *gone = nm_alloc(net->ctx, room, 2 * sizeof *gone + sizeof(int));
    if (!gone)
        return NM_FAILED;
    int *order = (int *)(void *)gone;
    gone = (bool *)(order + room);
    bool *placed = gone + room;
    int count = 0;
    status = leave_out(net, without, gone);
    if (status == NM_OK) {
        bypass(net, gone);
        status = sort_nodes(net, gone, placed, order, &count);
    }
    if (status == NM_OK)
        status = reorder(net, gone, order, count);
    nm_free(order);
    return status;
}

void nm_network_free(nm_network *net)
{
    if (!net)
        return;
    for (int i = 0; i < net->nodes; i++)
        node_clear(&net->node[i]);
    for (int i = 0; i < net->objectives; i++) {
        nm_options_free(net->objective[i].type->options, net->objective[i].self);
        nm_free(net->objective[i].self);
        nm_free(net->objective[i].who);
    }
    for (int i = 0; i < net->params; i++)
        nm_free(net->param[i].name);
    nm_free(net->param);
    nm_free(net->node);
    nm_free(net->objective);
    nm_free(net->weights);
    nm_free(net->states);
    nm_free(net->name);
    nm_yaml_free(net->document);
    nm_free(net);
}

nm_status nm_network_build(nm_context *ctx, nm_yaml *document, const nm_strings *without, nm_network **out)
{
    *out = NULL;
    nm_network *net = nm_alloc(ctx, 1, sizeof *net);
    if (!net) {
        nm_yaml_free(document);
        return NM_FAILED;
    }
    net->ctx = ctx;
    net->document = document;
    nm_status status = nm_parse(net);
    if (status == NM_OK)
        status = nm_link(net, without);
    if (status == NM_OK)
        status = nm_infer_shapes(net);
    if (status != NM_OK) {
        nm_network_free(net);
        return status;
    }
    *out = net;
    return NM_OK;
}
