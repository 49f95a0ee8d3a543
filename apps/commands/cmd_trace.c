/* norma trace MODEL|CHECKPOINT --input FILE --output FILE: one pass, with every activation and
 * gradient, into HDF5. */
#include "alloc.h"
#include "characters.h"
#include "command.h"
#include "trace.h"

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

enum { KEY_INPUT = 'i', KEY_OUTPUT = 'o', KEY_MODE = 'm', KEY_SEED = 's' };

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
            argp_error(state, "--mode must be train or eval; found '%s'", shown(arg));
        return 0;
    case KEY_SEED:
        args->seed = parse_number(state, "--seed", arg, 0, 1 << 30);
        return 0;
    case ARGP_KEY_ARG:
        take_argument(state, "MODEL or CHECKPOINT", &args->model.model, arg);
        return 0;
    case ARGP_KEY_END:
        if (!args->model.model || !args->input || !args->output)
            argp_error(state, "expected a MODEL or CHECKPOINT, --input and --output");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

/* ---- the network --------------------------------------------------------------------------- */

static nm_status open_untrained(nm_context *ctx, const trace_args *args, trained *t)
{
    NM_TRY(open_model(ctx, &args->model, "mnist-cnn", &t->net));
    t->settings = nm_settings_of(t->net);
    if (t->settings->no_fuse)
        nm_log(ctx, "train: 'no_fuse' has no effect: a trace keeps what every layer gives, so each does its own work");
    nm_network_initialise(t->net, (uint64_t)(args->seed >= 0 ? args->seed : t->settings->seed));
    return NM_OK;
}

/* A checkpoint ends in .h5, or is a run directory. */
static bool is_checkpoint(const char *name)
{
    struct stat st;
    size_t length = strlen(name);
    return (length > 3 && strcmp(name + length - 3, ".h5") == 0) || (stat(name, &st) == 0 && S_ISDIR(st.st_mode));
}

/* ---- what is written ----------------------------------------------------------------------- */

static nm_status put_images(nm_h5 *out, const char *group, const char *name, int n, nm_shape s, const real *values)
{
    char path[PATH_SIZE];
    snprintf(path, sizeof path, "%s/%s", group, name);
    const size_t dims[] = {(size_t)n, (size_t)s.h, (size_t)s.w, (size_t)s.c};
    return values ? nm_h5_write(out, path, NM_H5_REAL, 4, dims, values) : NM_OK;
}

static nm_status put_param(nm_h5 *out, const char *group, const nm_param *p, const real *values)
{
    char path[PATH_SIZE];
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
                          i < net->inputs ? nm_plan_output_gradient(plan, i) : nm_plan_output_gradient(plan, i)));
    for (int i = 0; i < net->params && net->objectives; i++)
        if (net->param[i].kind != NM_STATE)
            NM_TRY(put_param(out, "/gradients/parameters", &net->param[i],
                             nm_plan_gradients(plan) + net->param[i].offset));
    return NM_OK;
}

static nm_status run_pass(nm_context *ctx, const trace_args *args, const trained *t, const given *g, nm_h5 *out)
{
    nm_plan *plan;
    nm_request request = {.mode = args->train ? NM_TRAIN : NM_EVAL,
                          .batch = g->n,
                          .threads = nm_context_threads(ctx),
                          .keep_all = true,
                          .gradients = true,
                          .beside = &(nm_beside){.flag = "an --input of "}};
    NM_TRY(put_params(out, "/model", t->net));
    NM_TRY(nm_plan_new(t->net, &request, &plan));
    nm_batch batch = {.n = g->n,
                      .x = (const real *const *)g->x,
                      .targets = {g->labels, g->values},
                      .seed = (uint64_t)(args->seed >= 0 ? args->seed : t->settings->seed)};
    nm_plan_run(plan, &batch, NM_PHASE_FORWARD);
    nm_status status = NM_OK;
    if (t->net->objectives) {
        double loss = nm_plan_run(plan, &batch, NM_PHASE_LOSS).loss;
        nm_plan_run(plan, &batch, NM_PHASE_BACKWARD);
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
            return nm_fail(ctx, NM_INVALID, "%s changes a MODEL; '%s' is a checkpoint", args->model.change[0].origin,
                           args->model.model);
        NM_TRY(open_trained(ctx, args->model.model, &t));
        print_trained(&t);
    } else {
        NM_TRY(open_untrained(ctx, args, &t));
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
    struct argp_child children[] = {{&model_argp, 0, NULL, 0}, {&memory_argp, 0, NULL, 0}, {0}};
    const struct argp argp = {options,
                              parse,
                              "MODEL|CHECKPOINT",
                              "One pass over the batch in --input: every activation, every gradient, the loss and the "
                              "parameters, as HDF5.",
                              children,
                              NULL,
                              NULL};
    if (!read_arguments(&argp, argc, argv, &args))
        return 0;
    nm_context *ctx = open_context();
    return close_context(ctx, run(ctx, &args));
}
