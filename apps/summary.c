/* norma summary MODEL: what a network is made of, layer by layer. */
#include "alloc.h"
#include "command.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct summary_args {
    model_args model;
    int height, width, batch, anchor;
    bool json, verbose;
} summary_args;

enum { KEY_IMAGE = 'i', KEY_BATCH = 'b', KEY_JSON = 'j', KEY_VERBOSE = 'v', KEY_ANCHOR = 'a' };

static const struct argp_option options[] = {
    {"image", KEY_IMAGE, "H W", 0, "another size of the input", 1},
    {"batch", KEY_BATCH, "N", 0, "samples at once, for the memory (preset: train.batch)", 1},
    {"anchor", KEY_ANCHOR, "SIZE", 0,
     "mark the layer whose receptive field suits an object of SIZE pixels, and tell where its "
     "centres lie",
     1},
    {"json", KEY_JSON, 0, 0, "machine-readable result on stdout", 1},
    {"verbose", KEY_VERBOSE, 0, 0,
     "each layer's algorithm, the field by each path of a join, and how well memory is planned", 1},
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
    else if (state->next < state->argc && strspn(state->argv[state->next], "0123456789") ==
                                              strlen(state->argv[state->next]))
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
    case KEY_ANCHOR:
        args->anchor = parse_number(state, "--anchor", arg, 1, 1 << 16);
        return 0;
    case KEY_JSON:
        args->json = true;
        return 0;
    case KEY_VERBOSE:
        args->verbose = true;
        return 0;
    case ARGP_KEY_ARG:
        if (args->model.model)
            argp_error(state, "one MODEL is enough; found '%s' and '%s'", args->model.model, arg);
        args->model.model = arg;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

/* ---- what is told ------------------------------------------------------------------------------ */

typedef struct summary {
    nm_network *net;
    nm_plan *train, *eval; /* train NULL: the network has no loss */
    nm_receptive *field;   /* [nodes] */
    int batch;
    const nm_train_settings *settings;
    size_t parameters;
    double cost;
    int anchor, suited; /* the object's size, 0: none; the layer that suits it, or -1 */
} summary;

/* The layer whose field is nearest to the anchor, as a ratio; the last of equals, which has learnt most. */
static int find_suited(const summary *s)
{
    int best = -1;
    double least = INFINITY;
    for (int i = s->net->inputs; i < s->net->nodes; i++) {
        const nm_receptive *f = &s->field[i];
        double off = fabs(log(sqrt(f->size[0] * f->size[1]) / s->anchor));
        if (f->whole || off > least)
            continue;
        best = i;
        least = off;
    }
    return best;
}

/* Where an evenly laid grid of that jump has its first centre: half a jump into the image, in pixel centres. */
static double even_start(double jump)
{
    return (jump - 1) / 2;
}

static void total(summary *s)
{
    for (int i = s->net->inputs; i < s->net->nodes; i++) {
        s->parameters += nm_node_weights(s->net, i);
        s->cost += nm_node_cost(&s->net->node[i]);
    }
}

/* 1234567 as "1,234,567". */
static const char *grouped(double value, char *text)
{
    char digits[32];
    int length = snprintf(digits, sizeof digits, "%.0f", value), used = 0;
    for (int i = 0; i < length; i++) {
        if (i > 0 && (length - i) % 3 == 0)
            text[used++] = ',';
        text[used++] = digits[i];
    }
    text[used] = '\0';
    return text;
}

static void axes(const double v[2], const char *fmt, char *text, size_t size)
{
    char one[32], two[32];
    snprintf(one, sizeof one, fmt, v[0]);
    snprintf(two, sizeof two, fmt, v[1]);
    if (strcmp(one, two) == 0)
        snprintf(text, size, "%s", one);
    else
        snprintf(text, size, "%sx%s", one, two);
}

/* The field of a join by one of its inputs. */
static void print_path(const summary *s, int i, int k)
{
    nm_receptive f = nm_node_receptive(s->net, i, k, s->field);
    char size[48] = "whole", jump[48], start[48];
    if (!f.whole)
        axes(f.size, "%.0f", size, sizeof size);
    axes(f.jump, "%g", jump, sizeof jump);
    axes(f.start, "%g", start, sizeof start);
    printf("  by %-72s %9s%s %6s %6s\n", s->net->node[s->net->node[i].from[k]].name, size, f.gaps ? "*" : " ",
           f.whole ? "" : jump, f.whole ? "" : start);
}

/* Why its algorithms and no others. */
static void print_reasons(const summary *s, int i)
{
    char text[2048];
    nm_plan_explain(s->train ? s->train : s->eval, i, text, sizeof text);
    for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n"))
        printf("  not otherwise, %s\n", line);
}

static void print_layer(const summary *s, int i, bool verbose)
{
    const nm_node *node = &s->net->node[i];
    char shape[48], weights[48], cost[48], size[48], jump[48], start[48], chosen[256] = "";
    snprintf(shape, sizeof shape, "%dx%dx%d", node->out.h, node->out.w, node->out.c);
    if (s->field[i].whole)
        snprintf(size, sizeof size, "whole");
    else
        axes(s->field[i].size, "%.0f", size, sizeof size);
    axes(s->field[i].jump, "%g", jump, sizeof jump);
    axes(s->field[i].start, "%g", start, sizeof start);
    printf("%-20s %-12s %-14s %12s %16s %9s%s %6s %6s", node->name, node->type ? node->type->name : "input", shape,
           grouped((double)nm_node_weights(s->net, i), weights), grouped(nm_node_cost(node), cost), size,
           s->field[i].gaps ? "*" : " ", s->field[i].whole ? "" : jump, s->field[i].whole ? "" : start);
    if (verbose && i >= s->net->inputs)
        nm_plan_describe(s->train ? s->train : s->eval, i, chosen, sizeof chosen);
    printf("%s%s%s\n", *chosen ? "  " : "", chosen, s->anchor && i == s->suited ? "  <- anchor" : "");
    if (verbose && i >= s->net->inputs)
        print_reasons(s, i);
    for (int k = 0; verbose && node->inputs > 1 && k < node->inputs; k++)
        print_path(s, i, k);
}

static void print_anchor(const summary *s)
{
    if (s->suited < 0) {
        printf("anchor %d: no layer has a local field\n", s->anchor);
        return;
    }
    const nm_receptive *f = &s->field[s->suited];
    double off[2] = {f->start[0] - even_start(f->jump[0]), f->start[1] - even_start(f->jump[1])};
    char size[48], jump[48], start[48], wrong[48];
    axes(f->size, "%g", size, sizeof size);
    axes(f->jump, "%g", jump, sizeof jump);
    axes(f->start, "%g", start, sizeof start);
    axes(off, "%+g", wrong, sizeof wrong);
    printf(
        "anchor %d: '%s' suits it, with a field of %s. Its units' centres lie at %s + k * %s; off an even grid by %s pixels\n",
        s->anchor, s->net->node[s->suited].name, size, start, jump, wrong);
}

static void print_memory(const char *mode, const nm_plan *plan, int threads, bool verbose)
{
    nm_plan_memory m = nm_plan_memory_use(plan);
    printf("memory, %s: %.1f MB activations, %.1f MB scratch, %.1f MB gradients\n", mode, 1e-6 * (double)m.activations,
           1e-6 * ((double)m.scratch + threads * (double)m.thread_scratch), 1e-6 * (double)m.gradients);
    if (verbose)
        printf("  no plan can use less than %.1f MB activations (most alive at one moment); this one uses %.3f times "
               "that\n", 1e-6 * (double)m.lower_bound,
               m.lower_bound ? (double)m.activations / (double)m.lower_bound : 1);
}

static void print_table(const summary *s, bool verbose)
{
    char weights[48], cost[48], mode[64];
    bool gaps = false;
    printf("%-20s %-12s %-14s %12s %16s %10s %6s %6s%s\n", "layer", "type", "output", "parameters", "multiply-adds",
           "field ", "jump", "start", verbose ? "  algorithm" : "");
    for (int i = 0; i < s->net->nodes; i++) {
        print_layer(s, i, verbose);
        gaps = gaps || s->field[i].gaps;
    }
    if (s->anchor)
        print_anchor(s);
    if (gaps)
        printf("* the field has gaps: pixels in it that are never read\n");
    printf("\n%s: %s parameters, %s multiply-adds a sample\n", s->net->name, grouped((double)s->parameters, weights),
           grouped(s->cost, cost));
    int threads = nm_context_threads(s->net->ctx);
    snprintf(mode, sizeof mode, "training, batch %d", s->batch);
    if (s->train)
        print_memory(mode, s->train, threads, verbose);
    snprintf(mode, sizeof mode, "evaluation, batch %d", s->batch);
    print_memory(mode, s->eval, threads, verbose);
}

/* ---- JSON ---------------------------------------------------------------------------------------- */

static json_t *pair(const double v[2])
{
    return json_pack("[f, f]", v[0], v[1]);
}

static json_t *layer_json(const summary *s, int i, bool verbose)
{
    const nm_node *node = &s->net->node[i];
    const nm_receptive *f = &s->field[i];
    json_t *layer = json_pack("{s:s, s:s, s:[i,i,i], s:I, s:I, s:{s:o, s:o, s:o, s:b, s:b}}", "name", node->name,
                              "type", node->type->name, "output", node->out.h, node->out.w, node->out.c, "parameters",
                              (json_int_t)nm_node_weights(s->net, i), "multiply_adds", (json_int_t)nm_node_cost(node),
                              "receptive_field", "size", pair(f->size), "jump", pair(f->jump), "start", pair(f->start),
                              "whole", f->whole, "gaps", f->gaps);
    char chosen[256] = "";
    if (verbose)
        nm_plan_describe(s->train ? s->train : s->eval, i, chosen, sizeof chosen);
    if (*chosen)
        json_object_set_new(layer, "algorithm", json_string(chosen));
    return layer;
}

static void print_as_json(const summary *s, bool verbose)
{
    json_t *layers = json_array();
    for (int i = s->net->inputs; i < s->net->nodes; i++)
        json_array_append_new(layers, layer_json(s, i, verbose));
    json_t *anchor = json_null();
    if (s->suited >= 0) {
        const nm_receptive *f = &s->field[s->suited];
        anchor = json_pack("{s:i, s:s, s:[f,f]}", "size", s->anchor, "layer", s->net->node[s->suited].name,
                           "misalignment", f->start[0] - even_start(f->jump[0]), f->start[1] - even_start(f->jump[1]));
    }
    nm_plan_memory eval = nm_plan_memory_use(s->eval), m = s->train ? nm_plan_memory_use(s->train) : eval;
    print_json(json_pack("{s:s, s:o, s:I, s:I, s:o, s:i, s:I, s:I, s:I, s:I}", "network", s->net->name, "layers",
                         layers, "parameters", (json_int_t)s->parameters, "multiply_adds", (json_int_t)s->cost,
                         "anchor", anchor, "batch", s->batch, "activation_bytes", (json_int_t)m.activations,
                         "activation_lower_bound", (json_int_t)m.lower_bound, "eval_activation_bytes",
                         (json_int_t)eval.activations, "eval_activation_lower_bound", (json_int_t)eval.lower_bound));
}

/* ---- the command ----------------------------------------------------------------------------------- */

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

static nm_status make_plans(summary *s)
{
    nm_request request = {.mode = NM_EVAL, .batch = s->batch, .threads = nm_context_threads(s->net->ctx),
                          .dry = true};
    NM_TRY(nm_plan_new(s->net, &request, &s->eval));
    request.mode = NM_TRAIN;
    request.micro = s->settings->micro_batch;
    request.recompute = s->settings->recompute;
    return s->net->objectives ? nm_plan_new(s->net, &request, &s->train) : NM_OK;
}

static nm_status tell(nm_context *ctx, summary *s, const summary_args *args)
{
    s->field = nm_alloc(ctx, (size_t)s->net->nodes, sizeof *s->field);
    if (!s->field)
        return NM_FAILED;
    NM_TRY(make_plans(s));
    nm_network_receptive(s->net, s->field);
    total(s);
    s->anchor = args->anchor;
    s->suited = s->anchor ? find_suited(s) : -1;
    if (args->json)
        print_as_json(s, args->verbose);
    else
        print_table(s, args->verbose);
    return NM_OK;
}

static nm_status run(nm_context *ctx, const summary_args *args)
{
    nm_yaml *document;
    nm_train_settings settings;
    summary s = {0};
    NM_TRY(load_document(ctx, &args->model, "mnist-cnn", &document));
    nm_status status = set_image(ctx, document, args);
    if (status == NM_OK)
        status = read_settings(ctx, document, &settings);
    if (status != NM_OK) {
        nm_yaml_free(document);
        return status;
    }
    s.settings = &settings;
    s.batch = args->batch ? args->batch : settings.batch;
    status = nm_network_build(ctx, document, &settings.without, &s.net);
    if (status == NM_OK) {
        nm_settings_rule(&settings, s.net);
        status = tell(ctx, &s, args);
    }
    nm_plan_free(s.train);
    nm_plan_free(s.eval);
    nm_free(s.field);
    nm_options_free(nm_train_options, &settings);
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
        "Layer by layer: output (height x width x channels), parameters, multiply-adds of one "
        "sample, and the receptive field: its size, the jump from unit to unit, and the centre of "
        "the first unit's, in pixels of the input.",
        children,
        NULL,
        NULL};
    argp_parse(&argp, argc, argv, 0, NULL, &args);
    nm_context *ctx = open_context();
    return close_context(ctx, run(ctx, &args));
}
