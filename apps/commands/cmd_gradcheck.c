/* norma gradcheck MODEL: numerical against analytic gradients. The double build does the work
 * (norma-f64, which stands beside this program or in ../libexec/norma); the float build calls it.
 */
#include "characters.h"
#include "gradients.h"

#include <errno.h>
#include <limits.h>
#include <math.h>
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
    fprintf(stderr, "norma: gradients are checked by norma-f64, the double build: %s: %s\n", shown(path),
            strerror(errno));
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
        args->tolerance = parse_real(state, "--tolerance", arg, 0, INFINITY);
        return 0;
    case KEY_JSON:
        args->json = true;
        return 0;
    case ARGP_KEY_ARG:
        take_argument(state, "MODEL", &args->model.model, arg);
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
        json_array_append_new(r->list,
                              json_pack("{s:s, s:I, s:i, s:o, s:o, s:b}", "name", name, "values", (json_int_t)count,
                                        "checked", f->checked, "largest_gradient", json_number(f->largest), "error",
                                        json_number(f->error), "good", good));
    else
        printf("%-28s %10zu %8d %14.4g %12.2e  %s\n", name, count, f->checked, f->largest, f->error,
               good ? "good" : "WRONG");
}

static void check_losses(gradients *g, const check_args *args, report *r)
{
    for (int i = 0; i < nm_network_objectives(g->net); i++) {
        finding f = gradients_check_loss(g, i, args->samples, r->tolerance);
        report_array(r, g->judged[i].name, g->judged[i].count, &f);
    }
}

static nm_status check_input(gradients *g, int input, const check_args *args, report *r)
{
    nm_layer_info layer = NM_LAYER_INFO_INIT;
    NM_TRY(nm_network_layer(g->ctx, g->net, input, &layer));
    NM_TRY(gradients_run(g));
    const nm_real *gradient = nm_trainer_input_gradient(g->trainer, input);
    if (!gradient)
        return NM_OK;
    size_t count = (size_t)g->batch.n * gradients_layer_size(g, input);
    nm_real *copy = gradients_memory(g->ctx, count, sizeof *copy); /* forward overwrites it */
    if (!copy)
        return NM_FAILED;
    memcpy(copy, gradient, count * sizeof *copy);
    finding f = gradients_check(g, g->x[input], copy, count, args->samples, r->tolerance);
    report_array(r, layer.name, count, &f);
    free(copy);
    return NM_OK;
}

static nm_status check_parameters(gradients *g, const check_args *args, report *r)
{
    NM_TRY(gradients_run(g));
    for (int i = 0; i < nm_network_parameters(g->net); i++) {
        nm_parameter p = NM_PARAMETER_INIT;
        NM_TRY(nm_network_parameter(g->ctx, g->net, i, &p));
        if (!p.trained)
            continue;
        finding f =
            gradients_check(g, p.values, nm_trainer_gradient(g->trainer, i), p.count, args->samples, r->tolerance);
        report_array(r, p.name, p.count, &f);
    }
    return NM_OK;
}

static nm_status check_all(gradients *g, const check_args *args, report *r)
{
    if (!args->json)
        printf("%-28s %10s %8s %14s %12s\n", "array", "values", "checked", "largest grad.", "error");
    check_losses(g, args, r);
    for (int i = 0; i < nm_network_inputs(g->net); i++)
        NM_TRY(check_input(g, i, args, r));
    return check_parameters(g, args, r);
}

static nm_status check_network(nm_context *ctx, nm_network *net, const check_args *args)
{
    gradients g;
    if (!nm_network_objectives(net))
        return nm_fail(ctx, NM_INVALID, "%s: the network has no loss whose gradient could be checked",
                       nm_network_name(net));
    report r = {.json = args->json, .tolerance = args->tolerance, .list = json_array()};
    nm_status status = gradients_open(ctx, net, args->batch, &g);
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
    nm_model *model;
    nm_network *net;
    NM_TRY(check_model(ctx, args->model.model));
    NM_TRY(load_model(ctx, &args->model, "mnist-cnn", &model));
    nm_status status = nm_network_new_fresh(ctx, model, &net);
    nm_model_free(model);
    NM_TRY(status);
    status = check_network(ctx, net, args);
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
