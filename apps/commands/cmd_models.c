/* norma models: the ready networks. */
#include "alloc.h"
#include "characters.h"
#include "command.h"
#include "file.h"

#include <stdio.h>
#include <string.h>

typedef struct models_args {
    bool json;
} models_args;

static const struct argp_option options[] = {{"json", 'j', 0, 0, "machine-readable result on stdout", 0}, {0}};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    models_args *args = state->input;
    if (key == 'j')
        args->json = true;
    else if (key == ARGP_KEY_ARG)
        argp_error(state, "'norma summary %s' tells about one model", shown(arg));
    else
        return ARGP_ERR_UNKNOWN;
    return 0;
}

/* What the comments that open a model file say: what it is, and behind "Reaches:" what it reaches.
 */
static void read_comments(const char *path, char *what, size_t what_size, char *reaches, size_t reaches_size)
{
    char line[512];
    FILE *f = nm_file_stream(path);
    size_t used = 0;
    *what = *reaches = '\0';
    while (f && fgets(line, sizeof line, f) && *line == '#') {
        line[strcspn(line, "\n")] = '\0';
        if (strncmp(line, "# Reaches: ", 11) == 0)
            snprintf(reaches, reaches_size, "%s", line + 11);
        else if (line[1] == '\0')
            used = what_size; /* what follows is an example */
        else if (used < what_size)
            used += (size_t)snprintf(what + used, what_size - used, "%s%s", used ? " " : "", line + 2);
    }
    if (f)
        fclose(f);
}

/* The data set that it is trained on. */
static const char *data_of(const nm_network *net)
{
    return nm_yaml_text(nm_yaml_get(net->document, "train"), "data", "-");
}

static void print_row(const nm_network *net, const char *name, double parameters, double cost, const char *reaches)
{
    const nm_shape in = net->node[0].out;
    char input[32];
    snprintf(input, sizeof input, "%dx%dx%d", in.h, in.w, in.c);
    printf("%-22s  %-10s  %11.0f  %8.1f M  %-13s  %s\n", shown(name), input, parameters, 1e-6 * cost,
           shown(data_of(net)), shown(reaches));
}

static nm_status print_model(nm_context *ctx, const char *name, json_t *list)
{
    char *path, what[1024], reaches[256];
    nm_yaml *document;
    nm_network *net;
    NM_TRY(nm_model_path(ctx, name, &path));
    read_comments(path, what, sizeof what, reaches, sizeof reaches);
    nm_status status = nm_yaml_load(ctx, path, &document);
    nm_free(path);
    NM_TRY(status);
    NM_TRY(nm_network_open(ctx, document, &nm_train_section, &net));
    double parameters = 0, cost = 0;
    for (int i = net->inputs; i < net->nodes; i++) {
        parameters += (double)nm_node_weights(net, i);
        cost += (double)nm_node_cost(&net->node[i]);
    }
    const nm_shape in = net->node[0].out;
    if (list)
        json_array_append_new(list, json_pack("{s:o, s:o, s:[i,i,i], s:I, s:I, s:o, s:o}", "name", json_text(name),
                                              "what", json_text(what), "input", in.h, in.w, in.c, "parameters",
                                              (json_int_t)parameters, "multiply_adds", (json_int_t)cost, "data",
                                              json_text(data_of(net)), "reaches", json_text(reaches)));
    else
        print_row(net, name, parameters, cost, reaches);
    nm_network_free(net);
    return NM_OK;
}

int command_models(int argc, char **argv)
{
    models_args args = {0};
    const struct argp argp = {
        options,
        parse,
        NULL,
        "The ready networks: input, parameters, multiply-adds of one sample, and what each reached in "
        "test with 'norma train NAME' and the flags given.",
        NULL,
        NULL,
        NULL};
    if (!read_arguments(&argp, argc, argv, &args))
        return 0;
    nm_context *ctx = open_context();
    char **names = NULL;
    int count = 0;
    json_t *list = args.json ? json_array() : NULL;
    nm_status status = nm_model_names(ctx, &names, &count);
    if (!args.json && count)
        printf("%-22s  %-10s  %11s  %10s  %-13s  %s\n", "name", "input", "parameters", "mult-adds", "data", "reaches");
    for (int i = 0; i < count; i++) { /* one that is broken hides no other */
        nm_status one = print_model(ctx, names[i], list);
        status = one != NM_OK ? one : status;
    }
    if (status == NM_OK && count == 0)
        status = nm_fail(ctx, NM_INVALID, "no models were found; NORMA_MODELS may name their folder");
    nm_free(names);
    if (list)
        print_json(list);
    return close_context(ctx, status);
}
