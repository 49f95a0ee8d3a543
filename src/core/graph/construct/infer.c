/* Shapes and parameters, node after node; then the slabs. */
#include "parse.h"

#include "alloc.h"

#include <string.h>

/* Parameters start on cache lines of the slab. */
enum { SLAB_ALIGNMENT = 16 };

static nm_status reserve_param(nm_network *net)
{
    if (net->params < net->param_capacity)
        return NM_OK;
    int capacity = net->param_capacity ? 2 * net->param_capacity : 64;
    nm_param *more = nm_alloc(net->ctx, (size_t)capacity, sizeof *more);
    if (!more)
        return NM_FAILED;
    if (net->params)
        memcpy(more, net->param, (size_t)net->params * sizeof *more);
    nm_free(net->param);
    net->param = more;
    net->param_capacity = capacity;
    return NM_OK;
}

static bool same_kind(const nm_param *a, const nm_param *b)
{
    return strcmp(a->field, b->field) == 0 && a->rank == b->rank && a->kind == b->kind &&
           memcmp(a->dims, b->dims, sizeof a->dims) == 0;
}

/* A layer that shares parameters declares them like any other; they must be those of its partner.
 */
static nm_status declare_shared(nm_infer *e, nm_node *node, const nm_param *param)
{
    const nm_node *partner = &e->network->node[node->share];
    int index = partner->first_param + node->params;
    bool fits = node->params < partner->params && same_kind(&e->network->param[index], param);
    if (!fits)
        return nm_fail(e->ctx, NM_INVALID, "%s: shares the parameters of '%s', but its %s has another shape", e->who,
                       partner->name, param->field);
    node->params++;
    return NM_OK;
}

nm_status nm_declare(nm_infer *e, const char *name, nm_param_kind kind, const char *layout, const int *dims,
                     nm_init init)
{
    nm_network *net = e->network;
    nm_node *node = &net->node[e->node];
    nm_param param = {.field = name, .node = e->node, .kind = kind, .rank = (int)strlen(layout)};
    param.init = nm_init_resolve(net, e->node, init);
    memcpy(param.layout, layout, (size_t)param.rank);
    param.count = 1;
    for (int i = 0; i < param.rank; i++) {
        param.dims[i] = dims[i];
        if (__builtin_mul_overflow(param.count, (size_t)dims[i], &param.count) || param.count > (size_t)1 << 40)
            return nm_fail(e->ctx, NM_INVALID, "%s: its %s has more than 2^40 values", e->who, name);
    }
    if (node->share >= 0)
        return declare_shared(e, node, &param);
    NM_TRY(reserve_param(net));
    param.name = nm_format(e->ctx, "%s/%s", node->name, name);
    if (!param.name)
        return NM_FAILED;
    param.field = strrchr(param.name, '/') + 1;
    size_t *used = kind == NM_STATE ? &net->state_count : &net->weight_count;
    param.offset = *used;
    *used += (param.count + SLAB_ALIGNMENT - 1) / SLAB_ALIGNMENT * SLAB_ALIGNMENT;
    net->param[net->params++] = param;
    node->params++;
    return NM_OK;
}

nm_status nm_declare_bias(nm_infer *e, int count, nm_init weights)
{
    nm_init init = nm_init_resolve(e->network, e->node, weights);
    if (init.kind != NM_INIT_TORCH)
        init = (nm_init){.kind = NM_INIT_CONSTANT};
    return nm_declare(e, "bias", NM_BIAS, "O", &count, init);
}

static nm_status infer_node(nm_network *net, int index)
{
    nm_node *node = &net->node[index];
    for (int k = 0; k < node->inputs; k++)
        node->in[k] = net->node[node->from[k]].out;
    node->first_param = node->share >= 0 ? net->node[node->share].first_param : net->params;
    node->out = node->in[0];
    const void *pair = node->pair >= 0 ? net->node[node->pair].self : NULL;
    nm_infer e = {net->ctx, node->who, node->inputs, node->in, node->in[0], node->memory, net, index, pair};
    if (node->type->infer) {
        NM_TRY(node->type->infer(&e, node->self));
        node->out = e.out;
        node->memory = e.memory;
    }
    if (node->out.h < 1 || node->out.w < 1 || node->out.c < 1)
        return nm_fail(net->ctx, NM_INVALID, "%s: its output would be " NM_SHAPE_FMT "; its input is " NM_SHAPE_FMT,
                       node->who, NM_SHAPE_ARGS(node->out), NM_SHAPE_ARGS(node->in[0]));
    return NM_OK;
}

/* Nodes below one that failed are not looked at: their shapes are unknown, not wrong. */
static nm_status infer_nodes(nm_network *net)
{
    nm_status status = NM_OK;
    for (int i = net->inputs; i < net->nodes; i++) {
        bool known = true;
        for (int k = 0; k < net->node[i].inputs; k++)
            known = known && net->node[net->node[i].from[k]].out.c > 0;
        if (known && infer_node(net, i) != NM_OK) {
            status = nm_failed_status(net->ctx);
            known = false;
        }
        if (!known)
            net->node[i].out = (nm_shape){0, 0, 0};
    }
    return status;
}

static nm_status check_target(nm_network *net, const nm_objective *o)
{
    nm_shape x = net->node[o->from].out, t = net->node[o->target].out;
    if (!nm_shape_same(x, t))
        return nm_fail(net->ctx, NM_INVALID,
                       "%s: its prediction '%s' is " NM_SHAPE_FMT ", its target '%s' is " NM_SHAPE_FMT, o->who,
                       net->node[o->from].name, NM_SHAPE_ARGS(x), net->node[o->target].name, NM_SHAPE_ARGS(t));
    if (o->type->classifies)
        return nm_fail(net->ctx, NM_INVALID, "%s: it takes class labels; 'target' is for losses of values, as mse",
                       o->who);
    return NM_OK;
}

nm_status nm_infer_shapes(nm_network *net)
{
    nm_find_rectified(net);
    NM_TRY(infer_nodes(net));
    for (int i = 0; i < net->objectives; i++) {
        nm_objective *o = &net->objective[i];
        if (o->target >= 0)
            NM_TRY(check_target(net, o));
        if (o->type->infer)
            NM_TRY(o->type->infer(net->ctx, o->who, net->node[o->from].out, o->self));
    }
    net->weights = nm_alloc(net->ctx, net->weight_count + 1, sizeof(real));
    net->states = nm_alloc(net->ctx, net->state_count + 1, sizeof(real));
    return net->weights && net->states ? NM_OK : NM_FAILED;
}

int nm_network_find_param(const nm_network *net, const char *name)
{
    for (int i = 0; i < net->params; i++)
        if (strcmp(net->param[i].name, name) == 0)
            return i;
    return -1;
}

size_t nm_node_weights(const nm_network *net, int index)
{
    const nm_node *node = &net->node[index];
    size_t sum = 0;
    for (int i = 0; i < node->params && node->share < 0; i++)
        if (net->param[node->first_param + i].kind != NM_STATE)
            sum += net->param[node->first_param + i].count;
    return sum;
}

double nm_node_cost(const nm_node *node)
{
    return node->type && node->type->cost ? node->type->cost(node->self, node->in, node->out) : 0;
}
