/* norma eval CHECKPOINT: loss, accuracy, a table of the classes, the confusion matrix. */
#include "alloc.h"
#include "characters.h"
#include "command.h"

#include <math.h>
#include <stdio.h>

typedef struct eval_args {
    const char *checkpoint, *data;
    int limit, batch, threads;
    bool json;
} eval_args;

enum { KEY_DATA = 'd', KEY_LIMIT = 'n', KEY_BATCH = 'b', KEY_JSON = 'j', KEY_THREADS = 't' };

static const struct argp_option options[] = {
    {"data", KEY_DATA, "D", 0, "data set, NAME or NAME:PATH (preset: the one it was trained on)", 0},
    {"limit", KEY_LIMIT, "N", 0, "a random subset of N test samples, always the same", 0},
    {"batch", KEY_BATCH, "N", 0, "samples at once; never changes a result", 0},
    {"threads", KEY_THREADS, "N", 0, "threads; never changes a result", 0},
    {"json", KEY_JSON, 0, 0, "machine-readable result on stdout", 0},
    {0},
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    eval_args *args = state->input;
    switch (key) {
    case KEY_DATA:
        args->data = arg;
        return 0;
    case KEY_LIMIT:
        args->limit = parse_number(state, "--limit", arg, 1, 1 << 30);
        return 0;
    case KEY_BATCH:
        args->batch = parse_number(state, "--batch", arg, 1, 1000000);
        return 0;
    case KEY_THREADS:
        args->threads = parse_number(state, "--threads", arg, 1, NM_MOST_THREADS);
        return 0;
    case KEY_JSON:
        args->json = true;
        return 0;
    default:
        return parse_checkpoint(key, arg, state, &args->checkpoint);
    }
}

/* ---- the result ----------------------------------------------------------------------------- */

/* Of nothing: NaN, which is printed as "-" or null. */
static double share(uint64_t part, uint64_t whole)
{
    return whole ? (double)part / (double)whole : (double)NAN;
}

/* "97.50 %", or "-" where there is none. */
static const char *percent(char text[16], double value)
{
    if (isnan(value))
        snprintf(text, 16, "-");
    else
        snprintf(text, 16, "%.2f %%", 100 * value);
    return text;
}

/* The mean of the classes' own accuracies, of those that there are samples of. */
static double mean_of_classes(const nm_evaluation *e)
{
    double sum = 0;
    int counted = 0;
    for (int c = 0; c < e->classes; c++) {
        sum += e->of_class[c].samples ? share(e->of_class[c].right, e->of_class[c].samples) : 0;
        counted += e->of_class[c].samples > 0;
    }
    return counted ? sum / counted : (double)NAN;
}

/* Columns of the classes' names. */
static int name_width(const nm_evaluation *e, const nm_dataset *data, int least)
{
    int width = least;
    for (int c = 0; c < e->classes; c++)
        width = wider(width, class_name(data->class_names, data->classes, c));
    return width;
}

/* The classes are numbered where a name is too long for the head of a column: cut names would be
 * mistaken. */
static void print_confusion(const nm_evaluation *e, const nm_dataset *data)
{
    enum { CELL = 6 };
    bool numbered = name_width(e, data, CELL) > CELL;
    int width = name_width(e, data, 16) + (numbered ? 5 : 0);
    printf("\nconfusion (row: true class, column: predicted%s)\n%-*s", numbered ? ", by number" : "", width, "");
    for (int c = 0; c < e->classes; c++) {
        const char *name = class_name(data->class_names, data->classes, c);
        if (numbered)
            printf(" %*d", CELL, c);
        else
            printf(" %*s", padded_width(name, CELL), name);
    }
    for (int c = 0; c < e->classes; c++) {
        const char *name = class_name(data->class_names, data->classes, c);
        if (numbered)
            printf("\n%4d %-*s", c, padded_width(name, width - 5), name);
        else
            printf("\n%-*s", padded_width(name, width), name);
        for (int k = 0; k < e->classes; k++)
            printf(" %*d", CELL, e->confusion[(size_t)c * (size_t)e->classes + (size_t)k]);
    }
    printf("\n");
}

static void print_table(const nm_evaluation *e, const nm_dataset *data)
{
    char all[16], mean[16], found[16], precision[16];
    if (e->classes == 0) {
        printf("%d samples: loss %.6f\n", e->samples, e->loss);
        return;
    }
    printf("%d samples: loss %.4f, accuracy %s (mean over classes %s)\n\n", e->samples, e->loss,
           percent(all, e->accuracy), percent(mean, mean_of_classes(e)));
    int width = name_width(e, data, 16);
    printf("%-*s %8s %10s %10s\n", width, "class", "samples", "found", "precision");
    for (int c = 0; c < e->classes; c++) {
        const nm_class_count *n = &e->of_class[c];
        const char *name = class_name(data->class_names, data->classes, c);
        printf("%-*s %8llu %10s %10s\n", padded_width(name, width), name, (unsigned long long)n->samples,
               percent(found, share(n->right, n->samples)), percent(precision, share(n->right, n->predicted)));
    }
    if (e->confusion)
        print_confusion(e, data);
}

static json_t *confusion_as_json(const nm_evaluation *e)
{
    if (!e->confusion && e->classes)
        return json_null();
    json_t *confusion = json_array();
    for (int c = 0; c < e->classes; c++) {
        json_t *row = json_array();
        for (int k = 0; k < e->classes; k++)
            json_array_append_new(row, json_integer(e->confusion[(size_t)c * (size_t)e->classes + (size_t)k]));
        json_array_append_new(confusion, row);
    }
    return confusion;
}

static void print_as_json(const nm_evaluation *e, const trained *t, const nm_dataset *data)
{
    json_t *classes = json_array();
    for (int c = 0; c < e->classes; c++) {
        const nm_class_count *n = &e->of_class[c];
        json_array_append_new(
            classes, json_pack("{s:s, s:I, s:o, s:o}", "class", class_name(data->class_names, data->classes, c),
                               "samples", (json_int_t)n->samples, "accuracy", json_number(share(n->right, n->samples)),
                               "precision", json_number(share(n->right, n->predicted))));
    }
    json_t *all = json_pack("{s:o, s:o, s:o, s:i, s:o, s:o}", "loss", json_number(e->loss), "accuracy",
                            json_number(e->accuracy), "mean_class_accuracy", json_number(mean_of_classes(e)), "samples",
                            e->samples, "per_class", classes, "confusion", confusion_as_json(e));
    add_trained(all, t);
    print_json(all);
}

/* ---- the command --------------------------------------------------------------------------- */

static void print_result(const nm_evaluation *e, const eval_args *args, const trained *t, const nm_dataset *data)
{
    if (args->json)
        print_as_json(e, t, data);
    else
        print_table(e, data);
    if (e->classes && !e->confusion)
        fprintf(stderr, "norma: the confusion matrix of %d classes is left out; it is made for at most %d\n",
                e->classes, NM_MOST_CONFUSED);
}

static nm_status run(nm_context *ctx, const eval_args *args)
{
    trained t;
    nm_dataset *data = NULL;
    nm_evaluation e = {0};
    NM_TRY(open_trained(ctx, args->checkpoint, &t));
    if (!args->json)
        print_trained(&t);
    nm_status status = nm_trained_data_open(ctx, args->data, t.settings, t.net, t.classes, &data);
    if (status == NM_OK && data->test.count == 0)
        status = nm_fail(ctx, NM_INVALID, "%s: it has no test samples", data->found);
    if (status == NM_OK)
        status = nm_evaluate(ctx, t.net, &data->test, args->limit, args->batch ? args->batch : t.settings->eval_batch,
                             &t.normalisation, t.settings->binary, &e);
    if (status == NM_OK)
        print_result(&e, args, &t, data);
    nm_evaluation_free(&e);
    nm_dataset_free(data);
    close_trained(&t);
    return status;
}

int command_eval(int argc, char **argv)
{
    eval_args args = {0};
    const struct argp argp = {options,
                              parse,
                              "CHECKPOINT",
                              "Loss and accuracy of CHECKPOINT (a file, or a run directory: its best.h5) on the test "
                              "split, in evaluation mode; a table of the classes; the confusion matrix.",
                              NULL,
                              NULL,
                              NULL};
    if (!read_arguments(&argp, argc, argv, &args))
        return 0;
    nm_context *ctx = open_context();
    nm_context_set_threads(ctx, args.threads);
    return close_context(ctx, run(ctx, &args));
}
