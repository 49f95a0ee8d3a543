/* norma compare MODEL --vary KEY=A,B…: every combination, trained with the same seed, batches and
 * augmentation. */
#include "compare.h"

#include "alloc.h"
#include "characters.h"
#include "run_dir.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct argp_option options[] = {
    {"vary", 'v', "KEY=A,B...", 0,
     "the variants: a layer type on or off (batchnorm=on,off), a key of train: (lr=0.1,0.3) or LAYER.OPTION; several "
     "--vary give all combinations",
     1},
    {"run", 'r', "DIR", 0,
     "the folder that gets a run directory for each variant (preset: runs/compare-MODEL-1, -2, …)", 1},
    {"resume", 'c', 0, 0, "go on where DIR stands", 1},
    ALLOW_CHANGE_OPTION,
    {"json", 'j', 0, 0, "machine-readable result on stdout", 1},
    {0},
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    compare_args *args = state->input;
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &args->model;
        return 0;
    case 'v':
        if (args->varied == MOST_VARIED)
            argp_error(state, "at most %d --vary", MOST_VARIED);
        args->vary[args->varied++] = arg;
        return 0;
    case 'r':
        args->run = arg;
        return 0;
    case 'c':
        args->resume = true;
        return 0;
    case KEY_ALLOW_CHANGE:
        add_allowed_change(state, arg, &args->allowed);
        return 0;
    case 'j':
        args->json = true;
        return 0;
    case ARGP_KEY_ARG:
        take_argument(state, "MODEL", &args->model.model, arg);
        return 0;
    case ARGP_KEY_END:
        if (args->varied == 0)
            argp_error(state, "what shall vary? For example --vary batchnorm=on,off");
        if (args->resume && !args->run)
            argp_error(state, "--resume needs --run DIR: which comparison shall go on?");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

/* ---- training ------------------------------------------------------------------------------ */

static void judge(arm *a)
{
    const nm_train_result *r = &a->result;
    int best = nm_best_row(r->history, r->rows);
    a->best = best < 0 ? (double)NAN : r->history[best].test_accuracy;
    a->final = r->rows ? r->history[r->rows - 1].test_accuracy : (double)NAN;
}

/* Trains with signals caught and progress shown; *signalled: as end_screen has it. */
static nm_status train_shown(nm_context *ctx, nm_train_request *request, nm_train_result *result, int *signalled)
{
    training_screen screen;
    request->progress = show_progress;
    request->arg = &screen;
    request->stop = stop_signal;
    begin_screen(&screen);
    nm_status status = nm_train(ctx, request, result);
    *signalled = end_screen(&screen);
    return status;
}

static nm_status train_all(comparison *c, int *signalled)
{
    for (int i = 0; i < c->arms && !*signalled; i++) {
        arm *a = &c->arm[i];
        fprintf(stderr, "%s (%d of %d)\n", shown(a->label), i + 1, c->arms);
        bool begun;
        NM_TRY(nm_run_dir_has_checkpoint(c->ctx, a->run, &begun));
        bool resume = begun && c->args->resume;
        nm_train_request request = {.document = a->document,
                                    .run = a->run,
                                    .resume = resume,
                                    .allow_change = c->args->allowed.name,
                                    .cache = &c->data};
        NM_TRY(train_shown(c->ctx, &request, &a->result, signalled));
        if (a->result.diverged)
            fprintf(stderr, "%s: %s was NaN or infinite: it diverged at step %llu\n", shown(a->label), a->result.cause,
                    (unsigned long long)a->result.step);
        judge(a);
    }
    return NM_OK;
}

/* ---- the result ---------------------------------------------------------------------------- */

/* The row at which `a` first reached `goal`, or -1. */
static int reached(const arm *a, double goal)
{
    for (int i = 0; i < a->result.rows; i++)
        if (a->result.history[i].test_accuracy >= goal)
            return i;
    return -1;
}

static void percent(double accuracy, char *text, size_t size)
{
    if (isnan(accuracy))
        snprintf(text, size, "-");
    else
        snprintf(text, size, "%.2f %%", 100 * accuracy);
}

static void print_table(const comparison *c)
{
    double goal = c->arm[0].best;
    char title[64], final[24], best[24], steps[32], seconds[32];
    int width = 8;
    for (int i = 0; i < c->arms; i++)
        width = wider(width, shown(c->arm[i].label));
    snprintf(title, sizeof title, isnan(goal) ? "to the first's best:" : "to %.2f %%:", 100 * goal);
    printf("%-*s %10s %10s  %20s %8s %8s %9s\n", width, "variant", "final", "best", title, "steps", "seconds",
           "total s");
    for (int i = 0; i < c->arms; i++) {
        const arm *a = &c->arm[i];
        const char *label = shown(a->label);
        int row = reached(a, goal);
        percent(a->final, final, sizeof final);
        percent(a->best, best, sizeof best);
        snprintf(steps, sizeof steps, "never");
        snprintf(seconds, sizeof seconds, "never");
        if (row >= 0) {
            snprintf(steps, sizeof steps, "%llu", (unsigned long long)a->result.history[row].step);
            snprintf(seconds, sizeof seconds, "%.1f", a->result.row_seconds[row]);
        }
        printf("%-*s %10s %10s  %20s %8s %8s %9.1f", padded_width(label, width), label, final, best, "", steps, seconds,
               a->result.seconds);
        if (a->result.diverged)
            printf("  diverged at step %llu", (unsigned long long)a->result.step);
        printf("\n");
    }
}

static void print_as_json(const comparison *c)
{
    json_t *list = json_array();
    for (int i = 0; i < c->arms; i++) {
        const arm *a = &c->arm[i];
        int row = reached(a, c->arm[0].best);
        json_array_append_new(
            list, json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:b, s:I, s:f, s:s}", "variant", json_text(a->label), "run",
                            json_text(a->run), "final_accuracy", json_number(a->final), "best_accuracy",
                            json_number(a->best), "steps_to_first_best",
                            row < 0 ? json_null() : json_integer((json_int_t)a->result.history[row].step),
                            "seconds_to_first_best", row < 0 ? json_null() : json_real(a->result.row_seconds[row]),
                            "diverged", a->result.diverged, "steps", (json_int_t)a->result.step, "seconds",
                            a->result.seconds, "initial_parameters_sha256", a->result.model_digest));
    }
    print_json(list);
}

static nm_status finish(comparison *c)
{
    curve curves[MOST_VARIANTS];
    bool drawn;
    for (int i = 0; i < c->arms; i++)
        curves[i] = (curve){c->arm[i].label, c->arm[i].run};
    char *prefix = nm_format(c->ctx, "%s/compare", c->folder);
    nm_status status = prefix ? write_curves(c->ctx, prefix, curves, c->arms, &drawn) : NM_FAILED;
    if (c->args->json)
        print_as_json(c);
    else
        print_table(c);
    if (status == NM_OK && !c->args->json)
        printf(drawn ? "curves: %s.png, %s.svg\n" : "curves: %s.csv, %s.gp\n", shown(prefix), shown(prefix));
    nm_free(prefix);
    return status;
}

static void clear(comparison *c)
{
    for (int i = 0; i < c->arms; i++) {
        nm_free(c->arm[i].label);
        nm_free(c->arm[i].run);
        nm_yaml_free(c->arm[i].document);
        nm_free(c->arm[i].effect);
        nm_train_result_free(&c->arm[i].result);
    }
    for (int k = 0; k < c->keys; k++)
        vary_free(&c->key[k]);
    if (c->folder)
        nm_folder_remove(c->folder, c->made);
    nm_free(c->folder);
    nm_data_cache_free(&c->data);
}

int command_compare(int argc, char **argv)
{
    compare_args args = {0};
    struct argp_child children[] = {{model_train_argp(), 0, NULL, 0}, {0}};
    const struct argp argp = {
        options,
        parse,
        "[MODEL]",
        "Trains every variant of MODEL with the same seed: layers that variants share start with the "
        "same weights and meet the same batches. Tells final and best accuracy, and the steps and "
        "seconds each took to the first variant's best.\v"
        "DIR gets a run directory for each variant, compare.csv (all their rows), compare.png, "
        "compare.svg and compare.gp. A variant that diverges is reported; the exit status is 0 all "
        "the same.",
        children,
        NULL,
        NULL};
    if (!read_arguments(&argp, argc, argv, &args))
        return 0;
    report_allowed_changes(&args.allowed, args.resume);
    nm_context *ctx = open_context();
    static comparison c;
    c = (comparison){.ctx = ctx, .args = &args};
    int signalled = 0;
    nm_status status = comparison_set_up(&c);
    if (status == NM_OK)
        status = train_all(&c, &signalled);
    if (status == NM_OK && signalled)
        printf("stopped; 'norma compare … --resume --run %s' goes on\n", shown(c.folder));
    else if (status == NM_OK)
        status = finish(&c);
    clear(&c);
    int code = close_context(ctx, status);
    return code ? code : signalled;
}
