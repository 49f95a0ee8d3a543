/* norma layers [TYPE]: the words of model files, from the option tables. */
#include "command.h"
#include "foreign_names.h"

#include <stdio.h>
#include <string.h>

/* What every registry's entries have in common. */
typedef struct entry {
    const char *name, *help;
    const nm_option *options;
} entry;

enum { MOST = 128 };

typedef struct registry {
    const char *title;
    nm_type_kind kind;
    int count;
    entry entries[MOST];
} registry;

#define COLLECT(registry, type, kind)                                                                                  \
    for (int i = 0; i < nm_types(ctx, kind)->count && (registry)->count < MOST; i++) {                                 \
        const type *t = nm_types(ctx, kind)->types[i];                                                                 \
        (registry)->entries[(registry)->count++] = (entry){t->name, t->help, t->options};                              \
    }

enum { REGISTRIES = 4 };

static void collect(const nm_context *ctx, registry all[REGISTRIES])
{
    all[0] = (registry){"layers", NM_LAYER, 0, {{0}}};
    COLLECT(&all[0], nm_layer_type, NM_LAYER);
    all[1] = (registry){"losses", NM_LOSS, 0, {{0}}};
    COLLECT(&all[1], nm_loss_type, NM_LOSS);
    all[2] = (registry){"optimizers", NM_OPTIMIZER, 0, {{0}}};
    COLLECT(&all[2], nm_optimizer_type, NM_OPTIMIZER);
    all[3] = (registry){"schedules", NM_SCHEDULE, 0, {{0}}};
    COLLECT(&all[3], nm_schedule_type, NM_SCHEDULE);
}

static void print_options(const nm_option *options)
{
    for (int i = 0; options && options[i].name; i++) {
        char expected[512];
        const nm_option *o = &options[i];
        nm_option_expected(o, expected, sizeof expected);
        printf("  %-16s %s\n  %-16s %s", o->name, o->help ? o->help : "", "", expected);
        if (!o->preset)
            printf("; must be given\n");
        else if (*o->preset)
            printf("; preset %s\n", o->preset);
        else
            printf("\n");
    }
}

static json_t *entry_json(const entry *e)
{
    json_t *options = json_array();
    for (int i = 0; e->options && e->options[i].name; i++) {
        char expected[512];
        const nm_option *o = &e->options[i];
        nm_option_expected(o, expected, sizeof expected);
        json_array_append_new(options, json_pack("{s:s, s:s, s:s, s:s?}", "name", o->name, "help",
                                                 o->help ? o->help : "", "expected", expected, "preset", o->preset));
    }
    return json_pack("{s:s, s:s, s:o}", "name", e->name, "help", e->help, "options", options);
}

/* ---- the command --------------------------------------------------------------------------- */

typedef struct layers_args {
    const char *type;
    bool json;
} layers_args;

static const struct argp_option options[] = {{"json", 'j', 0, 0, "machine-readable result on stdout", 0}, {0}};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    layers_args *args = state->input;
    if (key == 'j')
        args->json = true;
    else if (key == ARGP_KEY_ARG)
        take_argument(state, "TYPE", &args->type, arg);
    else
        return ARGP_ERR_UNKNOWN;
    return 0;
}

static void print_all(const registry all[REGISTRIES], bool json)
{
    json_t *whole = json_object();
    for (int r = 0; r < REGISTRIES; r++) {
        json_t *list = json_array();
        if (!json)
            printf("%s%s\n", r ? "\n" : "", all[r].title);
        for (int i = 0; i < all[r].count; i++) {
            json_array_append_new(list, entry_json(&all[r].entries[i]));
            if (!json)
                printf("  %-18s %s\n", all[r].entries[i].name, all[r].entries[i].help);
        }
        json_object_set_new(whole, all[r].title, list);
    }
    if (json) {
        print_json(whole);
        return;
    }
    json_decref(whole);
    printf("\n'norma layers TYPE' lists the options; 'norma layers train' those of the train: section\n");
}

/* The entry called `word`; NULL: none, and `names` are those that there are. */
static const entry *find(const nm_context *ctx, const registry all[REGISTRIES], const char *word, const char **names,
                         int *count)
{
    static entry train = {"train", "the train: section of a model file, and the flags of norma train", NULL};
    train.options = nm_train_options;
    const entry *found = strcmp(word, "train") == 0 ? &train : NULL;
    *count = 0;
    for (int r = 0; r < REGISTRIES; r++) {
        const void *type = nm_type_find(ctx, all[r].kind, word);
        for (int i = 0; i < all[r].count; i++) {
            names[(*count)++] = all[r].entries[i].name;
            if (type == nm_types(ctx, all[r].kind)->types[i])
                found = &all[r].entries[i];
        }
    }
    return found;
}

/* What another framework's word is called here, with its remark; NULL: unknown. */
static const nm_foreign_name *find_foreign(const char *word, const char *const *names, int count)
{
    static const nm_foreign_kind kinds[] = {NM_FOREIGN_LAYER, NM_FOREIGN_LOSS, NM_FOREIGN_OPTIMIZER,
                                            NM_FOREIGN_SCHEDULE};
    const nm_foreign_name *found = NULL;
    for (int k = 0; k < 4 && !(found && found->name); k++) {
        const nm_foreign_name *f = nm_foreign_find(kinds[k], word, names, count);
        found = f && (f->name || !found) ? f : found;
    }
    return found;
}

static int print_one(const nm_context *ctx, const registry all[REGISTRIES], const layers_args *args)
{
    const char *names[REGISTRIES * MOST];
    char hint[NM_HINT];
    int count;
    const entry *found = find(ctx, all, args->type, names, &count);
    if (!found) {
        const nm_foreign_name *f = find_foreign(args->type, names, count);
        nm_called_here(hint, f ? f->kind : NM_FOREIGN_LAYER, args->type, names, count);
        if (f && f->name)
            found = find(ctx, all, f->name, names, &count);
        if (!found)
            return usage_error("there is no type '%s'%s ('norma layers' lists all)", args->type, hint);
        if (!args->json)
            printf("'%s'%s\n\n", args->type, hint);
    }
    if (args->json) {
        print_json(entry_json(found));
        return 0;
    }
    printf("%s: %s\n", found->name, found->help);
    if (!found->options || !found->options[0].name)
        printf("  no options\n");
    print_options(found->options);
    return 0;
}

int command_layers(int argc, char **argv)
{
    layers_args args = {0};
    static registry all[REGISTRIES];
    const struct argp argp = {
        options,  parse,
        "[TYPE]", "The layer types, losses, optimizers and schedules of this build; with TYPE, its options.",
        NULL,     NULL,
        NULL};
    if (!read_arguments(&argp, argc, argv, &args))
        return 0;
    nm_context *ctx = nm_context_new();
    if (!ctx)
        return usage_error("out of memory");
    collect(ctx, all);
    int status = 0;
    if (args.type)
        status = print_one(ctx, all, &args);
    else
        print_all(all, args.json);
    nm_context_free(ctx);
    return status;
}
