/* norma gradcheck MODEL: numerical against analytic gradients. The double build does the work
 * (norma-f64, which stands beside this program or in ../libexec/norma); the float build calls it.
 */
#include "alloc.h"
#include "command.h"
#include "gradients.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#ifndef NM_DOUBLE

static int run_in_double(int argc, char **argv)
{
    static const char *const places[] = {"norma-f64", "../libexec/norma/norma-f64"};
    char folder[PATH_MAX - 64], path[PATH_MAX];
    ssize_t length = readlink("/proc/self/exe", folder, sizeof folder - 1);
    folder[length > 0 ? length : 0] = '\0';
    char *slash = strrchr(folder, '/');
    if (slash)
        slash[1] = '\0';
    char **words = calloc((size_t)argc + 2, sizeof *words);
    if (!words)
        return NM_FAILED;
    words[1] = (char *)"gradcheck";
    memcpy(words + 2, argv + 1, (size_t)(argc - 1) * sizeof *words);
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        snprintf(path, sizeof path, "%s%s", folder, places[i]);
        words[0] = path;
        execv(path, words);
    }
    free(words);
    fprintf(stderr, "norma: gradients are checked by norma-f64, the double build: %s: %s\n", path, strerror(errno));
    return NM_FAILED;
}

#endif

typedef struct check_args {
    model_args model;
    int samples, batch;
    double tolerance;
    bool json;
} check_args;

enum { KEY_SAMPLES = 'n', KEY_BATCH = 'b', KEY_TOLERANCE = 'e', KEY_JSON = 'j' };

static const struct argp_option options[] = {
    {"samples", KEY_SAMPLES, "N", 0, "values of each parameter that are checked (preset 20)", 1},
    {"batch", KEY_BATCH, "N", 0, "images in the batch (preset 4)", 1},
    {"tolerance", KEY_TOLERANCE, "X", 0, "largest relative error (preset 1e-5)", 1},
    {"json", KEY_JSON, 0, 0, "machine-readable result on stdout", 1},
    {0},
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    check_args *args = state->input;
    char *end;
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &args->model;
        return 0;
    case KEY_SAMPLES:
        args->samples = parse_number(state, "--samples", arg, 1, 1000000);
        return 0;
    case KEY_BATCH:
        args->batch = parse_number(state, "--batch", arg, 1, 1000);
        return 0;
    case KEY_TOLERANCE:
        args->tolerance = strtod(arg, &end);
        if (*end || !(args->tolerance > 0))
            argp_error(state, "--tolerance must be a number above 0; found '%s'", arg);
        return 0;
    case KEY_JSON:
        args->json = true;
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

#ifdef NM_DOUBLE

/* ---- checking ------------------------------------------------------------------------------ */

typedef struct report {
    bool json;
    json_t *list;
    double tolerance;
    int failed;
} report;

static void report_array(report *r, const char *name, size_t count, const finding *f)
{
    bool good = f->error <= r->tolerance;
    r->failed += !good;
    if (r->json)
        json_array_append_new(r->list, json_pack("{s:s, s:I, s:i, s:f, s:f, s:b}", "name", name, "values",
                                                 (json_int_t)count, "checked", f->checked, "largest_gradient",
                                                 f->largest, "error", f->error, "good", good));
    else
        printf("%-28s %10zu %8d %14.4g %12.2e  %s\n", name, count, f->checked, f->largest, f->error,
               good ? "good" : "WRONG");
}

static void check_losses(gradients *g, const check_args *args, report *r)
{
    for (int i = 0; i < g->net->objectives; i++) {
        char name[256];
        const nm_objective *o = &g->net->objective[i];
        snprintf(name, sizeof name, "%s of %s", o->type->name, g->net->node[o->from].name);
        finding f = gradients_check_loss(g, i, args->samples, r->tolerance);
        report_array(r, name, (size_t)g->batch.n * nm_shape_size(g->net->node[o->from].out), &f);
    }
}

static nm_status check_inputs(gradients *g, const check_args *args, report *r)
{
    nm_network *net = g->net;
    for (int i = 0; i < net->inputs; i++) {
        size_t count = (size_t)g->batch.n * nm_shape_size(net->node[i].out);
        real *dx = nm_alloc(g->ctx, count, sizeof(real));
        if (!dx)
            return NM_FAILED;
        gradients_run(g);
        if (nm_plan_input_gradient(g->plan, i)) {
            memcpy(dx, nm_plan_input_gradient(g->plan, i), count * sizeof(real));
            finding f = gradients_check(g, g->x[i], dx, count, args->samples, r->tolerance);
            report_array(r, net->node[i].name, count, &f);
        }
        nm_free(dx);
    }
    return NM_OK;
}

static nm_status check_all(gradients *g, const check_args *args, report *r)
{
    nm_network *net = g->net;
    real *analytic = nm_alloc(g->ctx, net->weight_count + 1, sizeof(real));
    if (!analytic)
        return NM_FAILED;
    if (!args->json)
        printf("%-28s %10s %8s %14s %12s\n", "array", "values", "checked", "largest grad.", "error");
    gradients_run(g);
    memcpy(analytic, nm_plan_gradients(g->plan), net->weight_count * sizeof(real));
    check_losses(g, args, r);
    nm_status status = check_inputs(g, args, r);
    for (int i = 0; i < net->params && status == NM_OK; i++) {
        const nm_param *p = &net->param[i];
        if (p->kind == NM_STATE || p->frozen)
            continue;
        finding f =
            gradients_check(g, net->weights + p->offset, analytic + p->offset, p->count, args->samples, r->tolerance);
        report_array(r, p->name, p->count, &f);
    }
    nm_free(analytic);
    return status;
}

static nm_status check_network(nm_context *ctx, nm_network *net, const check_args *args, uint64_t seed)
{
    gradients g;
    report r = {.json = args->json, .tolerance = args->tolerance, .list = json_array()};
    if (!net->objectives)
        return nm_fail(ctx, NM_INVALID, "%s: the network has no loss whose gradient could be checked", net->name);
    nm_network_initialise(net, seed);
    nm_status status = gradients_open(ctx, net, args->batch, seed, &g);
    if (status == NM_OK)
        status = check_all(&g, args, &r);
    if (status == NM_OK && args->json)
        print_json(json_incref(r.list));
    if (status == NM_OK && r.failed)
        status =
            nm_fail(ctx, NM_FAILED, "%d arrays have gradients that are off by more than %g", r.failed, r.tolerance);
    json_decref(r.list);
    gradients_free(&g);
    return status;
}

/* Gradients are those of a model with fresh weights. */
static nm_status check_model(nm_context *ctx, const char *model)
{
    struct stat st;
    const char *dot = model ? strrchr(model, '.') : NULL;
    if (model && stat(model, &st) == 0 && S_ISDIR(st.st_mode))
        return nm_fail(ctx, NM_INVALID, "%s: a folder; expected a MODEL, as %s/model.yaml of a run", model, model);
    if (dot && strcmp(dot, ".h5") == 0)
        return nm_fail(ctx, NM_INVALID, "%s: a checkpoint; expected a MODEL, as the model.yaml beside it", model);
    return NM_OK;
}

static nm_status run(nm_context *ctx, const check_args *args)
{
    nm_network *net;
    NM_TRY(check_model(ctx, args->model.model));
    NM_TRY(open_model(ctx, &args->model, "mnist-cnn", &net));
    nm_status status = check_network(ctx, net, args, (uint64_t)nm_settings_of(net)->seed);
    nm_network_free(net);
    return status;
}

#endif

int command_gradcheck(int argc, char **argv)
{
    check_args args = {.samples = 20, .batch = 4, .tolerance = 1e-5};
    struct argp_child children[] = {{&model_argp, 0, NULL, 0}, {0}};
    const struct argp argp = {
        options,
        parse,
        "[MODEL]",
        "Compares the gradients that MODEL computes, by every parameter and by the input, with "
        "numerical ones, in double, on a random batch in training mode. Exit status 1 where one is "
        "wrong.",
        children,
        NULL,
        NULL};
    if (!read_arguments(&argp, argc, argv, &args))
        return 0;
#ifdef NM_DOUBLE
    nm_context *ctx = open_context();
    return close_context(ctx, run(ctx, &args));
#else
    return run_in_double(argc, argv);
#endif
}
