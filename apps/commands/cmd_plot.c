/* norma plot RUN…: curves of runs. */
#include "alloc.h"
#include "characters.h"
#include "command.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MOST_RUNS = 64 };

typedef struct plot_args {
    int runs;
    const char *run[MOST_RUNS];
    const char *output;
    bool terminal;
} plot_args;

static const struct argp_option options[] = {
    {"output", 'o', "PREFIX", 0, "writes PREFIX.png, .svg, .csv and .gp (preset: RUN/curves, or curves for several)",
     0},
    {"terminal", 't', 0, 0, "draws as text on stdout instead", 0},
    {0},
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    plot_args *args = state->input;
    switch (key) {
    case 'o':
        args->output = arg;
        return 0;
    case 't':
        args->terminal = true;
        return 0;
    case ARGP_KEY_ARG:
        if (args->runs == MOST_RUNS)
            argp_error(state, "at most %d runs", MOST_RUNS);
        args->run[args->runs++] = arg;
        return 0;
    case ARGP_KEY_END:
        if (args->runs == 0)
            argp_error(state, "which RUN? For example runs/mnist-cnn-1");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

typedef struct curve_list {
    int count;
    curve curves[MOST_RUNS];
    char *path[MOST_RUNS]; /* without symbolic links; free */
} curve_list;

static bool has_metrics(nm_context *ctx, const char *folder)
{
    char *path = nm_format(ctx, "%s/metrics.csv", folder);
    bool there = path && access(path, F_OK) == 0;
    nm_free(path);
    return there;
}

static nm_status add(nm_context *ctx, curve_list *list, const char *folder, const char *below)
{
    char *run = below ? nm_format(ctx, "%s/%s", folder, below) : nm_strdup(ctx, folder);
    char *whole = run ? realpath(run, NULL) : NULL; /* "." has a name too */
    nm_status status = run ? NM_OK : NM_FAILED;
    if (run && !whole)
        status = nm_fail(ctx, NM_INVALID, "%s: %s", run, strerror(errno));
    for (int i = 0; i < list->count && status == NM_OK; i++)
        if (strcmp(list->path[i], whole) == 0) {
            nm_log(ctx, "%s: named twice, drawn once", run);
            nm_free(run);
            free(whole);
            return NM_OK;
        }
    if (status == NM_OK && list->count == MOST_RUNS)
        status = nm_fail(ctx, NM_INVALID, "%s: more than %d runs", folder, MOST_RUNS);
    if (status == NM_OK) {
        list->path[list->count] = whole;
        list->curves[list->count++] = (curve){NULL, run};
        return NM_OK;
    }
    nm_free(run);
    free(whole);
    return status;
}

/* The last `components` components of a path; all of it where it has no more. */
static const char *last_components(const char *path, int components)
{
    const char *at = path + strlen(path);
    for (int found = 0; at > path; at--)
        if (at[-1] == '/' && ++found == components)
            break;
    return at;
}

/* Labels are the names of the folders, with as many of the parents' as it takes to tell them apart.
 */
static nm_status label_runs(nm_context *ctx, curve_list *list)
{
    int components[MOST_RUNS];
    bool changed = true;
    for (int i = 0; i < list->count; i++)
        components[i] = 1;
    while (changed) {
        bool same[MOST_RUNS] = {false};
        changed = false;
        for (int i = 0; i < list->count; i++)
            for (int k = 0; k < list->count; k++)
                same[i] = same[i] || (k != i && strcmp(last_components(list->path[i], components[i]),
                                                       last_components(list->path[k], components[k])) == 0);
        for (int i = 0; i < list->count; i++) { /* paths differ, so that this ends */
            components[i] += same[i];
            changed = changed || same[i];
        }
    }
    for (int i = 0; i < list->count; i++)
        if (!(list->curves[i].label = nm_strdup(ctx, last_components(list->path[i], components[i]))))
            return NM_FAILED;
    return NM_OK;
}

/* A run, or a folder of runs (as compare leaves it): all of them. */
static nm_status add_runs(nm_context *ctx, curve_list *list, const char *folder)
{
    struct dirent **entries;
    if (has_metrics(ctx, folder))
        return add(ctx, list, folder, NULL);
    int before = list->count, found = scandir(folder, &entries, NULL, versionsort);
    nm_status status = NM_OK;
    for (int i = 0; i < found; i++) {
        char *below = nm_format(ctx, "%s/%s", folder, entries[i]->d_name);
        if (status == NM_OK && entries[i]->d_name[0] != '.' && below && has_metrics(ctx, below))
            status = add(ctx, list, folder, entries[i]->d_name);
        nm_free(below);
        free(entries[i]);
    }
    if (found >= 0)
        free(entries);
    if (status == NM_OK && nm_failed_status(ctx) == NM_FAILED)
        status = NM_FAILED; /* not all could be looked at */
    if (status == NM_OK && list->count == before)
        return nm_fail(ctx, NM_INVALID, "%s: not a run directory, nor a folder of some: it has no metrics.csv", folder);
    return status;
}

static nm_status draw(nm_context *ctx, const plot_args *args, const curve_list *list)
{
    if (args->terminal)
        return draw_on_terminal(ctx, list->curves, list->count);
    char *prefix = args->output      ? nm_strdup(ctx, args->output)
                   : args->runs == 1 ? nm_format(ctx, "%s/curves", args->run[0])
                                     : nm_strdup(ctx, "curves");
    bool drawn;
    nm_status status = prefix ? write_curves(ctx, prefix, list->curves, list->count, &drawn) : NM_FAILED;
    if (status == NM_OK)
        printf(drawn ? "%s.png\n%s.svg\n" : "%s.csv\n%s.gp\n", shown(prefix), shown(prefix));
    nm_free(prefix);
    return status == NM_OK && !drawn ? NM_FAILED : status;
}

int command_plot(int argc, char **argv)
{
    plot_args args = {0};
    const struct argp argp = {options,
                              parse,
                              "RUN...",
                              "Loss and accuracy of runs, finished or running, against steps and seconds: test thick, "
                              "training thin. Runs named KEY=VALUE,KEY=VALUE as compare names them have a colour for "
                              "each value of the first key that differs, a dash and a marker for the others. RUN may "
                              "be a folder of runs.",
                              NULL,
                              NULL,
                              NULL};
    if (!read_arguments(&argp, argc, argv, &args))
        return 0;
    nm_context *ctx = open_context();
    curve_list list = {0};
    nm_status status = NM_OK;
    for (int i = 0; i < args.runs && status == NM_OK; i++)
        status = add_runs(ctx, &list, args.run[i]);
    if (status == NM_OK)
        status = label_runs(ctx, &list);
    if (status == NM_OK)
        status = draw(ctx, &args, &list);
    for (int i = 0; i < list.count; i++) {
        nm_free(list.curves[i].label);
        nm_free(list.curves[i].run);
        free(list.path[i]);
    }
    return close_context(ctx, status);
}
