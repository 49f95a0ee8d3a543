/* The model file to nodes: inputs and layers with their names and options. */
#include "parse.h"

#include "alloc.h"
#include "foreign_names.h"
#include "printable.h"

#include <stdio.h>
#include <string.h>

const char *const nm_top_keys[NM_TOP_KEYS] = {"name",   "input", "inputs", "defaults",
                                              "layers", "loss",  "output", "train"};
enum { MOST_INPUTS = 1000 };

/* ---- nodes --------------------------------------------------------------------------- */

static nm_status start_node(nm_network *net, const char *name, const nm_yaml *at, const char *what)
{
    nm_node *node = &net->node[net->nodes++];
    *node = (nm_node){.at = at, .share = -1, .pair = -1};
    node->name = nm_strdup(net->ctx, name);
    char place[512];
    nm_yaml_place(at, place, sizeof place);
    node->who = nm_format(net->ctx, "%s: %s '%s'", place, what, name);
    if (!node->name || !node->who)
        return NM_FAILED;
    node->label = node->who + strlen(place) + 2;
    return NM_OK;
}

typedef struct input_options {
    int height, width, channels;
} input_options;

static const nm_option input_table[] = {
    {"height", NM_OPT_INT, offsetof(input_options, height), "1", 1, 65536, .help = "pixels"},
    {"width", NM_OPT_INT, offsetof(input_options, width), "1", 1, 65536, .help = "pixels"},
    {"channels", NM_OPT_INT, offsetof(input_options, channels), NULL, 1, 65536, .help = "numbers a pixel"},
    {0},
};

static nm_status parse_input(nm_network *net, const char *name, const nm_yaml *at, const nm_yaml *options)
{
    NM_TRY(start_node(net, name, at, "input"));
    nm_node *node = &net->node[net->nodes - 1];
    net->inputs++;
    input_options o = {0};
    NM_TRY(nm_options_read(net->ctx, input_table, &o, options, NULL, node->label));
    node->out = (nm_shape){o.height, o.width, o.channels};
    return NM_OK;
}

static nm_status parse_inputs(nm_network *net)
{
    const nm_yaml *one = nm_yaml_get(net->document, "input"), *several = nm_yaml_get(net->document, "inputs");
    if (one && several)
        return nm_yaml_fail(net->ctx, several, "'input' and 'inputs' are both given");
    if (one)
        return parse_input(net, "input", one, one);
    if (!several || several->kind != NM_YAML_MAP || several->count == 0)
        return nm_yaml_fail(net->ctx, several ? several : net->document,
                            "expected 'input: {height: …, width: …, channels: …}'");
    if (several->count > MOST_INPUTS)
        return nm_yaml_fail(net->ctx, several, "found %d inputs; expected at most %d", several->count, MOST_INPUTS);
    nm_status status = NM_OK;
    for (int i = 0; i < several->count; i++)
        if (nm_check_name(net->ctx, several->keys[i], "an input's") != NM_OK ||
            parse_input(net, several->keys[i]->text, several->keys[i], several->items[i]) != NM_OK)
            status = nm_failed_status(net->ctx);
    return status;
}

static nm_status unknown_type(nm_context *ctx, const nm_yaml *at, const char *what)
{
    char hint[NM_HINT];
    const nm_type_list *known = nm_types(ctx, NM_LAYER);
    nm_called_here(hint, NM_FOREIGN_LAYER, at->text, known->names, known->count);
    if (nm_yaml_space_lacks(at->text))
        snprintf(hint, sizeof hint, " (a space is missing after the ':')");
    return nm_yaml_fail(ctx, at, "%s '%s'%s", what, at->text, *hint ? hint : " (norma layers lists all)");
}

/* What the file presets for all layers of a type; NULL: nothing. */
static const nm_yaml *defaults_of(const nm_network *net, const nm_layer_type *type)
{
    const nm_yaml *defaults = nm_yaml_get(net->document, "defaults");
    for (int i = 0; defaults && i < defaults->count; i++)
        if (nm_type_find(net->ctx, NM_LAYER, defaults->keys[i]->text) == type)
            return defaults->items[i];
    return NULL;
}

/* A node of the type that `word` names; `at` is where from, share and the like are looked for. */
static nm_status add_node(nm_network *net, const nm_yaml *word, const char *name, const nm_yaml *at,
                          const nm_yaml *given)
{
    const nm_layer_type *type = nm_type_find(net->ctx, NM_LAYER, word->text);
    NM_TRY(start_node(net, name, word, word->text));
    if (!type)
        return unknown_type(net->ctx, word, "unknown layer type");
    nm_node *node = &net->node[net->nodes - 1];
    node->at = at;
    node->self = nm_alloc(net->ctx, 1, type->size + 1);
    if (!node->self)
        return NM_FAILED;
    node->type = type;
    node->memory = type->memory;
    nm_yaml none = *word; /* an empty map in its place */
    none.kind = NM_YAML_MAP;
    none.count = 0;
    return nm_options_read(net->ctx, type->options, node->self, given ? given : &none, defaults_of(net, type),
                           node->label);
}

/* `conv: {…, activation: relu}` is a convolution and the layer c1.activation after it. */
static nm_status add_activation(nm_network *net, const nm_yaml *at)
{
    nm_node *node = &net->node[net->nodes - 1];
    const nm_option *option = nm_option_find(node->type->options, "activation");
    const nm_choice *choice = option ? (const nm_choice *)(void *)((char *)node->self + option->offset) : NULL;
    if (!choice || !choice->name)
        return NM_OK;
    nm_yaml word = *choice->at; /* the name alone, in the choice's place */
    word.kind = NM_YAML_SCALAR;
    word.text = choice->name;
    word.count = 0;
    char *name = nm_format(net->ctx, "%s.activation", node->name);
    if (!name)
        return NM_FAILED;
    nm_status status = add_node(net, &word, name, choice->at, choice->options);
    nm_free(name);
    NM_TRY(status);
    node = &net->node[net->nodes - 1];
    if (node->type->most_inputs != 1 || node->type->least_inputs != 1)
        return nm_yaml_fail(net->ctx, at, "%s: a layer of one input can be an activation", node->label);
    node[-1].activated = true;
    return NM_OK;
}

static nm_status parse_layer(nm_network *net, const nm_yaml *item, const char *name)
{
    nm_entry entry;
    NM_TRY(nm_entry_read(net->ctx, item, &entry));
    NM_TRY(add_node(net, entry.type, name, item, entry.options));
    return add_activation(net, item);
}

static nm_status parse_layers(nm_network *net, const nm_yaml *layers, char *const *names)
{
    nm_status status = NM_OK;
    for (int i = 0; i < layers->count && !(status != NM_OK && nm_errors_full(net->ctx)); i++)
        if (parse_layer(net, layers->items[i], names[i]) != NM_OK)
            status = nm_failed_status(net->ctx);
    for (int i = 0; i < net->inputs; i++)
        for (int j = 0; j < layers->count; j++)
            if (strcmp(net->node[i].name, names[j]) == 0)
                status = nm_yaml_fail(net->ctx, layers->items[j], "the layer has the name of the input '%s'", names[j]);
    return status;
}

/* ---- the file ------------------------------------------------------------------------ */

static nm_status check_keys(nm_context *ctx, const nm_yaml *document)
{
    nm_status status = NM_OK;
    const nm_yaml *name = nm_yaml_get(document, "name");
    if (name && name->kind != NM_YAML_SCALAR)
        status = nm_yaml_fail(ctx, name, "a network's name must be a word");
    else if (name && !nm_text_is_printable(name->text, ""))
        status = nm_yaml_fail(ctx, name, "a network's name must be of printable characters; found '%s'", name->text);
    for (int i = 0; i < document->count && !(status != NM_OK && nm_errors_full(ctx)); i++) {
        const char *key = document->keys[i]->text;
        bool known = false;
        for (int k = 0; k < NM_TOP_KEYS; k++)
            known = known || strcmp(key, nm_top_keys[k]) == 0;
        if (known)
            continue;
        char hint[NM_HINT];
        nm_called_here(hint, NM_FOREIGN_KEY, key, nm_top_keys, NM_TOP_KEYS);
        status = nm_yaml_fail(ctx, document->keys[i], "unknown key '%s'%s", key,
                              nm_yaml_space_lacks(key) ? " (a space is missing after the ':')" : hint);
    }
    const nm_yaml *defaults = nm_yaml_get(document, "defaults");
    if (defaults && defaults->kind != NM_YAML_MAP && !nm_yaml_is_null(defaults))
        status = nm_yaml_fail(ctx, defaults, "defaults must be a map of layer types, as {conv: {pad: same}}");
    for (int i = 0; defaults && defaults->kind == NM_YAML_MAP && i < defaults->count; i++)
        if (!(status != NM_OK && nm_errors_full(ctx)) && !nm_type_find(ctx, NM_LAYER, defaults->keys[i]->text))
            status = unknown_type(ctx, defaults->keys[i], "defaults for an unknown layer type");
    return status;
}

nm_status nm_parse(nm_network *net)
{
    nm_context *ctx = net->ctx;
    const nm_yaml *document = net->document;
    if (document->kind != NM_YAML_MAP)
        return nm_yaml_fail(ctx, document, "a model file is a map with the keys name, input, layers, loss, train%s",
                            document->kind == NM_YAML_SCALAR && nm_yaml_space_lacks(document->text)
                                ? " (a space is missing after the ':')"
                                : "");
    nm_status status = check_keys(ctx, document);
    if (status != NM_OK && nm_errors_full(ctx))
        return status; /* what is wrong below would not be told */
    net->name = nm_strdup(ctx, nm_yaml_text(document, "name", "network"));
    const nm_yaml *layers = nm_yaml_get(document, "layers"), *inputs = nm_yaml_get(document, "inputs");
    if (!layers || layers->kind != NM_YAML_LIST || layers->count == 0)
        return nm_yaml_fail(ctx, layers ? layers : document, "expected 'layers:' with a list of layers");
    char **names;
    NM_TRY(nm_entry_names(ctx, layers, &names));
    size_t capacity = 2 * (size_t)layers->count + 1 + (inputs ? (size_t)inputs->count : 0);
    net->node = nm_alloc(ctx, capacity, sizeof *net->node);
    nm_status in = NM_FAILED, all = NM_FAILED, losses = NM_FAILED;
    if (net->node && net->name) {
        in = parse_inputs(net);
        all = parse_layers(net, layers, names);
        losses = nm_parse_losses(net);
    }
    nm_free(names);
    return in != NM_OK ? in : all != NM_OK ? all : losses != NM_OK ? losses : status;
}
