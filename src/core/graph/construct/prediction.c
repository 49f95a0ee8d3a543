/* What a network predicts: whether its outputs are scores or probabilities, and which loss judges
 * them. */
#include "parse.h"

#include "alloc.h"

const char *nm_activation_name(nm_activation activation)
{
    static const char *const names[] = {[NM_LINEAR] = "none", [NM_SOFTMAX] = "softmax", [NM_SIGMOID] = "sigmoid"};
    return names[activation];
}

static void find_activations(nm_network *net)
{
    for (int i = net->inputs; i < net->nodes; i++) {
        nm_node *node = &net->node[i];
        node->activation = node->type->activation;
        if (node->activation == NM_LINEAR && node->type->keeps_probabilities)
            node->activation = net->node[node->from[0]].activation;
    }
}

/* The layer that made the probabilities which `node` gives. */
static int maker_of(const nm_network *net, int node)
{
    while (net->node[node].type->activation == NM_LINEAR)
        node = net->node[node].from[0];
    return node;
}

/* A loss that applies softmax or sigmoid itself takes scores. After a softmax it would learn,
 * badly, and what it reports would be no cross-entropy of the probabilities. */
static nm_status check_scores(nm_network *net, const nm_objective *o)
{
    nm_activation given = net->node[o->from].activation, own = o->type->activation;
    if (own == NM_LINEAR || given == NM_LINEAR || (given == NM_SIGMOID && own == NM_SOFTMAX))
        return NM_OK;
    const nm_node *maker = &net->node[maker_of(net, o->from)], *scores = &net->node[maker->from[0]];
    const char *name = net->node[o->from].name;
    if (scores->activated) /* its own name means what its activation gives */
        return nm_fail(net->ctx, NM_INVALID,
                       "%s: takes scores and applies %s itself, but its prediction '%s' is already probabilities: "
                       "remove `activation: %s` from %s",
                       o->who, nm_activation_name(own), name, maker->type->name, scores->label);
    return nm_fail(net->ctx, NM_INVALID,
                   "%s: takes scores and applies %s itself, but its prediction '%s' is already probabilities, by %s: "
                   "remove that layer, or keep it as `output: %s` and give the loss `from: %s`",
                   o->who, nm_activation_name(own), name, maker->label, name, scores->name);
}

/* ---- who judges the prediction ------------------------------------------------------------- */

/* Whether `node` is what layers without parameters make of `from` alone; `reached` holds all
 * nodes. */
static bool follows(const nm_network *net, int node, int from, bool *reached)
{
    for (int i = 0; i <= node; i++) {
        bool all = i > from && net->node[i].params == 0 && net->node[i].inputs > 0;
        for (int k = 0; all && k < net->node[i].inputs; k++)
            all = reached[net->node[i].from[k]];
        reached[i] = i == from || all;
    }
    return reached[node];
}

static bool judges(const nm_network *net, const nm_objective *o, bool *reached)
{
    return o->target < 0 && nm_shape_same(net->node[o->from].out, net->node[net->output].out) &&
           (follows(net, net->output, o->from, reached) || follows(net, o->from, net->output, reached));
}

nm_status nm_find_prediction(nm_network *net)
{
    nm_status status = NM_OK;
    find_activations(net);
    for (int i = 0; i < net->objectives; i++)
        if (check_scores(net, &net->objective[i]) != NM_OK)
            status = nm_failed_status(net->ctx);
    NM_TRY(status);
    bool *reached = nm_alloc(net->ctx, (size_t)net->nodes, sizeof *reached);
    if (!reached)
        return NM_FAILED;
    net->judge = -1;
    for (int i = net->objectives - 1; i >= 0; i--)
        if (judges(net, &net->objective[i], reached) &&
            (net->judge < 0 || net->objective[net->judge].from != net->output || net->objective[i].from == net->output))
            net->judge = i;
    const nm_objective *judge = net->judge >= 0 ? &net->objective[net->judge] : NULL;
    net->apply = judge && judge->from == net->output ? judge->type->activation : NM_LINEAR;
    nm_free(reached);
    return NM_OK;
}
