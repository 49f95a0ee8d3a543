/* Networks of training.h. */
#include "api_types.h"

#include "alloc.h"
#include "gemm.h"
#include "network.h"

#include <string.h>

/* ---- opening ---- */

static nm_status give(nm_status status, nm_network *net, nm_network **out)
{
    *out = status == NM_OK ? net : NULL;
    if (status != NM_OK)
        nm_network_free(net);
    return status;
}

nm_status nm_network_new_fresh(nm_context *ctx, const nm_model *model, nm_network **out)
{
    nm_yaml *document;
    *out = NULL;
    nm_errors_clear(ctx);
    NM_TRY(nm_gemm_check(ctx));
    NM_TRY(nm_yaml_copy(ctx, model->document, &document));
    NM_TRY(nm_network_open(ctx, document, &nm_train_section, out));
    nm_network_initialise(*out, nm_network_seed(*out));
    return NM_OK;
}

static nm_status prepare(nm_context *ctx, nm_network *net)
{
    int taken;
    NM_TRY(nm_network_freeze(ctx, net));
    return nm_network_take_values(ctx, net, &taken);
}

nm_status nm_network_new(nm_context *ctx, const nm_model *model, nm_network **out)
{
    NM_TRY(nm_network_new_fresh(ctx, model, out));
    return give(prepare(ctx, *out), *out, out);
}

nm_status nm_network_load(nm_context *ctx, const char *path, nm_network **out)
{
    nm_checkpoint *checkpoint;
    nm_network *net = NULL;
    *out = NULL;
    nm_errors_clear(ctx);
    NM_TRY(nm_gemm_check(ctx));
    NM_TRY(nm_checkpoint_open(ctx, path, &checkpoint));
    nm_status status = nm_checkpoint_network(ctx, checkpoint, &net);
    nm_checkpoint_free(checkpoint);
    NM_TRY(status);
    return give(nm_network_freeze(ctx, net), net, out);
}

const char *nm_network_name(const nm_network *net)
{
    return net->name;
}

uint64_t nm_network_seed(const nm_network *net)
{
    return (uint64_t)nm_settings_of(net)->seed;
}

/* ---- layers ---- */

int nm_network_layers(const nm_network *net)
{
    return net->nodes;
}

int nm_network_inputs(const nm_network *net)
{
    return net->inputs;
}

int nm_network_output(const nm_network *net)
{
    return net->output;
}

int nm_network_layer_index(const nm_network *net, const char *name)
{
    return nm_network_find(net, name);
}

nm_status nm_network_layer(nm_context *ctx, const nm_network *net, int layer, nm_layer_info *out)
{
    nm_errors_clear(ctx);
    if (layer < 0 || layer >= net->nodes)
        return nm_fail(ctx, NM_INVALID, "there is no layer %d: expected 0 to %d", layer, net->nodes - 1);
    const nm_node *node = &net->node[layer];
    nm_layer_info info = {.name = node->name,
                          .type = node->type ? node->type->name : "input",
                          .height = node->out.h,
                          .width = node->out.w,
                          .channels = node->out.c,
                          .inputs = node->inputs,
                          .from = node->from,
                          .parameters = node->params,
                          .first_parameter = node->first_param,
                          .window = node->type && node->type->window};
    return nm_sized_write(ctx, "NM_LAYER_INFO_INIT", out, &info, sizeof info);
}

/* ---- parameters ---- */

int nm_network_parameters(const nm_network *net)
{
    return net->params;
}

int nm_network_parameter_index(const nm_network *net, const char *name)
{
    return nm_network_find_param(net, name);
}

nm_status nm_network_parameter(nm_context *ctx, const nm_network *net, int index, nm_parameter *out)
{
    nm_errors_clear(ctx);
    if (index < 0 || index >= net->params)
        return nm_fail(ctx, NM_INVALID, "there is no parameter %d: the network has %d", index, net->params);
    const nm_param *param = &net->param[index];
    nm_parameter found = {.name = param->name,
                          .layout = param->layout,
                          .layer = param->node,
                          .rank = param->rank,
                          .count = param->count,
                          .trained = param->kind != NM_STATE && !param->frozen,
                          .values = nm_param_values(net, param),
                          .weight = param->kind == NM_WEIGHT};
    memcpy(found.dims, param->dims, sizeof found.dims);
    return nm_sized_write(ctx, "NM_PARAMETER_INIT", out, &found, sizeof found);
}
