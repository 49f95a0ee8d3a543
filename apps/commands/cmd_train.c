/* norma train MODEL: one run. */
#include "alloc.h"
#include "command.h"
#include "run_dir.h"
#include "tune.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { KEY_RUN = 'r', KEY_RESUME = 'c', KEY_TUNE = 't' };

typedef struct train_args {
    model_args model;
    const char *run;
    bool resume, tune;
} train_args;

static const struct argp_option options[] = {
    {"run", KEY_RUN, "DIR", 0, "the run directory (preset: runs/MODEL-1, -2, …)", 1},
    {"tune", KEY_TUNE, 0, 0, "first measure which algorithm is fastest for each convolution; the run keeps the choice",
     1},
    {"resume", KEY_RESUME, 0, 0, "go on where DIR stands", 1},
    {0},
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    train_args *args = state->input;
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &args->model;
        return 0;
    case KEY_RUN:
        args->run = arg;
        return 0;
    case KEY_TUNE:
        args->tune = true;
        return 0;
    case KEY_RESUME:
        args->resume = true;
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

/* runs/NAME, of which the first free number becomes the run directory. */
static void run_stem(const nm_yaml *document, char *stem, size_t size)
{
    char name[192];
    nm_run_name(nm_yaml_text(document, "name", "network"), name, sizeof name);
    snprintf(stem, size, "runs/%s", name);
}

static void print_result(const nm_train_result *r)
{
    int best = nm_best_row(r->history, r->rows);
    const nm_history_row *last = r->rows ? &r->history[r->rows - 1] : NULL;
    if (last && !r->diverged && (best < 0 || isnan(last->test_accuracy)))
        printf("%s loss %.6f after %llu steps in %.1f s\n", best < 0 ? "no test split; training" : "test",
               best < 0 ? last->train_loss : last->test_loss, (unsigned long long)r->step, r->seconds);
    else if (last && !r->diverged)
        printf("test accuracy %.2f %% (best %.2f %% at step %llu), test loss %.4f after %llu steps in %.1f s\n",
               100 * last->test_accuracy, 100 * r->history[best].test_accuracy,
               (unsigned long long)r->history[best].step, last->test_loss, (unsigned long long)r->step, r->seconds);
    if (!isnan(r->waited))
        printf("waited %.2f %% of the time for data\n", 100 * r->waited);
    if (r->diverged)
        printf("diverged: the loss was NaN or infinite at step %llu; a smaller --lr may help\n",
               (unsigned long long)r->step);
    if (r->stopped)
        printf("stopped at step %llu; 'norma train --resume --run %s …' goes on\n", (unsigned long long)r->step,
               r->run);
    printf("run directory: %s\n", r->run);
}

/* A resumed run takes the model that stands in the run directory, unless another is given. NULL:
 * there is none. */
static const char *default_model(const train_args *args, char *path, size_t size)
{
    if (!args->resume || !args->run)
        return "mnist-cnn";
    snprintf(path, size, "%s/model.yaml", args->run);
    return access(path, F_OK) == 0 ? path : NULL;
}

static nm_status tune(nm_context *ctx, nm_yaml *document)
{
    int measured, known;
    nm_status status = nm_tune(ctx, document, &measured, &known);
    if (status == NM_OK)
        fprintf(stderr, "norma: tuned: %d layers measured, %d remembered\n", measured, known);
    return status;
}

/* A MODEL that is something else that norma made; 0: nothing is wrong with it. */
static int check_model_word(const train_args *args)
{
    const char *model = args->model.model, *base = model ? strrchr(model, '/') : NULL;
    size_t length = model ? strlen(model) : 0;
    char inside[4096];
    struct stat st;
    snprintf(inside, sizeof inside, "%s/model.yaml", model ? model : "");
    if (model && stat(inside, &st) == 0)
        return usage_error(
            "%s: is a run directory, not a MODEL; to go on with it: norma train --resume --run %s; to begin "
            "another such run: norma train %s",
            model, model, inside);
    if (length > 3 && strcmp(model + length - 3, ".h5") == 0)
        return usage_error(
            "%s: is a checkpoint, not a MODEL; to go on with its run: norma train --resume --run %.*s; to "
            "begin another with its parameters: norma train MODEL --init-from %s",
            model, base ? (int)(base - model) : 1, base ? model : ".", model);
    return 0;
}

/* There is no model.yaml in the run directory, and no MODEL was named. */
static int nothing_to_resume(const char *run)
{
    char last[4096];
    struct stat st;
    const char *base = strrchr(run, '/');
    snprintf(last, sizeof last, "%s/last.h5", run);
    if (stat(run, &st) == 0 && !S_ISDIR(st.st_mode))
        return usage_error("%s: is a file; --run takes the run directory: %.*s", run, base ? (int)(base - run) : 1,
                           base ? run : ".");
    if (access(last, F_OK) == 0)
        return usage_error("%s: its model.yaml is missing; name the MODEL that it was trained from", run);
    return usage_error("%s: there is no run to go on with yet; name the MODEL to start it there", run);
}

int command_train(int argc, char **argv)
{
    train_args args = {0};
    struct argp_child children[] = {{model_train_argp(), 0, NULL, 0}, {0}};
    const struct argp argp = {
        options,
        parse,
        "[MODEL]",
        "Trains MODEL, a path or the name of a ready model (preset: mnist-cnn on Fashion-MNIST).\v"
        "The run directory gets model.yaml, metrics.csv, last.h5, best.h5. Ctrl-C saves and stops; "
        "--resume goes on, to the same bits as if nothing had happened (with the choices that --tune made). Exit "
        "status: 0 done, 1 failed, "
        "2 wrong usage or file, 3 diverged, 129, 130 or 143 after a signal.",
        children,
        NULL,
        NULL};
    if (!read_arguments(&argp, argc, argv, &args))
        return 0;
    if (check_model_word(&args))
        return NM_INVALID;
    if (args.resume && !args.run)
        return usage_error("--resume needs --run DIR: which run shall go on?");
    nm_context *ctx = open_context();
    nm_yaml *document = NULL;
    char model[4096], stem[256];
    const char *otherwise = default_model(&args, model, sizeof model);
    if (!otherwise && !args.model.model) {
        (void)close_context(ctx, NM_OK);
        return nothing_to_resume(args.run);
    }
    nm_status status = load_document(ctx, &args.model, otherwise, &document);
    if (args.tune && args.resume)
        fprintf(stderr, "norma: --tune has no effect with --resume: the run keeps the algorithms that it began with\n");
    if (status == NM_OK && args.tune && !args.resume && (status = tune(ctx, document)) != NM_OK)
        nm_yaml_free(document);
    if (status != NM_OK)
        return close_context(ctx, status);
    run_stem(document, stem, sizeof stem);
    nm_train_request request = {.document = document, .run = args.run, .run_stem = stem, .resume = args.resume};
    nm_train_result result = {0};
    int signalled = 0;
    status = train_shown(ctx, &request, &result, &signalled);
    if (status == NM_OK)
        print_result(&result);
    bool diverged = result.diverged, stopped = result.stopped;
    nm_train_result_free(&result);
    nm_yaml_free(document);
    int code = close_context(ctx, status);
    return code ? code : diverged ? NM_DIVERGED : stopped ? signalled : 0;
}
