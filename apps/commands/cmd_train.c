/* norma train MODEL: one run. */
#include "characters.h"
#include "cli.h"
#include "together.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { KEY_RUN = 'r', KEY_RESUME = 'c', KEY_TUNE = 't', KEY_VERBOSE = 'v' };

typedef struct train_args {
    model_args model;
    const char *run;
    bool resume, tune, verbose;
    allowed_changes allowed;
} train_args;

static const struct argp_option options[] = {
    {"run", KEY_RUN, "DIR", 0, "the run directory (preset: runs/MODEL-1, -2, …)", 1},
    {"tune", KEY_TUNE, 0, 0, "first measure which algorithm is fastest for each convolution; the run keeps the choice",
     1},
    {"resume", KEY_RESUME, 0, 0, "go on where DIR stands", 1},
    {"verbose", KEY_VERBOSE, 0, 0, "first tell where each process runs: its threads, CPUs and NUMA nodes", 1},
    ALLOW_CHANGE_OPTION,
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
    case KEY_VERBOSE:
        args->verbose = true;
        return 0;
    case KEY_ALLOW_CHANGE:
        add_allowed_change(state, arg, &args->allowed);
        return 0;
    case ARGP_KEY_ARG:
        take_argument(state, "MODEL", &args->model.model, arg);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

/* What the last row says of the test split, or of training where there is none. */
static void print_last(const nm_outcome *o)
{
    const nm_metrics *best = o->best, *last = o->last;
    if (!best || isnan(last->test_accuracy))
        printf("%s loss %.6f after %llu steps in %.1f s\n", best ? "test" : "no test split; training",
               best ? last->test_loss : last->train_loss, (unsigned long long)o->step, o->seconds);
    else
        printf("test accuracy %.2f %% (best %.2f %% at step %llu), test loss %.4f after %llu steps in %.1f s\n",
               100 * last->test_accuracy, 100 * best->test_accuracy, (unsigned long long)best->step, last->test_loss,
               (unsigned long long)o->step, o->seconds);
}

static void print_outcome(const nm_outcome *o)
{
    if (o->last && !o->diverged)
        print_last(o);
    if (!isnan(o->waited))
        printf("waited %.2f %% of the time for data\n", 100 * o->waited);
    if (o->step_messages > 0)
        printf("process 0 of %d sent %.0f bytes in %.0f messages a step\n", joined_processes(), o->step_bytes,
               o->step_messages);
    if (o->diverged)
        printf("diverged: %s was NaN or infinite at step %llu; last.h5 is from before that, and "
               "'norma train --resume --run %s --lr …' with a smaller rate goes on from it\n",
               o->cause, (unsigned long long)o->step, shown(o->run));
    if (o->stopped)
        printf("stopped at step %llu; 'norma train --resume --run %s …' goes on\n", (unsigned long long)o->step,
               shown(o->run));
    printf("run directory: %s\n", shown(o->run));
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

static nm_status tune(nm_context *ctx, nm_model *model)
{
    int measured, known;
    NM_TRY(nm_model_tune(ctx, model, &measured, &known));
    fprintf(stderr, "norma: tuned: %d layers measured, %d remembered\n", measured, known);
    return NM_OK;
}

static void print_line(void *arg, const char *line)
{
    (void)arg;
    fprintf(stderr, "%s\n", line);
}

/* All processes take part, whichever of them was asked. */
static nm_status report_processes(nm_context *ctx, bool asked)
{
    if (!asked && joined_processes() == 1)
        return NM_OK;
    return nm_processes_report(ctx, asked ? print_line : NULL, NULL);
}

/* With signals caught and progress shown. *code: the exit status of a run that diverged or was
 * stopped, else 0. */
static nm_status train_shown(nm_context *ctx, const nm_model *model, const train_args *args, int *code)
{
    training_screen screen;
    nm_training how = NM_TRAINING_INIT;
    nm_outcome outcome = NM_OUTCOME_INIT;
    how.run = args->run;
    how.runs = "runs";
    how.resume = args->resume;
    how.allow_change = args->allowed.name;
    how.on_progress = show_progress;
    how.arg = &screen;
    how.stop = stop_signal;
    begin_screen(&screen);
    nm_status status = nm_model_train(ctx, model, &how, &outcome);
    int signalled = end_screen(&screen);
    if (outcome.diverged)
        status = NM_OK;                 /* its message is print_outcome's */
    if (status == NM_OK && outcome.run) /* of several processes, process 0 has it */
        print_outcome(&outcome);
    *code = outcome.diverged ? NM_DIVERGED : outcome.stopped ? signalled : 0;
    nm_outcome_free(&outcome);
    return status;
}

static nm_status run(nm_context *ctx, const train_args *args, int *code)
{
    nm_model *model;
    char path[4096];
    const char *otherwise = default_model(args, path, sizeof path);
    report_allowed_changes(&args->allowed, args->resume);
    nm_status status = load_model(ctx, &args->model, otherwise, &model);
    if (args->tune && args->resume)
        fprintf(stderr, "norma: --tune has no effect with --resume: the run keeps the algorithms that it began with\n");
    if (status == NM_OK)
        status = report_processes(ctx, args->verbose);
    if (status == NM_OK && args->tune && !args->resume)
        status = tune(ctx, model);
    if (status == NM_OK)
        status = train_shown(ctx, model, args, code);
    nm_model_free(model);
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

/* 0: nothing is wrong with it. */
static int check_usage(const train_args *args)
{
    char path[4096];
    if (check_model_word(args))
        return NM_INVALID;
    if (args->resume && !args->run)
        return usage_error("--resume needs --run DIR: which run shall go on?");
    if (args->tune && joined_processes() > 1)
        return usage_error("--tune: not with several processes, which would measure differently; tune with one, then "
                           "start them with the model.yaml of its run");
    if (!args->model.model && !default_model(args, path, sizeof path))
        return nothing_to_resume(args->run);
    return 0;
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
    nm_context *ctx = open_context();
    nm_status joined = join_processes(ctx);
    if (joined != NM_OK)
        return close_context(ctx, joined);
    int code = check_usage(&args), failed = 0;
    if (code == 0)
        failed = run(ctx, &args, &code);
    if (failed && joined_processes() > 1) /* before another's status makes mpirun end this one */
        print_errors(ctx);
    failed = close_context(ctx, part_processes(ctx, (nm_status)failed));
    return failed ? failed : code;
}
