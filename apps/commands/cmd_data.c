/* norma data NAME: what a data set holds. */
#include "alloc.h"
#include "characters.h"
#include "command.h"
#include "data_picture.h"

#include <stdio.h>

typedef struct data_args {
    const char *name;
    const char *picture;
    int sample;
    bool json;
} data_args;

static const struct argp_option options[] = {
    {"picture", 'p', "FILE", 0, "write a sample of the test split as a PNG", 0},
    {"sample", 's', "N", 0, "which one (preset 0)", 0},
    {"json", 'j', 0, 0, "machine-readable result on stdout", 0},
    {0},
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    data_args *args = state->input;
    if (key == 'j')
        args->json = true;
    else if (key == 'p')
        args->picture = arg;
    else if (key == 's')
        args->sample = parse_number(state, "--sample", arg, 0, 1 << 30);
    else if (key == ARGP_KEY_ARG)
        take_argument(state, "NAME", &args->name, arg);
    else
        return ARGP_ERR_UNKNOWN;
    return 0;
}

/* Labels of each class, and behind them those of none. */
static nm_status count_classes(nm_context *ctx, const nm_samples *samples, int classes, size_t **counts)
{
    *counts = nm_alloc(ctx, (size_t)classes + 1, sizeof **counts);
    if (!*counts)
        return NM_FAILED;
    for (size_t i = 0; samples->labels && i < (size_t)samples->count * nm_label_places(samples); i++)
        (*counts)[samples->labels[i] >= 0 && samples->labels[i] < classes ? samples->labels[i] : classes]++;
    return NM_OK;
}

static void print_split(const char *name, const nm_samples *s)
{
    printf("%s: %d samples of %dx%dx%d\n", name, s->count, s->shape.h, s->shape.w, s->shape.c);
}

/* How evenly the classes are spread, in a sentence. */
static void print_balance(const nm_dataset *data, const size_t *train)
{
    int least = 0, most = 0;
    for (int c = 1; c < data->classes; c++) {
        least = train[c] < train[least] ? c : least;
        most = train[c] > train[most] ? c : most;
    }
    const char *what = data->train.pixel_labels ? "pixels" : "samples";
    if (data->classes > 0 && train[least] == train[most])
        printf("%d classes, each with %zu training %s\n", data->classes, train[least], what);
    else if (data->classes > 0)
        printf("%d classes, from %zu training %s (%s) to %zu (%s)\n", data->classes, train[least], what,
               data->class_names[least], train[most], data->class_names[most]);
}

static void print_text(const nm_dataset *data, const nm_normalisation *n, const size_t *train, const size_t *test)
{
    printf("%s, found in %s\n", shown(data->name), shown(data->found));
    print_split("train", &data->train);
    print_split("test", &data->test);
    print_balance(data, train);
    printf("mean     ");
    for (int c = 0; c < n->channels; c++)
        printf(" %.6f", n->mean[c]);
    printf("   (of the training pixels, 0 to 1, per channel)\ndeviation");
    for (int c = 0; c < n->channels; c++)
        printf(" %.6f", n->deviation[c]);
    int width = 20;
    for (int c = 0; c < data->classes; c++)
        width = wider(width, data->class_names[c]);
    printf("\n\n%-*s %8s %8s\n", width, data->train.pixel_labels ? "class, pixels" : "class", "train", "test");
    for (int c = 0; c < data->classes; c++)
        printf("%-*s %8zu %8zu\n", padded_width(data->class_names[c], width), data->class_names[c], train[c], test[c]);
    if (train[data->classes] + test[data->classes] > 0)
        printf("%-*s %8zu %8zu\n", width, "(no class)", train[data->classes], test[data->classes]);
}

static json_t *split_json(const nm_samples *s, const size_t *counts, int classes)
{
    json_t *list = json_array();
    for (int c = 0; c < classes; c++)
        json_array_append_new(list, json_integer((json_int_t)counts[c]));
    return json_pack("{s:i, s:[i,i,i], s:o}", "samples", s->count, "shape", s->shape.h, s->shape.w, s->shape.c,
                     "per_class", list);
}

static void print_as_json(const nm_dataset *data, const nm_normalisation *n, const size_t *train, const size_t *test)
{
    json_t *names = json_array(), *mean = json_array(), *deviation = json_array();
    for (int c = 0; c < data->classes; c++)
        json_array_append_new(names, json_string(data->class_names[c]));
    for (int c = 0; c < n->channels; c++) {
        json_array_append_new(mean, json_real(n->mean[c]));
        json_array_append_new(deviation, json_real(n->deviation[c]));
    }
    print_json(json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "name", json_text(data->name), "found",
                         json_text(data->found), "classes", names, "train",
                         split_json(&data->train, train, data->classes), "test",
                         split_json(&data->test, test, data->classes), "mean", mean, "deviation", deviation));
}

static nm_status print_data(nm_context *ctx, const data_args *args)
{
    nm_dataset *data;
    nm_normalisation n = {0};
    size_t *train = NULL, *test = NULL;
    NM_TRY(nm_dataset_open(ctx, args->name, NULL, &data));
    nm_status status = nm_dataset_normalisation(ctx, &data->train, &n);
    if (status == NM_OK)
        status = count_classes(ctx, &data->train, data->classes, &train);
    if (status == NM_OK)
        status = count_classes(ctx, &data->test, data->classes, &test);
    if (status == NM_OK)
        (args->json ? print_as_json : print_text)(data, &n, train, test);
    if (status == NM_OK && args->picture)
        status = write_sample(ctx, &data->test, args->sample, args->picture);
    nm_free(train);
    nm_free(test);
    nm_normalisation_free(&n);
    nm_dataset_free(data);
    return status;
}

static void list_sources(bool json)
{
    const nm_source_type *const *types = nm_source_types();
    json_t *list = json_array();
    for (int i = 0; types[i]; i++) {
        const char *how = types[i]->generated    ? "generated, needs no files"
                          : types[i]->needs_path ? "by its path"
                                                 : types[i]->fetch;
        json_array_append_new(list,
                              json_pack("{s:s, s:s, s:s}", "name", types[i]->name, "help", types[i]->help, "get", how));
        if (!json)
            printf("%-16s %s\n%-16s %s%s\n", types[i]->name, types[i]->help, "",
                   types[i]->generated || types[i]->needs_path ? "" : "get it with: ", how);
    }
    if (json) {
        print_json(list);
        return;
    }
    json_decref(list);
    printf("\nLooked for in --data NAME:PATH, $NORMA_DATA/NAME, $XDG_DATA_HOME/norma/NAME, /usr/share/datasets/NAME.\n"
           "'norma data NAME' tells what it holds.\n");
}

int command_data(int argc, char **argv)
{
    data_args args = {0};
    const struct argp_child children[] = {{&memory_argp, 0, NULL, 0}, {0}};
    const struct argp argp = {
        options,
        parse,
        "[NAME]",
        "What the data set NAME (or NAME:PATH) holds: counts, shapes, classes, mean and deviation, "
        "and where it was found. Without NAME: the data sets that norma reads.",
        children,
        NULL,
        NULL};
    if (!read_arguments(&argp, argc, argv, &args))
        return 0;
    if (!args.name) {
        list_sources(args.json);
        return 0;
    }
    nm_context *ctx = open_context();
    return close_context(ctx, print_data(ctx, &args));
}
