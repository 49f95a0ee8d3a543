/* norma verify MODEL: proves on the user's own network that interruptions and threads change no
 * bit. */
#include "cpus.h"
#include "verify.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { STEPS = 40 };

typedef struct verify_args {
    model_args model;
    const char *data;
    int steps;
    bool plant, json;
} verify_args;

static const struct argp_option options[] = {
    {"data", 'd', "NAME[:PATH]", 0, "another data set (preset: that of MODEL)", 1},
    {"steps", 'n', "N", 0, "steps of each run (preset 40)", 1},
    {"plant", 'p', 0, 0, "one run more, which is made to differ: shows that a difference is found", 1},
    {"json", 'j', 0, 0, "machine-readable result on stdout", 1},
    {0},
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    verify_args *args = state->input;
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &args->model;
        return 0;
    case 'd':
        args->data = arg;
        return 0;
    case 'n':
        args->steps = parse_number(state, "--steps", arg, 2, 1000000);
        return 0;
    case 'p':
        args->plant = true;
        return 0;
    case 'j':
        args->json = true;
        return 0;
    case ARGP_KEY_ARG:
        take_argument(state, "MODEL", &args->model.model, arg);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

/* ---- what is trained ----------------------------------------------------------------------- */

static bool is_set(const verify_args *args, const char *path)
{
    for (int i = 0; i < args->model.changes; i++)
        if (strcmp(args->model.change[i].path, path) == 0)
            return true;
    return false;
}

/* Without a MODEL: a small one on data that needs no files, with several epochs in 40 steps. What
 * --set says stays. */
static nm_status set_preset(const verify_args *args, verification *v)
{
    static const char *const presets[][2] = {{"train.data", "digits"}, {"train.batch", "32"}, {"train.limit", "500"},
                                             {"c1.filters", "16"},     {"c2.filters", "32"},  {"d1.units", "32"}};
    for (size_t i = 0; i < sizeof presets / sizeof *presets; i++)
        if (!is_set(args, presets[i][0]))
            NM_TRY(change_document(v->ctx, v->document, "norma verify", presets[i][0], presets[i][1]));
    return NM_OK;
}

static nm_status prepare(const verify_args *args, verification *v)
{
    char steps[32];
    NM_TRY(load_document(v->ctx, &args->model, "mnist-cnn", &v->document));
    if (!args->model.model)
        NM_TRY(set_preset(args, v));
    if (args->data)
        NM_TRY(change_document(v->ctx, v->document, "--data", "train.data", args->data));
    snprintf(steps, sizeof steps, "%d", args->steps ? args->steps : STEPS);
    if (args->steps || !is_set(args, "train.steps"))
        NM_TRY(change_document(v->ctx, v->document, "--steps", "train.steps", steps));
    return verify_set_up(v);
}

/* ---- what is told -------------------------------------------------------------------------- */

static const char *network_name(const verification *v)
{
    return nm_yaml_text(v->document, "name", "network");
}

static void print_head(const verification *v)
{
    printf("%s, %" PRIu64 " steps, ", network_name(v), v->steps);
    if (v->epoch_steps < v->steps)
        printf("%" PRIu64 " an epoch, ", v->epoch_steps);
    printf("a checkpoint every %s", v->every == 1 ? "step" : "");
    if (v->every > 1)
        printf("%d steps", v->every);
    printf("\n%-40s  %11s  %4s  %-16s\n", "run", "checkpoints", "rows", "SHA-256 at end");
}

static void print_trial(const verification *v, int i)
{
    const trial *t = &v->trial[i];
    printf("%-40s  %11d  %4d  %.16s  %s\n", t->title, t->files, t->rows, t->digest,
           i == 0          ? ""
           : t->difference ? "differs"
                           : "equal");
    if (t->difference)
        printf("  first difference: %s\n", t->difference);
    fflush(stdout);
}

static json_t *trial_as_json(const trial *t)
{
    json_t *threads = json_array(), *stopped = json_array();
    for (int i = 0; i <= t->stops; i++)
        json_array_append_new(threads, json_integer(t->threads[i]));
    for (int i = 0; i < t->stops; i++)
        if (t->stop_at[i])
            json_array_append_new(stopped, json_integer((json_int_t)t->stop_at[i]));
    return json_pack("{s:s, s:o, s:o, s:i, s:i, s:s, s:b, s:s?}", "run", t->title, "threads", threads, "stopped_at",
                     stopped, "checkpoints", t->files, "rows", t->rows, "sha256", t->digest, "equal", !t->difference,
                     "first_difference", t->difference);
}

static void print_all_as_json(const verification *v, bool equal)
{
    json_t *list = json_array();
    for (int i = 0; i < v->trials; i++)
        json_array_append_new(list, trial_as_json(&v->trial[i]));
    print_json(json_pack("{s:s, s:I, s:I, s:i, s:o, s:b}", "network", network_name(v), "steps", (json_int_t)v->steps,
                         "steps_per_epoch", (json_int_t)v->epoch_steps, "checkpoint_every", v->every, "runs", list,
                         "equal", equal));
}

/* ---- the command --------------------------------------------------------------------------- */

static nm_status run_all(const verify_args *args, verification *v, bool *ended, bool *equal)
{
    NM_TRY(prepare(args, v));
    nm_context_set_log(v->ctx, NULL, NULL); /* which settings have no effect in so few steps is of no use here */
    verify_list(v, args->model.threads ? args->model.threads : nm_threads_default(), args->plant);
    *ended = false;
    for (int i = 0; i < v->trials && !*ended; i++) {
        fprintf(stderr, "norma: run %d of %d: %s\n", i + 1, v->trials, v->trial[i].title);
        NM_TRY(verify_trial(v, i, ended));
        if (*ended)
            break;
        *equal = *equal && !v->trial[i].difference;
        if (i == 0 && !args->json)
            print_head(v);
        if (!args->json)
            print_trial(v, i);
    }
    if (args->json && !*ended)
        print_all_as_json(v, *equal);
    return NM_OK;
}

int command_verify(int argc, char **argv)
{
    verify_args args = {0};
    struct argp_child children[] = {{&model_argp, 0, NULL, 0}, {&memory_argp, 0, NULL, 0}, {0}};
    const struct argp argp = {
        options,
        parse,
        "[MODEL]",
        "Trains MODEL (preset: a small network on generated digits) for a few steps in one go with one thread, "
        "again with 2, 3 and --threads threads (preset: all cores), and again with stops within epochs, from which "
        "the run is resumed; then compares every parameter, running statistic, slot of the optimizer and row.\vThe "
        "runs lie in a folder of their own in $TMPDIR or /tmp, which is removed. Exit status: 0 every bit is equal, 1 "
        "something differs (the first step, layer and element are named) or failed, 2 wrong usage or file, 3 "
        "diverged, 129, 130 or 143 after a signal.",
        children,
        NULL,
        NULL};
    if (!read_arguments(&argp, argc, argv, &args))
        return 0;
    bool ended = false, equal = true;
    training_screen screen;
    static verification v;
    v = (verification){.ctx = open_context()};
    begin_screen(&screen);
    nm_status status = run_all(&args, &v, &ended, &equal);
    int signalled = end_screen(&screen);
    verify_clear(&v);
    int code = close_context(v.ctx, status);
    return code ? code : signalled ? signalled : equal ? 0 : NM_FAILED;
}
