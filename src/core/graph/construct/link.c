/* Names to edges: who reads whom, what is left out, in which order. */
#include "parse.h"

#include "alloc.h"
#include "lookup.h"

#include <stdio.h>
#include <string.h>

int nm_network_find(const nm_network *net, const char *name)
{
    if (net->names.tree) {
        const int *node = nm_lookup_find(&net->names, name);
        return node ? *node : -1;
    }
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
    node->from = nm_alloc(net->ctx, (size_t)node->inputs + 2, sizeof *node->from);
    node->in = nm_alloc(net->ctx, (size_t)node->inputs + 2, sizeof *node->in);
    if (!node->from || !node->in)
        return NM_FAILED;
    if (!from)
        node->from[0] = index == net->inputs ? 0 : index - 1;
    nm_status status = NM_OK;
    for (int k = 0; from && k < node->inputs; k++)
        if (resolve(net, list ? from->items[k] : from, node->label, &node->from[k]) != NM_OK)
            status = nm_failed_status(net->ctx);
        else if (net->node[node->from[k]].activated)
            node->from[k]++; /* the layer's output is that of its activation */
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

/* A layer that undoes another one (unpool) names it in its option `pool`, and reads that one's
 * input as its last. */
static nm_status link_pair(nm_network *net, int index)
{
    nm_node *node = &net->node[index];
    if (!node->type->undoes)
        return NM_OK;
    const char *name = *(char *const *)((char *)node->self + node->type->partner_offset);
    node->pair = nm_network_find(net, name);
    if (node->pair < 0)
        return nm_yaml_fail(net->ctx, node->at, "%s: expected the name of a %s; there is no layer '%s'", node->label,
                            node->type->undoes, name);
    const nm_layer_type *found = net->node[node->pair].type;
    if (!found || strcmp(found->name, node->type->undoes) != 0)
        return nm_yaml_fail(net->ctx, node->at, "%s: expected the name of a %s; found the %s '%s'", node->label,
                            node->type->undoes, found ? found->name : "input", name);
    node->from[node->inputs++] = net->node[node->pair].from[0];
    return NM_OK;
}

static nm_status link_objectives(nm_network *net)
{
    net->output = net->nodes - 1;
    const nm_yaml *output = nm_yaml_get(net->document, "output");
    if (output)
        NM_TRY(resolve(net, output, "output", &net->output));
    if (output && net->node[net->output].activated)
        net->output++;
    nm_status status = NM_OK;
    for (int i = 0; i < net->objectives; i++) {
        nm_objective *o = &net->objective[i];
        const nm_yaml *from = o->at->kind == NM_YAML_MAP ? nm_yaml_get(o->at, "from") : NULL;
        o->from = net->output;
        if (from && resolve(net, from, o->type->name, &o->from) != NM_OK)
            status = nm_failed_status(net->ctx);
        else if (from && net->node[o->from].activated)
            o->from++;
        const nm_yaml *target = o->at->kind == NM_YAML_MAP ? nm_yaml_get(o->at, "target") : NULL;
        if (target && resolve(net, target, o->type->name, &o->target) != NM_OK)
            status = nm_failed_status(net->ctx);
        else if (target && net->node[o->target].activated)
            o->target++;
    }
    if (net->objectives && !output)
        net->output = net->objective[0].from;
    return status;
}

/* ---- leaving layers out -------------------------------------------------------------- */

static bool left_out(const nm_network *net, const nm_node *node, const nm_strings *without)
{
    for (int i = 0; without && i < without->count; i++)
        if (node->type && node->type == nm_type_find(net->ctx, NM_LAYER, without->values[i]))
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
        if (!nm_type_find(net->ctx, NM_LAYER, without->values[i]))
            return nm_fail(net->ctx, NM_INVALID, "%s: without: unknown layer type '%s' (norma layers lists all)",
                           net->document->file, without->values[i]);
    for (int i = 0; i < net->nodes; i++) {
        gone[i] = left_out(net, &net->node[i], without);
        if (gone[i] && net->node[i].inputs != 1)
            return nm_yaml_fail(net->ctx, net->node[i].at, "%s: a layer of %d inputs cannot be left out",
                                net->node[i].label, net->node[i].inputs);
        if (gone[i])
            give_bias(&net->node[net->node[i].from[0]]);
    }
    for (int k = 0; k < net->nodes; k++) {
        const nm_node *undone = net->node[k].pair >= 0 ? &net->node[net->node[k].pair] : NULL;
        if (undone && gone[net->node[k].pair])
            return nm_yaml_fail(net->ctx, undone->at, "%s: cannot be left out: %s undoes it", undone->label,
                                net->node[k].label);
    }
    return NM_OK;
}

/* The first node above that stays. Chains that were walked are shortened, so that each is walked
 * once. */
static int beyond(nm_network *net, const bool *gone, int node)
{
    int end = node;
    for (int hops = 0; gone[end] && hops < net->nodes; hops++)
        end = net->node[end].from[0];
    for (int next; gone[node] && node != end; node = next) {
        next = net->node[node].from[0];
        net->node[node].from[0] = end;
    }
    return end;
}

static void bypass(nm_network *net, const bool *gone)
{
    for (int i = 0; i < net->nodes; i++)
        for (int k = 0; k < net->node[i].inputs; k++)
            net->node[i].from[k] = beyond(net, gone, net->node[i].from[k]);
    for (int i = 0; i < net->objectives; i++) {
        nm_objective *o = &net->objective[i];
        o->from = beyond(net, gone, o->from);
        o->target = o->target < 0 ? -1 : beyond(net, gone, o->target);
    }
    net->output = beyond(net, gone, net->output);
}

void nm_node_clear(nm_node *node)
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

nm_status nm_link(nm_network *net, const nm_strings *without)
{
    nm_status status = NM_OK;
    for (int i = 0; i < net->nodes; i++)
        NM_TRY(nm_lookup_add(net->ctx, &net->names, net->node[i].name, i));
    for (int i = net->inputs; i < net->nodes && !(status != NM_OK && nm_errors_full(net->ctx)); i++)
        if (link_inputs(net, i) != NM_OK)
            status = nm_failed_status(net->ctx);
    for (int i = net->inputs; i < net->nodes && status == NM_OK; i++)
        status = link_pair(net, i);
    if (link_objectives(net) != NM_OK || status != NM_OK)
        return nm_failed_status(net->ctx);
    bool *gone = nm_alloc(net->ctx, (size_t)net->nodes + 1, sizeof *gone);
    if (!gone)
        return NM_FAILED;
    status = leave_out(net, without, gone);
    if (status == NM_OK) {
        bypass(net, gone);
        nm_lookup_free(&net->names); /* the nodes change their places */
        status = nm_order(net, gone);
    }
    nm_free(gone);
    return status;
}
