/* norma gradcheck MODEL: numerical against analytic gradients. The double build does the work (norma-f64, which stands
 * beside this program or in ../libexec/norma); the float build calls it. */
#include "alloc.h"
#include "command.h"

#include <errno.h>
#include <float.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#ifndef NM_DOUBLE

int command_gradcheck(int argc, char **argv)
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

#else

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

/* ---- the network at work -------------------------------------------------------------------------- */

typedef struct check {
    nm_context *ctx;
    nm_network *net;
    nm_plan *plan;
    nm_batch batch;
    real **x; /* [inputs] */
    const real *const *inputs;
    real *states; /* before any forward */
    int32_t *labels;
    real *values;
    nm_rng rng;
} check;

static double loss(check *c)
{
    memcpy(c->net->states, c->states, c->net->state_count * sizeof(real));
    nm_plan_forward(c->plan, &c->batch);
    return nm_plan_loss(c->plan, &c->batch).loss;
}

/* Random images and targets for them. */
static nm_status make_batch(check *c, int n)
{
    const nm_network *net = c->net;
    nm_shape out = net->node[net->output].out;
    size_t places = (size_t)n * (size_t)out.h * (size_t)out.w;
    c->x = nm_alloc(c->ctx, (size_t)net->inputs, sizeof *c->x);
    c->states = nm_alloc(c->ctx, net->state_count + 1, sizeof(real));
    c->labels = nm_alloc(c->ctx, places, sizeof *c->labels);
    c->values = nm_alloc(c->ctx, places * (size_t)out.c, sizeof(real));
    if (!c->x || !c->states || !c->labels || !c->values)
        return NM_FAILED;
    memcpy(c->states, net->states, net->state_count * sizeof(real));
    for (int i = 0; i < net->inputs; i++) {
        size_t count = (size_t)n * nm_shape_size(net->node[i].out);
        if (!(c->x[i] = nm_alloc(c->ctx, count, sizeof(real))))
            return NM_FAILED;
        for (size_t k = 0; k < count; k++)
            c->x[i][k] = nm_rng_normal(&c->rng);
    }
    for (size_t k = 0; k < places; k++)
        c->labels[k] = (int32_t)nm_rng_below(&c->rng, (uint32_t)out.c);
    for (size_t k = 0; k < places * (size_t)out.c; k++)
        c->values[k] = nm_rng_uniform(&c->rng);
    c->batch =
        (nm_batch){.n = n, .x = (const real *const *)c->x, .targets = {c->labels, c->values}, .seed = 1, .step = 1};
    return NM_OK;
}

static void free_batch(check *c)
{
    for (int i = 0; c->x && i < c->net->inputs; i++)
        nm_free(c->x[i]);
    nm_free(c->x);
    nm_free(c->states);
    nm_free(c->labels);
    nm_free(c->values);
}

/* ---- checking ---------------------------------------------------------------------------------------- */

typedef struct finding {
    int checked;
    double error; /* largest |numerical - analytic| over the largest |gradient| of this array */
    double largest;
    size_t worst;
} finding;

/* Central differences of the fourth order at `value`, with a step that suits it. */
static double numerical(check *c, real *value)
{
    double before = *value, h = 1e-4 * fmax(0.1, fabs(before)), side[4];
    static const double at[4] = {-2, -1, 1, 2};
    for (int k = 0; k < 4; k++) {
        *value = before + at[k] * h;
        side[k] = loss(c);
    }
    *value = before;
    return (side[0] - 8 * side[1] + 8 * side[2] - side[3]) / (12 * h);
}

/* The same with a step so small that a kink (of relu, of max pooling) between the points is unlikely, at the price of
 * rounding. */
static double numerical_near(check *c, real *value)
{
    double before = *value, h = 1e-7 * fmax(0.1, fabs(before));
    *value = before + h;
    double above = loss(c);
    *value = before - h;
    double below = loss(c);
    *value = before;
    return (above - below) / (2 * h);
}

static finding check_array(check *c, real *values, const real *gradient, size_t count, int samples)
{
    finding f = {0};
    for (size_t i = 0; i < count; i++)
        f.largest = fmax(f.largest, fabs(gradient[i]));
    double scale = f.largest > 1e-8 ? f.largest : 1e-8;
    for (int k = 0; k < samples && (size_t)k < count; k++) {
        size_t i = count <= (size_t)samples ? (size_t)k : nm_rng_below(&c->rng, (uint32_t)count);
        double off = fabs(numerical(c, &values[i]) - gradient[i]);
        if (off > 1e-6 * scale)
            off = fmin(off, fabs(numerical_near(c, &values[i]) - gradient[i]));
        f.checked++;
        if (!(off / scale <= f.error)) {
            f.error = off / scale;
            f.worst = i;
        }
    }
    return f;
}

typedef struct report {
    bool json;
    json_t *list;
    double tolerance;
    int failed;
} report;

static void tell(report *r, const char *name, size_t count, const finding *f)
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

static nm_status check_all(check *c, const check_args *args, report *r)
{
    nm_network *net = c->net;
    real *gradients = nm_alloc(c->ctx, net->weight_count + 1, sizeof(real));
    if (!gradients)
        return NM_FAILED;
    loss(c);
    nm_plan_backward(c->plan, &c->batch);
    memcpy(gradients, nm_plan_gradients(c->plan), net->weight_count * sizeof(real));
    if (!args->json)
        printf("%-28s %10s %8s %14s %12s\n", "array", "values", "checked", "largest grad.", "error");
    for (int i = 0; i < net->inputs; i++) {
        size_t count = (size_t)c->batch.n * nm_shape_size(net->node[i].out);
        real *dx = nm_alloc(c->ctx, count, sizeof(real));
        if (dx && nm_plan_input_gradient(c->plan, i)) {
            loss(c);
            nm_plan_backward(c->plan, &c->batch);
            memcpy(dx, nm_plan_input_gradient(c->plan, i), count * sizeof(real));
            finding f = check_array(c, c->x[i], dx, count, args->samples);
            tell(r, net->node[i].name, count, &f);
        }
        nm_free(dx);
    }
    for (int i = 0; i < net->params; i++) {
        const nm_param *p = &net->param[i];
        if (p->kind == NM_STATE || p->frozen)
            continue;
        finding f = check_array(c, net->weights + p->offset, gradients + p->offset, p->count, args->samples);
        tell(r, p->name, p->count, &f);
    }
    nm_free(gradients);
    return NM_OK;
}

static nm_status check_network(nm_context *ctx, nm_network *net, const check_args *args, uint64_t seed)
{
    check c = {.ctx = ctx, .net = net, .rng = nm_rng_stream(seed, "gradcheck", "batch")};
    report r = {.json = args->json, .tolerance = args->tolerance, .list = json_array()};
    if (!net->objectives)
        return nm_fail(ctx, NM_INVALID, "%s: the network has no loss whose gradient could be checked", net->name);
    nm_network_initialise(net, seed);
    nm_request request = {.mode = NM_TRAIN, .batch = args->batch, .threads = nm_context_threads(ctx),
                          .input_gradients = true};
    nm_status status = nm_plan_new(net, &request, &c.plan);
    if (status == NM_OK)
        status = make_batch(&c, args->batch);
    if (status == NM_OK)
        status = check_all(&c, args, &r);
    if (status == NM_OK && args->json)
        print_json(json_incref(r.list));
    if (status == NM_OK && r.failed)
        status =
            nm_fail(ctx, NM_FAILED, "%d arrays have gradients that are off by more than %g", r.failed, r.tolerance);
    json_decref(r.list);
    free_batch(&c);
    nm_plan_free(c.plan);
    return status;
}

static nm_status run(nm_context *ctx, const check_args *args)
{
    nm_yaml *document;
    nm_train_settings settings;
    nm_network *net = NULL;
    NM_TRY(load_document(ctx, &args->model, "mnist-cnn", &document));
    nm_status status = read_settings(ctx, document, &settings);
    if (status != NM_OK) {
        nm_yaml_free(document);
        return status;
    }
    status = nm_network_build(ctx, document, &settings.without, &net);
    if (status == NM_OK)
        status = check_network(ctx, net, args, (uint64_t)settings.seed);
    nm_options_free(nm_train_options, &settings);
    nm_network_free(net);
    return status;
}

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
    argp_parse(&argp, argc, argv, 0, NULL, &args);
    nm_context *ctx = open_context();
    return close_context(ctx, run(ctx, &args));
}

#endif
