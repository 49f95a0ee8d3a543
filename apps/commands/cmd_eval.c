/* norma eval CHECKPOINT: loss, accuracy, a table of the classes, the confusion matrix. */
#include "characters.h"
#include "cli.h"

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
        args->threads = parse_number(state, "--threads", arg, 1, MOST_THREADS);
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

static nm_class_score score_of(const nm_report *r, int c)
{
    nm_class_score score;
    nm_report_class(r, c, &score);
    return score;
}

static const char *name_of(const nm_report *r, int c)
{
    return name_or_number(nm_report_class_name(r, c), c);
}

/* The mean of the classes' own accuracies, of those that there are samples of. */
static double mean_of_classes(const nm_report *r)
{
    double sum = 0;
    int counted = 0;
    for (int c = 0; c < nm_report_classes(r); c++) {
        nm_class_score score = score_of(r, c);
        sum += score.samples ? share(score.right, score.samples) : 0;
        counted += score.samples > 0;
    }
    return counted ? sum / counted : (double)NAN;
}

/* Columns of the classes' names. */
static int name_width(const nm_report *r, int least)
{
    int width = least;
    for (int c = 0; c < nm_report_classes(r); c++)
        width = wider(width, name_of(r, c));
    return width;
}

/* The classes are numbered where a name is too long for the head of a column: cut names would be
 * mistaken. */
static void print_confusion(const nm_report *r)
{
    enum { CELL = 6 };
    const int *confusion = nm_report_confusion(r), classes = nm_report_classes(r);
    bool numbered = name_width(r, CELL) > CELL;
    int width = name_width(r, 16) + (numbered ? 5 : 0);
    printf("\nconfusion (row: true class, column: predicted%s)\n%-*s", numbered ? ", by number" : "", width, "");
    for (int c = 0; c < classes; c++) {
        const char *name = name_of(r, c);
        if (numbered)
            printf(" %*d", CELL, c);
        else
            printf(" %*s", padded_width(name, CELL), name);
    }
    for (int c = 0; c < classes; c++) {
        const char *name = name_of(r, c);
        if (numbered)
            printf("\n%4d %-*s", c, padded_width(name, width - 5), name);
        else
            printf("\n%-*s", padded_width(name, width), name);
        for (int k = 0; k < classes; k++)
            printf(" %*d", CELL, confusion[(size_t)c * (size_t)classes + (size_t)k]);
    }
    printf("\n");
}

static void print_table(const nm_report *r)
{
    char all[16], mean[16], found[16], precision[16];
    if (nm_report_classes(r) == 0) {
        printf("%d samples: loss %.6f\n", nm_report_samples(r), nm_report_loss(r));
        return;
    }
    printf("%d samples: loss %.4f, accuracy %s (mean over classes %s)\n\n", nm_report_samples(r), nm_report_loss(r),
           percent(all, nm_report_accuracy(r)), percent(mean, mean_of_classes(r)));
    int width = name_width(r, 16);
    printf("%-*s %8s %10s %10s\n", width, "class", "samples", "found", "precision");
    for (int c = 0; c < nm_report_classes(r); c++) {
        nm_class_score n = score_of(r, c);
        const char *name = name_of(r, c);
        printf("%-*s %8llu %10s %10s\n", padded_width(name, width), name, (unsigned long long)n.samples,
               percent(found, share(n.right, n.samples)), percent(precision, share(n.right, n.predicted)));
    }
    if (nm_report_confusion(r))
        print_confusion(r);
}

static json_t *confusion_as_json(const nm_report *r)
{
    const int *confusion = nm_report_confusion(r), classes = nm_report_classes(r);
    if (!confusion && classes)
        return json_null();
    json_t *rows = json_array();
    for (int c = 0; c < classes; c++) {
        json_t *row = json_array();
        for (int k = 0; k < classes; k++)
            json_array_append_new(row, json_integer(confusion[(size_t)c * (size_t)classes + (size_t)k]));
        json_array_append_new(rows, row);
    }
    return rows;
}

static void print_as_json(const nm_report *r, const nm_predictor *predictor)
{
    json_t *classes = json_array();
    for (int c = 0; c < nm_report_classes(r); c++) {
        nm_class_score n = score_of(r, c);
        json_array_append_new(classes,
                              json_pack("{s:s, s:I, s:o, s:o}", "class", name_of(r, c), "samples",
                                        (json_int_t)n.samples, "accuracy", json_number(share(n.right, n.samples)),
                                        "precision", json_number(share(n.right, n.predicted))));
    }
    json_t *all = json_pack("{s:o, s:o, s:o, s:i, s:o, s:o}", "loss", json_number(nm_report_loss(r)), "accuracy",
                            json_number(nm_report_accuracy(r)), "mean_class_accuracy", json_number(mean_of_classes(r)),
                            "samples", nm_report_samples(r), "per_class", classes, "confusion", confusion_as_json(r));
    add_predictor(all, predictor);
    print_json(all);
}

/* ---- the command --------------------------------------------------------------------------- */

static void print_result(const nm_report *r, const eval_args *args, const nm_predictor *predictor)
{
    if (args->json)
        print_as_json(r, predictor);
    else
        print_table(r);
    if (nm_report_classes(r) && !nm_report_confusion(r))
        fprintf(stderr, "norma: the confusion matrix of %d classes is left out; it is made for at most %d\n",
                nm_report_classes(r), nm_report_most_confused());
}

static nm_status run(nm_context *ctx, const eval_args *args)
{
    nm_predictor *predictor;
    nm_report *report = NULL;
    nm_status status = open_predictor(ctx, args->checkpoint, &predictor);
    if (status != NM_OK)
        return status;
    if (!args->json)
        print_predictor(predictor);
    status = nm_predictor_evaluate(ctx, predictor, args->data, args->limit, args->batch, &report);
    if (status == NM_OK)
        print_result(report, args, predictor);
    nm_report_free(report);
    nm_predictor_free(predictor);
    return status;
}

int command_eval(int argc, char **argv)
{
    eval_args args = {0};
    const struct argp_child children[] = {{&memory_argp, 0, NULL, 0}, {0}};
    const struct argp argp = {options,
                              parse,
                              "CHECKPOINT",
                              "Loss and accuracy of CHECKPOINT (a file, or a run directory: its best.h5) on the test "
                              "split, in evaluation mode; a table of the classes; the confusion matrix.",
                              children,
                              NULL,
                              NULL};
    if (!read_arguments(&argp, argc, argv, &args))
        return 0;
    nm_context *ctx = open_context();
    nm_context_set_threads(ctx, args.threads);
    return close_context(ctx, run(ctx, &args));
}
