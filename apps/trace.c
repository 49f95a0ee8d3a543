/* norma trace MODEL|CHECKPOINT --input FILE --output FILE: one pass, with every activation and gradient, into HDF5. */
#include "alloc.h"
#include "command.h"
#include "dataset.h"
#include "h5.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

typedef struct trace_args {
    model_args model;
    const char *input, *output;
    int seed; /* -1: the model's own */
    bool train;
} trace_args;

enum { KEY_INPUT = 'i', KEY_OUTPUT = 'o', KEY_MODE = 'm', KEY_SEED = 's', PATH_ROOM = 512 };

static const struct argp_option options[] = {
    {"input", KEY_INPUT, "FILE.h5", 0,
     "/x (n, h, w, c) as the network sees it, not normalised, and /labels (n) or /targets; "
     "a network of several inputs takes /inputs/NAME; /model/LAYER/NAME sets a parameter",
     1},
    {"output", KEY_OUTPUT, "FILE.h5", 0,
     "what is written: /activations/LAYER, /gradients/activations/LAYER, "
     "/gradients/parameters/LAYER/NAME, /loss, /model, in train mode /model_after",
     1},
    {"mode", KEY_MODE, "train|eval", 0, "preset: eval", 1},
    {"seed", KEY_SEED, "N", 0, "of a MODEL's initial weights and of dropout (preset: train.seed)", 1},
    {0},
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    trace_args *args = state->input;
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &args->model;
        return 0;
    case KEY_INPUT:
        args->input = arg;
        return 0;
    case KEY_OUTPUT:
        args->output = arg;
        return 0;
    case KEY_MODE:
        args->train = strcmp(arg, "train") == 0;
        if (!args->train && strcmp(arg, "eval") != 0)
            argp_error(state, "--mode must be train or eval; found '%s'", arg);
        return 0;
    case KEY_SEED:
        args->seed = parse_number(state, "--seed", arg, 0, 1 << 30);
        return 0;
    case ARGP_KEY_ARG:
        if (args->model.model)
            argp_error(state, "one MODEL or CHECKPOINT is enough; found '%s' and '%s'", args->model.model, arg);
        args->model.model = arg;
        return 0;
    case ARGP_KEY_END:
        if (!args->model.model || !args->input || !args->output)
            argp_error(state, "expected a MODEL or CHECKPOINT, --input and --output");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

/* ---- the network ----------------------------------------------------------------------------------- */

static nm_status open_model(nm_context *ctx, const trace_args *args, trained *t)
{
    nm_yaml *document;
    NM_TRY(load_document(ctx, &args->model, "mnist-cnn", &document));
    nm_status status = read_settings(ctx, document, &t->settings);
    if (status != NM_OK) {
        nm_yaml_free(document);
        return status;
    }
    status = nm_network_build(ctx, document, &t->settings.without, &t->net);
    if (status != NM_OK) {
        nm_options_free(nm_train_options, &t->settings);
        return status;
    }
    nm_settings_rule(&t->settings, t->net);
    nm_network_initialise(t->net, (uint64_t)(args->seed >= 0 ? args->seed : t->settings.seed));
    return NM_OK;
}

/* A checkpoint ends in .h5, or is a run directory. */
static bool is_checkpoint(const char *name)
{
    struct stat st;
    size_t length = strlen(name);
    return (length > 3 && strcmp(name + length - 3, ".h5") == 0) || (stat(name, &st) == 0 && S_ISDIR(st.st_mode));
}

/* ---- the batch ------------------------------------------------------------------------------------- */

typedef struct given {
    int n;
    real **x; /* [inputs] */
    int32_t *labels;
    real *values; /* of the prediction's shape, for losses that take values */
} given;

static void free_given(given *g, int inputs)
{
    for (int i = 0; g->x && i < inputs; i++)
        nm_free(g->x[i]);
    nm_free(g->x);
    nm_free(g->labels);
    nm_free(g->values);
}

/* Reads numbers of the shape (n, h, w, c); n is set by the first that is read. */
static nm_status read_images(nm_context *ctx, nm_h5 *h5, const char *file, const char *path, nm_shape s, int *n,
                             real **out)
{
    nm_h5_shape found;
    NM_TRY(nm_h5_look(h5, path, &found));
    bool fits = found.rank == 4 && found.dims[1] == (size_t)s.h && found.dims[2] == (size_t)s.w &&
                found.dims[3] == (size_t)s.c && found.dims[0] >= 1 && found.dims[0] <= 1 << 20 &&
                (*n == 0 || found.dims[0] == (size_t)*n);
    if (!fits) {
        char text[128] = "";
        for (int i = 0; i < found.rank && i < 8; i++)
            snprintf(text + strlen(text), sizeof text - strlen(text), "%s%zu", i ? ", " : "", found.dims[i]);
        return nm_fail(ctx, NM_INVALID, "%s: %s: expected (n, %d, %d, %d); found (%s)", file, path, s.h, s.w, s.c,
                       text);
    }
    *n = (int)found.dims[0];
    *out = nm_alloc(ctx, found.count + 1, sizeof **out);
    return *out ? nm_h5_read(h5, path, NM_H5_REAL, 4, found.dims, *out) : NM_FAILED;
}

/* The shape of what labels or targets are for: the predictions of the losses that take them, with the classes that all
 * have. Without such a loss, the output. */
static nm_shape judged_shape(const nm_network *net)
{
    nm_shape shape = {0, 0, 0};
    for (int i = 0; i < net->objectives; i++) {
        nm_shape s = net->node[net->objective[i].from].out;
        if (net->objective[i].target < 0)
            shape = shape.c && shape.c < s.c ? shape : s;
    }
    return shape.c ? shape : net->node[net->output].out;
}

/* All losses read the same labels or values. */
static nm_status check_heads(nm_context *ctx, const char *file, const nm_network *net, bool values)
{
    nm_shape all = judged_shape(net);
    for (int i = 0; i < net->objectives; i++) {
        const nm_objective *o = &net->objective[i];
        nm_shape s = net->node[o->from].out;
        bool fits = s.h == all.h && s.w == all.w && (s.c == all.c || (o->type->classifies && !values));
        if (o->target < 0 && !fits)
            return nm_fail(ctx, NM_INVALID,
                           "%s: the losses judge predictions of different shapes, of which '%s' is " NM_SHAPE_FMT
                           "; one set of labels or targets does not fit all",
                           file, net->node[o->from].name, NM_SHAPE_ARGS(s));
    }
    return NM_OK;
}

static nm_status read_labels(nm_context *ctx, nm_h5 *h5, const char *file, const nm_network *net, given *g)
{
    nm_shape out = judged_shape(net);
    size_t places = (size_t)g->n * (size_t)out.h * (size_t)out.w;
    nm_h5_shape found;
    NM_TRY(nm_h5_look(h5, "/labels", &found));
    if (found.count != places)
        return nm_fail(ctx, NM_INVALID, "%s: /labels: expected %zu; found %zu", file, places, found.count);
    g->labels = nm_alloc(ctx, places + 1, sizeof *g->labels);
    if (!g->labels)
        return NM_FAILED;
    NM_TRY(nm_h5_read(h5, "/labels", NM_H5_I32, found.rank, found.dims, g->labels));
    for (size_t i = 0; i < places; i++) {
        if (out.h * out.w > 1 && g->labels[i] == NM_VOID_LABEL)
            g->labels[i] = NM_NO_LABEL;
        if (g->labels[i] >= out.c)
            return nm_fail(ctx, NM_INVALID, "%s: /labels: number %zu is %d; the network has %d classes", file, i,
                           g->labels[i], out.c);
    }
    return NM_OK;
}

/* /targets, or the labels one-hot. */
static nm_status make_values(nm_context *ctx, nm_h5 *h5, const char *file, const nm_network *net, given *g)
{
    nm_shape out = judged_shape(net);
    if (nm_h5_has(h5, "/targets"))
        return read_images(ctx, h5, file, "/targets", out, &g->n, &g->values);
    size_t places = (size_t)g->n * (size_t)out.h * (size_t)out.w;
    g->values = nm_alloc(ctx, places * (size_t)out.c + 1, sizeof *g->values);
    if (!g->values)
        return NM_FAILED;
    for (size_t i = 0; g->labels && i < places; i++)
        if (g->labels[i] >= 0)
            g->values[i * (size_t)out.c + (size_t)g->labels[i]] = 1;
    return NM_OK;
}

/* /model/LAYER/NAME takes the place of a parameter's or running statistic's value. */
static nm_status read_params(nm_h5 *h5, const nm_network *net)
{
    nm_status status = NM_OK;
    for (int i = 0; i < net->params && status == NM_OK; i++) {
        const nm_param *p = &net->param[i];
        char path[PATH_ROOM];
        size_t dims[NM_MAX_RANK];
        for (int d = 0; d < p->rank; d++)
            dims[d] = (size_t)p->dims[d];
        snprintf(path, sizeof path, "/model/%s", p->name);
        if (nm_h5_has(h5, path))
            status = nm_h5_read(h5, path, NM_H5_REAL, p->rank, dims, nm_param_values(net, p));
    }
    return status;
}

/* Whether each loss finds what it takes. */
static nm_status check_targets(nm_context *ctx, const char *file, const nm_network *net, bool labels, bool targets)
{
    for (int i = 0; i < net->objectives; i++) {
        const nm_objective *o = &net->objective[i];
        if (o->target < 0 && !labels && !targets)
            return nm_fail(ctx, NM_INVALID, "%s: expected /labels (n), or /targets, for the loss", file);
        if (o->target < 0 && !labels && o->type->classifies && !o->type->soft)
            return nm_fail(ctx, NM_INVALID, "%s: %s takes classes: expected /labels (n), found /targets alone", file,
                           o->type->name);
    }
    return NM_OK;
}

static nm_status read_given(nm_context *ctx, const char *file, const nm_network *net, given *g)
{
    nm_h5 *h5;
    NM_TRY(nm_h5_open(ctx, file, false, &h5));
    g->x = nm_alloc(ctx, (size_t)net->inputs + 1, sizeof *g->x);
    nm_status status = g->x ? read_params(h5, net) : NM_FAILED;
    if (status == NM_OK)
        status = check_heads(ctx, file, net, nm_h5_has(h5, "/targets"));
    for (int i = 0; i < net->inputs && status == NM_OK; i++) {
        char path[PATH_ROOM];
        snprintf(path, sizeof path, "/inputs/%s", net->node[i].name);
        status =
            read_images(ctx, h5, file, i == 0 && !nm_h5_has(h5, path) ? "/x" : path, net->node[i].out, &g->n, &g->x[i]);
    }
    if (status == NM_OK && nm_h5_has(h5, "/labels"))
        status = read_labels(ctx, h5, file, net, g);
    if (status == NM_OK)
        status = make_values(ctx, h5, file, net, g);
    if (status == NM_OK)
        status = check_targets(ctx, file, net, g->labels != NULL, nm_h5_has(h5, "/targets"));
    nm_h5_free(h5);
    return status;
}

/* ---- what is written ---------------------------------------------------------------------------------- */

static nm_status put_images(nm_h5 *out, const char *group, const char *name, int n, nm_shape s, const real *values)
{
    char path[PATH_ROOM];
    snprintf(path, sizeof path, "%s/%s", group, name);
    const size_t dims[] = {(size_t)n, (size_t)s.h, (size_t)s.w, (size_t)s.c};
    return values ? nm_h5_write(out, path, NM_H5_REAL, 4, dims, values) : NM_OK;
}

static nm_status put_param(nm_h5 *out, const char *group, const nm_param *p, const real *values)
{
    char path[PATH_ROOM];
    size_t dims[NM_MAX_RANK];
    for (int i = 0; i < p->rank; i++)
        dims[i] = (size_t)p->dims[i];
    snprintf(path, sizeof path, "%s/%s", group, p->name);
    NM_TRY(nm_h5_write(out, path, NM_H5_REAL, p->rank, dims, values));
    return nm_h5_note_text(out, path, "layout", p->layout);
}

static nm_status put_params(nm_h5 *out, const char *group, const nm_network *net)
{
    for (int i = 0; i < net->params; i++)
        NM_TRY(put_param(out, group, &net->param[i], nm_param_values(net, &net->param[i])));
    return NM_OK;
}

static nm_status put_pass(nm_h5 *out, const nm_network *net, nm_plan *plan, int n)
{
    for (int i = net->inputs; i < net->nodes; i++)
        NM_TRY(put_images(out, "/activations", net->node[i].name, n, net->node[i].out, nm_plan_output(plan, i)));
    for (int i = 0; i < net->nodes && net->objectives; i++)
        NM_TRY(put_images(out, "/gradients/activations", net->node[i].name, n, net->node[i].out,
                          i < net->inputs ? nm_plan_input_gradient(plan, i) : nm_plan_output_gradient(plan, i)));
    for (int i = 0; i < net->params && net->objectives; i++)
        if (net->param[i].kind != NM_STATE)
            NM_TRY(put_param(out, "/gradients/parameters", &net->param[i],
                             nm_plan_gradients(plan) + net->param[i].offset));
    return NM_OK;
}

static nm_status run_pass(nm_context *ctx, const trace_args *args, const trained *t, const given *g, nm_h5 *out)
{
    nm_plan *plan;
    nm_request request = {.mode = args->train ? NM_TRAIN : NM_EVAL, .batch = g->n, .threads = nm_context_threads(ctx),
                          .keep_all = true, .gradients = true};
    NM_TRY(put_params(out, "/model", t->net));
    NM_TRY(nm_plan_new(t->net, &request, &plan));
    nm_batch batch = {.n = g->n, .x = (const real *const *)g->x, .targets = {g->labels, g->values},
                      .seed = (uint64_t)(args->seed >= 0 ? args->seed : t->settings.seed)};
    nm_plan_forward(plan, &batch);
    nm_status status = NM_OK;
    if (t->net->objectives) {
        double loss = nm_plan_loss(plan, &batch).loss;
        nm_plan_backward(plan, &batch);
        status = nm_h5_write(out, "/loss", NM_H5_F64, 0, NULL, &loss);
    }
    if (status == NM_OK)
        status = put_pass(out, t->net, plan, g->n);
    if (status == NM_OK && args->train)
        status = put_params(out, "/model_after", t->net);
    nm_plan_free(plan);
    return status;
}

static nm_status run(nm_context *ctx, const trace_args *args)
{
    trained t = {0};
    given g = {0};
    nm_h5 *out = NULL;
    if (is_checkpoint(args->model.model)) {
        nm_context_set_threads(ctx, args->model.threads);
        if (args->model.changes)
            return nm_fail(ctx, NM_INVALID, "--set changes a MODEL; '%s' is a checkpoint", args->model.model);
        NM_TRY(open_trained(ctx, args->model.model, &t));
        tell_trained(&t);
    } else {
        NM_TRY(open_model(ctx, args, &t));
    }
    nm_status status = read_given(ctx, args->input, t.net, &g);
    if (status == NM_OK)
        status = nm_h5_new(ctx, args->output, &out);
    if (status == NM_OK)
        status = run_pass(ctx, args, &t, &g, out);
    if (status == NM_OK)
        status = nm_h5_save(out, args->output, false);
    nm_h5_free(out);
    free_given(&g, t.net->inputs);
    close_trained(&t);
    return status;
}

int command_trace(int argc, char **argv)
{
    trace_args args = {.seed = -1};
    struct argp_child children[] = {{&model_argp, 0, NULL, 0}, {0}};
    const struct argp argp = {options, parse, "MODEL|CHECKPOINT",
                              "One pass over the batch in --input: every activation, every gradient, the loss and the "
                              "parameters, as HDF5.",
                              children, NULL, NULL};
    if (!read_arguments(&argp, argc, argv, &args))
        return 0;
    nm_context *ctx = open_context();
    return close_context(ctx, run(ctx, &args));
}
