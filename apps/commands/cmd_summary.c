/* norma summary MODEL: what a network is made of, layer by layer. */
#include "alloc.h"
#include "command.h"
#include "summary.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct summary_args {
    model_args model;
    int height, width, batch, shards, anchor;
    bool json, verbose, plan;
} summary_args;

enum {
    KEY_IMAGE = 'i',
    KEY_BATCH = 'b',
    KEY_SHARDS = 's',
    KEY_JSON = 'j',
    KEY_VERBOSE = 'v',
    KEY_ANCHOR = 'a',
    KEY_PLAN = 'p'
};

static const struct argp_option options[] = {
    {"image", KEY_IMAGE, "H W", 0, "another size of the input", 1},
    {"batch", KEY_BATCH, "N", 0, "samples at once, for the memory (preset: train.batch)", 1},
    {"shards", KEY_SHARDS, "N", 0, "parts that training cuts the batch into (preset: train.shards)", 1},
    {"anchor", KEY_ANCHOR, "SIZE", 0,
     "mark the layer whose receptive field suits an object of SIZE pixels, and tell where its "
     "centres lie",
     1},
    {"json", KEY_JSON, 0, 0, "machine-readable result on stdout", 1},
    {"verbose", KEY_VERBOSE, 0, 0,
     "each layer's algorithm, the fields of all paths to a join, and how well memory is planned", 1},
    {"plan", KEY_PLAN, 0, 0, "what training and evaluation do, operation by operation, and their memory", 1},
    {0},
};

/* "224 224" takes the next word too; "224x224" and "224" (square) are understood as well. */
static void parse_image(summary_args *args, char *arg, struct argp_state *state)
{
    char *x = strchr(arg, 'x');
    if (x)
        *x = '\0';
    args->height = args->width = parse_number(state, "--image", arg, 1, 1 << 16);
    if (x)
        args->width = parse_number(state, "--image", x + 1, 1, 1 << 16);
    else if (state->next < state->argc &&
             strspn(state->argv[state->next], "0123456789") == strlen(state->argv[state->next]))
        args->width = parse_number(state, "--image", state->argv[state->next++], 1, 1 << 16);
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
    summary_args *args = state->input;
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &args->model;
        return 0;
    case KEY_IMAGE:
        parse_image(args, arg, state);
        return 0;
    case KEY_BATCH:
        args->batch = parse_number(state, "--batch", arg, 1, 1000000);
        return 0;
    case KEY_SHARDS:
        args->shards = parse_number(state, "--shards", arg, 1, NM_MOST_SHARDS);
        return 0;
    case KEY_ANCHOR:
        args->anchor = parse_number(state, "--anchor", arg, 1, 1 << 16);
        return 0;
    case KEY_JSON:
        args->json = true;
        return 0;
    case KEY_VERBOSE:
        args->verbose = true;
        return 0;
    case KEY_PLAN:
        args->plan = true;
        return 0;
    case ARGP_KEY_ARG:
        take_argument(state, "MODEL", &args->model.model, arg);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

/* ---- what is told -------------------------------------------------------------------------- */

/* The side of a square as large as the field. */
static double side_of(const nm_receptive *f)
{
    return sqrt(f->size[0] * f->size[1]);
}

/* No unit sees the whole of an object that is larger than every field. Where no layer has a local
 * field, print_anchor says so. */
static nm_status check_anchor(nm_context *ctx, const summary *s)
{
    int largest = -1;
    for (int i = s->net->inputs; i < s->net->nodes; i++)
        if (!s->field[i].whole && (largest < 0 || side_of(&s->field[i]) > side_of(&s->field[largest])))
            largest = i;
    if (largest < 0 || s->anchor <= side_of(&s->field[largest]))
        return NM_OK;
    return nm_fail(ctx, NM_INVALID,
                   "--anchor: expected 1 to %.0f, the largest receptive field of a layer that does not see the "
                   "whole input ('%s'); found %d",
                   floor(side_of(&s->field[largest])), s->net->node[largest].name, s->anchor);
}

/* The layer whose field is nearest to the anchor, as a ratio; the last of equals, which has learnt
 * most. */
static int find_suited(const summary *s)
{
    int best = -1;
    double least = INFINITY;
    for (int i = s->net->inputs; i < s->net->nodes; i++) {
        const nm_receptive *f = &s->field[i];
        double off = fabs(log(side_of(f) / s->anchor));
        if (f->whole || off > least)
            continue;
        best = i;
        least = off;
    }
    return best;
}

static void total(summary *s)
{
    for (int i = s->net->inputs; i < s->net->nodes; i++) {
        s->parameters += nm_node_weights(s->net, i);
        s->cost += nm_node_cost(&s->net->node[i]);
    }
}

/* ---- JSON ---------------------------------------------------------------------------------- */

static json_t *pair(const double v[2])
{
    return json_pack("[f, f]", v[0], v[1]);
}

static json_t *field_json(const nm_receptive *f)
{
    return json_pack("{s:o, s:o, s:o, s:b, s:b}", "size", pair(f->size), "jump", pair(f->jump), "start", pair(f->start),
                     "whole", f->whole, "gaps", f->gaps);
}

/* The fields of all paths that reach a join, by each of its inputs. */
static json_t *paths_json(const summary *s, int i)
{
    json_t *paths = json_array();
    for (int k = 0; k < s->net->node[i].inputs; k++) {
        const nm_paths *by = &s->paths[i].by[k];
        json_t *fields = json_array();
        for (int f = 0; f < by->count; f++) {
            double count = by->field[f].paths;
            json_t *field = field_json(&by->field[f].field);
            json_object_set_new(field, "paths", count < 1e15 ? json_integer((json_int_t)count) : json_real(count));
            json_array_append_new(fields, field);
        }
        json_array_append_new(
            paths, json_pack("{s:s, s:o}", "from", s->net->node[s->net->node[i].from[k]].name, "fields", fields));
    }
    return paths;
}

static json_t *layer_json(const summary *s, int i, bool verbose)
{
    const nm_node *node = &s->net->node[i];
    json_t *layer =
        json_pack("{s:s, s:s, s:[i,i,i], s:I, s:I, s:I, s:o}", "name", node->name, "type", node->type->name, "output",
                  node->out.h, node->out.w, node->out.c, "output_bytes", (json_int_t)output_bytes(node), "parameters",
                  (json_int_t)nm_node_weights(s->net, i), "multiply_adds", (json_int_t)nm_node_cost(node),
                  "receptive_field", field_json(&s->field[i]));
    char chosen[256] = "";
    if (verbose)
        nm_plan_describe(s->train ? s->train : s->eval, i, chosen, sizeof chosen);
    if (verbose && node->inputs > 1)
        json_object_set_new(layer, "paths", paths_json(s, i));
    if (*chosen)
        json_object_set_new(layer, "algorithm", json_string(chosen));
    return layer;
}

static void print_as_json(const summary *s, const summary_args *args)
{
    json_t *layers = json_array();
    for (int i = s->net->inputs; i < s->net->nodes; i++)
        json_array_append_new(layers, layer_json(s, i, args->verbose));
    json_t *anchor = json_null();
    if (s->suited >= 0) {
        const nm_receptive *f = &s->field[s->suited];
        anchor = json_pack("{s:i, s:s, s:[f,f]}", "size", s->anchor, "layer", s->net->node[s->suited].name,
                           "misalignment", f->start[0] - even_start(f->jump[0]), f->start[1] - even_start(f->jump[1]));
    }
    nm_plan_memory eval = nm_plan_memory_use(s->eval), m = s->train ? nm_plan_memory_use(s->train) : eval;
    json_t *out = json_pack("{s:s, s:o, s:I, s:I, s:o, s:i, s:I, s:I, s:I, s:I}", "network", s->net->name, "layers",
                            layers, "parameters", (json_int_t)s->parameters, "multiply_adds", (json_int_t)s->cost,
                            "anchor", anchor, "batch", s->batch, "activation_bytes", (json_int_t)m.activations,
                            "activation_lower_bound", (json_int_t)m.lower_bound, "eval_activation_bytes",
                            (json_int_t)eval.activations, "eval_activation_lower_bound", (json_int_t)eval.lower_bound);
    if (args->plan) {
        json_object_set_new(out, "train_plan", s->train ? summary_plan_json(s, s->train) : json_null());
        json_object_set_new(out, "eval_plan", summary_plan_json(s, s->eval));
    }
    print_json(out);
}

/* ---- the command --------------------------------------------------------------------------- */

static nm_status set_image(nm_context *ctx, nm_yaml *document, const summary_args *args)
{
    char number[16];
    if (!args->height)
        return NM_OK;
    snprintf(number, sizeof number, "%d", args->height);
    NM_TRY(nm_document_set(ctx, document, "input.height", number));
    snprintf(number, sizeof number, "%d", args->width);
    return nm_document_set(ctx, document, "input.width", number);
}

static nm_status make_plans(summary *s, const summary_args *args)
{
    nm_request request = {.mode = NM_EVAL, .batch = s->batch, .threads = nm_context_threads(s->net->ctx), .dry = true};
    NM_TRY(nm_plan_new(s->net, &request, &s->eval));
    request.mode = NM_TRAIN;
    request.micro = s->settings->micro_batch;
    request.shards = args->shards ? args->shards : s->settings->shards;
    request.recompute = s->settings->recompute;
    return s->net->objectives ? nm_plan_new(s->net, &request, &s->train) : NM_OK;
}

static nm_status tell(nm_context *ctx, summary *s, const summary_args *args)
{
    s->field = nm_alloc(ctx, (size_t)s->net->nodes, sizeof *s->field);
    if (!s->field)
        return NM_FAILED;
    NM_TRY(make_plans(s, args));
    if (args->verbose)
        NM_TRY(nm_network_paths(s->net, &s->paths));
    else
        NM_TRY(nm_network_receptive(s->net, s->field));
    for (int i = 0; s->paths && i < s->net->nodes; i++)
        s->field[i] = s->paths[i].all.largest;
    total(s);
    s->anchor = args->anchor;
    if (s->anchor)
        NM_TRY(check_anchor(ctx, s));
    s->suited = s->anchor ? find_suited(s) : -1;
    if (args->json)
        print_as_json(s, args);
    else if (args->plan)
        summary_print_plans(s);
    else
        summary_print_table(s, args->verbose);
    return NM_OK;
}

static nm_status run(nm_context *ctx, const summary_args *args)
{
    nm_yaml *document;
    summary s = {0};
    NM_TRY(load_document(ctx, &args->model, "mnist-cnn", &document));
    nm_status status = set_image(ctx, document, args);
    if (status == NM_OK)
        status = nm_train_check(ctx, &(nm_train_request){.document = document}, false, NULL);
    if (status != NM_OK) {
        nm_yaml_free(document);
        return status;
    }
    status = nm_network_open(ctx, document, &nm_train_section, &s.net);
    if (status == NM_OK) {
        s.settings = nm_settings_of(s.net);
        s.batch = args->batch ? args->batch : s.settings->batch;
        status = tell(ctx, &s, args);
    }
    nm_plan_free(s.train);
    nm_plan_free(s.eval);
    nm_free(s.field);
    if (s.paths)
        nm_paths_free(s.net, s.paths);
    nm_network_free(s.net);
    return status;
}

int command_summary(int argc, char **argv)
{
    summary_args args = {0};
    struct argp_child children[] = {{&model_argp, 0, NULL, 0}, {0}};
    const struct argp argp = {
        options,
        parse,
        "[MODEL]",
        "Layer by layer: output (height x width x channels) and its memory, parameters, multiply-adds of one sample, "
        "and the receptive field: its size, the jump from unit to unit, and the centre of the first unit's, in pixels "
        "of the input.",
        children,
        NULL,
        NULL};
    if (!read_arguments(&argp, argc, argv, &args))
        return 0;
    nm_context *ctx = open_context();
    return close_context(ctx, run(ctx, &args));
}
