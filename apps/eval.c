/* norma eval CHECKPOINT: loss, accuracy, a table of the classes, the confusion matrix. */
#include "alloc.h"
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
    {"limit", KEY_LIMIT, "N", 0, "the first N test samples only", 0},
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

typedef struct class_score {
    int samples, right, predicted;
} class_score;

static class_score score_class(const nm_evaluation *e, int c)
{
    class_score s = {0, e->confusion[c * e->classes + c], 0};
    for (int k = 0; k < e->classes; k++) {
        s.samples += e->confusion[c * e->classes + k];
        s.predicted += e->confusion[k * e->classes + c];
    }
    return s;
}

static double share(int part, int whole)
{
    return whole ? (double)part / whole : (double)NAN;
}

/* The mean of the classes' own accuracies, of those that there are samples of. */
static double mean_of_classes(const nm_evaluation *e)
{
    double sum = 0;
    int counted = 0;
    for (int c = 0; c < e->classes; c++) {
        class_score s = score_class(e, c);
        sum += s.samples ? share(s.right, s.samples) : 0;
        counted += s.samples > 0;
    }
    return counted ? sum / counted : (double)NAN;
}

static void print_table(const nm_evaluation *e, const nm_dataset *data)
{
    if (e->classes == 0) {
        printf("%d samples: loss %.6f\n", e->samples, e->loss);
        return;
    }
    printf("%d samples: loss %.4f, accuracy %.2f %% (mean over classes %.2f %%)\n\n", e->samples, e->loss,
           100 * e->accuracy, 100 * mean_of_classes(e));
    printf("%-16s %8s %10s %10s\n", "class", "samples", "found", "precision");
    for (int c = 0; c < e->classes; c++) {
        class_score s = score_class(e, c);
        printf("%-16s %8d %8.2f %% %8.2f %%\n", class_name(data->class_names, data->classes, c), s.samples,
               100 * share(s.right, s.samples), 100 * share(s.right, s.predicted));
    }
    printf("\nconfusion (row: true class, column: predicted)\n%-16s", "");
    for (int c = 0; c < e->classes; c++)
        printf(" %6.6s", class_name(data->class_names, data->classes, c));
    for (int c = 0; c < e->classes; c++) {
        printf("\n%-16s", class_name(data->class_names, data->classes, c));
        for (int k = 0; k < e->classes; k++)
            printf(" %6d", e->confusion[c * e->classes + k]);
    }
    printf("\n");
}

static void print_as_json(const nm_evaluation *e, const nm_dataset *data)
{
    json_t *classes = json_array(), *confusion = json_array();
    for (int c = 0; c < e->classes; c++) {
        class_score s = score_class(e, c);
        json_array_append_new(classes, json_pack("{s:s, s:i, s:o, s:o}", "class",
                                                 class_name(data->class_names, data->classes, c), "samples", s.samples,
                                                 "accuracy", json_number(share(s.right, s.samples)), "precision",
                                                 json_number(share(s.right, s.predicted))));
        json_t *row = json_array();
        for (int k = 0; k < e->classes; k++)
            json_array_append_new(row, json_integer(e->confusion[c * e->classes + k]));
        json_array_append_new(confusion, row);
    }
    print_json(json_pack("{s:o, s:o, s:o, s:i, s:o, s:o}", "loss", json_number(e->loss), "accuracy",
                         json_number(e->accuracy), "mean_class_accuracy", json_number(mean_of_classes(e)), "samples",
                         e->samples, "per_class", classes, "confusion", confusion));
}

/* ---- the command ------------------------------------------------------------------------------ */

static nm_status run(nm_context *ctx, const eval_args *args)
{
    trained t;
    nm_dataset *data = NULL;
    nm_evaluation e = {0};
    NM_TRY(open_trained(ctx, args->checkpoint, &t));
    nm_data_form form = nm_settings_form(&t.settings, t.net);
    nm_status status = nm_dataset_open(ctx, args->data ? args->data : t.settings.data, &form, &data);
    if (status == NM_OK)
        status = nm_evaluate(ctx, t.net, &data->test, args->limit, args->batch ? args->batch : t.settings.eval_batch,
                             &t.normalisation, t.settings.binary, &e);
    if (status == NM_OK && args->json)
        print_as_json(&e, data);
    else if (status == NM_OK)
        print_table(&e, data);
    nm_free(e.confusion);
    nm_dataset_free(data);
    close_trained(&t);
    return status;
}

int command_eval(int argc, char **argv)
{
    eval_args args = {0};
    const struct argp argp = {options, parse, "CHECKPOINT",
                              "Loss and accuracy of CHECKPOINT (a file, or a run directory: its best.h5) on the test "
                              "split, in evaluation mode; a table of the classes; the confusion matrix.",
                              NULL, NULL, NULL};
    argp_parse(&argp, argc, argv, 0, NULL, &args);
    nm_context *ctx = open_context();
    nm_context_set_threads(ctx, args.threads);
    return close_context(ctx, run(ctx, &args));
}
