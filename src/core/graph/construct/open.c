/* From a document to a network: settings, layers, links, shapes. */
#include "parse.h"

#include "alloc.h"

void nm_network_free(nm_network *net)
{
    if (!net)
        return;
    nm_lookup_free(&net->names);
    for (int i = 0; i < net->nodes; i++)
        nm_node_clear(&net->node[i]);
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
    if (net->settings_type)
        nm_options_free(net->settings_type->options, net->settings);
    nm_free(net->settings);
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
    if (status == NM_OK)
        status = nm_find_prediction(net);
    if (status != NM_OK) {
        nm_network_free(net);
        return status;
    }
    *out = net;
    return NM_OK;
}

/* ---- with settings ---- */

static nm_status read_settings(nm_context *ctx, const nm_settings_type *type, const nm_yaml *document, void *settings)
{
    const nm_yaml *section = nm_yaml_get(document, type->section);
    nm_status status = nm_options_read(ctx, type->options, settings, section, NULL, type->section);
    return status == NM_OK && type->check ? type->check(ctx, section, settings) : status;
}

nm_status nm_network_open(nm_context *ctx, nm_yaml *document, const nm_settings_type *type, nm_network **out)
{
    nm_network_rules rules = {0};
    *out = NULL;
    void *settings = nm_alloc(ctx, 1, type->size);
    if (!settings) {
        nm_yaml_free(document);
        return NM_FAILED;
    }
    nm_status read = read_settings(ctx, type, document, settings);
    if (read == NM_OK)
        type->rule(settings, &rules);
    nm_status status = nm_network_build(ctx, document, &rules.without, out); /* for its errors, whatever `read` is */
    if (status == NM_OK && read == NM_OK) {
        (*out)->settings_type = type;
        (*out)->settings = settings;
        (*out)->exact = rules.exact;
        (*out)->no_fuse = rules.no_fuse;
        (*out)->bf16 = rules.bf16;
        return NM_OK;
    }
    nm_network_free(*out);
    *out = NULL;
    nm_options_free(type->options, settings);
    nm_free(settings);
    return read != NM_OK ? read : status;
}
