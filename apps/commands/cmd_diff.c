/* norma diff A B: where two checkpoints or two runs begin to differ, and by how much. */
#include "alloc.h"
#include "characters.h"
#include "difference.h"
#include "escaped.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

enum { EQUAL = 0, DIFFERENT = 1, TROUBLE = 2, SHOWN = 20 };

typedef struct diff_args {
    const char *a, *b;
    bool all, json;
} diff_args;

static const struct argp_option options[] = {
    {"all", 'a', 0, 0, "list everything that differs, not the first 20", 1},
    {"json", 'j', 0, 0, "machine-readable result on stdout", 1},
    {0},
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    diff_args *args = state->input;
    switch (key) {
    case 'a':
        args->all = true;
        return 0;
    case 'j':
        args->json = true;
        return 0;
    case ARGP_KEY_ARG:
        if (args->b)
            argp_error(state, "two are compared; found '%s', '%s' and '%s'", args->a, args->b, arg);
        *(args->a ? &args->b : &args->a) = arg;
        return 0;
    case ARGP_KEY_END:
        if (!args->b)
            argp_error(state, "which two? For example runs/a/last.h5 runs/b/last.h5, or runs/a runs/b");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

/* ---- as text --------------------------------------------------------------------------------- */

static void print_settings(const setting_differences *s, bool all)
{
    for (int i = 0; i < s->count && (all || i < SHOWN); i++)
        printf("setting %s: %s and %s\n", escaped(s->setting[i].path),
               s->setting[i].a ? escaped(s->setting[i].a) : "none",
               s->setting[i].b ? escaped(s->setting[i].b) : "none");
    if (!all && s->count > SHOWN)
        printf("… and %d more settings (--all)\n", s->count - SHOWN);
}

static void print_array(const array_difference *d, int width)
{
    const char *path = shown_path(d);
    printf("%-*s  ", padded_width(path, width), path);
    if (d->remark)
        printf("%s\n", escaped(d->remark));
    else
        printf("%10zu  %10zu  %12.6g  %10.3g  %16" PRIu64 "%s\n", d->shape.count, d->different, d->largest, d->relative,
               d->ulps, d->not_finite ? "  not finite" : "");
}

static void print_arrays(const checkpoint_difference *d, bool all)
{
    int shown = all || d->count < SHOWN ? d->count : SHOWN, width = 8;
    for (int i = 0; i < shown; i++)
        width = wider(width, shown_path(&d->array[i]));
    width = width < 60 ? width : 60;
    printf("\n%-*s  %10s  %10s  %12s  %10s  %16s\n", width, "differs", "elements", "different", "largest", "relative",
           "ulps");
    for (int i = 0; i < shown; i++)
        print_array(&d->array[i], width);
    if (shown < d->count)
        printf("… and %d more (--all)\n", d->count - shown);
}

static nm_status print_checkpoints(nm_context *ctx, const checkpoint_difference *d, bool all)
{
    if (d->count == 0)
        return NM_OK;
    char *first = first_difference(ctx, d);
    if (!first)
        return NM_FAILED;
    printf("first difference: %s\n", first);
    nm_free(first);
    print_arrays(d, all);
    return NM_OK;
}

static void print_row(const run_difference *d)
{
    if (d->row >= 0 && d->column)
        printf("first row that differs: row %d of metrics.csv (step %" PRIu64 "), %s: %s and %s\n", d->row + 1,
               d->row_step, d->column, d->a, d->b);
    else if (d->row >= 0)
        printf("rows of metrics.csv: %d and %d\n", d->rows_a, d->rows_b);
    if (d->watch_line)
        printf("watch.csv: line %d is the first that differs\n", d->watch_line);
}

static nm_status print_runs(nm_context *ctx, const run_difference *d, bool all)
{
    print_settings(&d->settings, all);
    print_row(d);
    if (d->file && d->missing)
        printf("%s: not in %s\n", d->file, shown(d->missing));
    else if (d->file)
        printf("first checkpoint that differs: %s\n", d->file);
    return print_checkpoints(ctx, &d->at, all);
}

/* ---- as JSON --------------------------------------------------------------------------------- */

static json_t *settings_as_json(const setting_differences *s)
{
    json_t *list = json_array();
    for (int i = 0; i < s->count; i++) {
        const setting_difference *one = &s->setting[i];
        json_array_append_new(list, json_pack("{s:s, s:s?, s:s?}", "setting", escaped(one->path), "a",
                                              one->a ? escaped(one->a) : NULL, "b", one->b ? escaped(one->b) : NULL));
    }
    return list;
}

static json_t *array_as_json(const array_difference *d)
{
    if (d->remark)
        return json_pack("{s:s, s:s}", "path", escaped(d->path), "remark", escaped(d->remark));
    char element[NM_H5_DESCRIPTION];
    element_text(&d->shape, d->first, element, sizeof element);
    return json_pack("{s:s, s:I, s:I, s:s, s:s, s:s, s:o, s:o, s:I, s:I}", "path", escaped(d->path), "elements",
                     (json_int_t)d->shape.count, "different", (json_int_t)d->different, "element", element, "a", d->a,
                     "b", d->b, "largest", json_number(d->largest), "relative", json_number(d->relative), "ulps",
                     (json_int_t)(d->ulps < INT64_MAX ? d->ulps : INT64_MAX), "not_finite", (json_int_t)d->not_finite);
}

static void add_checkpoints(json_t *to, const checkpoint_difference *d)
{
    json_t *list = json_array();
    for (int i = 0; i < d->count; i++)
        json_array_append_new(list, array_as_json(&d->array[i]));
    if (d->compared) {
        json_object_set_new(to, "step_a", d->step_a < 0 ? json_null() : json_integer(d->step_a));
        json_object_set_new(to, "step_b", d->step_b < 0 ? json_null() : json_integer(d->step_b));
    }
    json_object_set_new(to, "differences", list);
}

static json_t *runs_as_json(const run_difference *d)
{
    json_t *all = json_object();
    json_object_set_new(all, "settings", settings_as_json(&d->settings));
    json_object_set_new(all, "rows", json_pack("[i, i]", d->rows_a, d->rows_b));
    if (d->row >= 0)
        json_object_set_new(all, "first_row",
                            json_pack("{s:i, s:I, s:s?, s:s?, s:s?}", "row", d->row + 1, "step",
                                      (json_int_t)d->row_step, "column", d->column, "a", d->column ? d->a : NULL, "b",
                                      d->column ? d->b : NULL));
    if (d->watch_line)
        json_object_set_new(all, "watch_line", json_integer(d->watch_line));
    json_object_set_new(all, "checkpoint", d->file ? json_string(d->file) : json_null());
    if (d->missing)
        json_object_set_new(all, "missing_in", json_text(d->missing));
    add_checkpoints(all, &d->at);
    return all;
}

static void print_verdict(json_t *all, bool equal)
{
    json_object_set_new(all, "equal", json_boolean(equal));
    print_json(all);
}

/* ---- the command --------------------------------------------------------------------------- */

static nm_status diff_runs(nm_context *ctx, const diff_args *args, int *code)
{
    run_difference d;
    NM_TRY(compare_runs(ctx, args->a, args->b, &d));
    bool equal = !runs_differ(&d) && d.settings.count == 0;
    nm_status status = NM_OK;
    *code = equal ? EQUAL : DIFFERENT;
    if (args->json)
        print_verdict(runs_as_json(&d), equal);
    else
        status = print_runs(ctx, &d, args->all);
    if (equal && !args->json)
        printf("equal: %d rows, %d checkpoints, all settings\n", d.rows_a, d.files);
    free_run_difference(&d);
    return status;
}

static nm_status diff_checkpoints(nm_context *ctx, const diff_args *args, int *code)
{
    checkpoint_difference d;
    NM_TRY(compare_checkpoints(ctx, args->a, args->b, &d));
    bool equal = d.count == 0 && d.settings.count == 0;
    nm_status status = NM_OK;
    *code = equal ? EQUAL : DIFFERENT;
    if (args->json) {
        json_t *all = json_object();
        json_object_set_new(all, "settings", settings_as_json(&d.settings));
        add_checkpoints(all, &d);
        print_verdict(all, equal);
    } else {
        print_settings(&d.settings, args->all);
        status = print_checkpoints(ctx, &d, args->all);
    }
    if (equal && !args->json)
        printf("equal: %d arrays, texts and attributes\n", d.compared);
    free_checkpoint_difference(&d);
    return status;
}

/* What is compared: two folders are runs. */
static nm_status diff(nm_context *ctx, const diff_args *args, int *code)
{
    struct stat a, b;
    if (stat(args->a, &a) != 0)
        return nm_fail(ctx, NM_INVALID, "%s: %s: expected a checkpoint or the folder of a run", args->a,
                       strerror(errno));
    if (stat(args->b, &b) != 0)
        return nm_fail(ctx, NM_INVALID, "%s: %s: expected a checkpoint or the folder of a run", args->b,
                       strerror(errno));
    if (S_ISDIR(a.st_mode) && S_ISDIR(b.st_mode))
        return diff_runs(ctx, args, code);
    if (S_ISDIR(a.st_mode) || S_ISDIR(b.st_mode))
        return nm_fail(ctx, NM_INVALID, "%s: a folder, and %s: a file: expected two runs or two checkpoints",
                       S_ISDIR(a.st_mode) ? args->a : args->b, S_ISDIR(a.st_mode) ? args->b : args->a);
    return diff_checkpoints(ctx, args, code);
}

int command_diff(int argc, char **argv)
{
    diff_args args = {0};
    const struct argp_child children[] = {{&memory_argp, 0, NULL, 0}, {0}};
    const struct argp argp = {
        options,
        parse,
        "A B",
        "Tells whether two checkpoints or two runs are the same, bit for bit, and where they begin to differ: the "
        "first step, layer, array and element, then by how much each array differs (most units in the last place "
        "under 'ulps').\vOf runs: settings (model.yaml), the first row of metrics.csv (all but seconds), "
        "watch.csv, the first "
        "step-*.h5 that both have, then last.h5 and best.h5. Exit status, as of diff(1): 0 equal, 1 different, 2 "
        "trouble of any kind.",
        children,
        NULL,
        NULL};
    if (!read_arguments(&argp, argc, argv, &args))
        return 0;
    int code = EQUAL;
    nm_context *ctx = open_context();
    nm_status status = diff(ctx, &args, &code);
    return close_context(ctx, status) ? TROUBLE : code;
}
