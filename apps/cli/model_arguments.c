/* Models on the command line: their name, and changes as --set and as train flags. */
#include "alloc.h"
#include "command.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { KEY_SET = 0x1000, KEY_THREADS, KEY_EXACT, KEY_NO_FUSE, KEY_FLAG = 0x2000, MOST_FLAGS = 64 };

/* "--save-every" for save_every. */
static void flag_name(const char *option, char *text, size_t size)
{
    snprintf(text, size, "--%s", option);
    for (char *c = text; *c; c++)
        *c = *c == '_' ? '-' : *c;
}

static void add_change(struct argp_state *state, const char *path, size_t length, const char *value,
                       const nm_option *flag)
{
    model_args *args = state->input;
    if (args->changes == sizeof args->change / sizeof *args->change || length >= sizeof args->change->path)
        argp_error(state, "too many changes, or too long a key: '%s'", path);
    struct model_change *change = &args->change[args->changes++];
    memcpy(change->path, path, length);
    change->path[length] = '\0';
    if (flag)
        flag_name(flag->name, change->origin, sizeof change->origin);
    else
        snprintf(change->origin, sizeof change->origin, "--set %.*s", (int)length, path);
    change->value = value;
    change->verbatim = flag && flag->type == NM_OPT_STRING;
}

/* The value of a flag that is on or off: the word after it where that is one of these, else on. */
static const char *truth(struct argp_state *state)
{
    static const char *const words[] = {"on", "off", "true", "false", "yes", "no"};
    const char *next = state->next < state->argc ? state->argv[state->next] : "";
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strcmp(next, words[i]) == 0)
            return state->argv[state->next++];
    return "true";
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
    model_args *args = state->input;
    if (key == KEY_SET) {
        const char *equals = strchr(arg, '=');
        if (!equals)
            argp_error(state, "--set takes PATH=VALUE; found '%s'", arg);
        add_change(state, arg, (size_t)(equals - arg), equals + 1, NULL);
        return 0;
    }
    if (key == KEY_THREADS) {
        args->threads = parse_number(state, "--threads", arg, 1, NM_MOST_THREADS);
        return 0;
    }
    if (key == KEY_EXACT || key == KEY_NO_FUSE) {
        const char *path = key == KEY_EXACT ? "train.exact" : "train.no_fuse";
        add_change(state, path, strlen(path), "true", nm_option_find(nm_train_options, path + strlen("train.")));
        return 0;
    }
    if (key >= KEY_FLAG && key < KEY_FLAG + MOST_FLAGS) {
        char path[128];
        const nm_option *option = &nm_train_options[key - KEY_FLAG];
        int length = snprintf(path, sizeof path, "train.%s", option->name);
        add_change(state, path, (size_t)length, arg ? arg : truth(state), option);
        return 0;
    }
    return ARGP_ERR_UNKNOWN;
}

#define MODEL_OPTIONS                                                                                                  \
    {"set", KEY_SET, "PATH=VALUE", 0, "change a value of the model: LAYER.OPTION or train.KEY", 8},                    \
    {                                                                                                                  \
        "threads", KEY_THREADS, "N", 0, "threads (preset: the physical cores); never changes a result", 8              \
    }

static const struct argp_option model_options[] = {
    MODEL_OPTIONS,
    {"exact", KEY_EXACT, 0, 0, "take only algorithms whose error is that of direct summation (no Winograd)", 8},
    {"no-fuse", KEY_NO_FUSE, 0, 0, "let every layer do its own work alone", 8},
    {0},
};
const struct argp model_argp = {model_options, parse, NULL, NULL, NULL, NULL, NULL};

static const char *value_name(const nm_option *o)
{
    switch (o->type) {
    case NM_OPT_INT:
        return "N";
    case NM_OPT_REAL:
        return "X";
    case NM_OPT_BOOL:
        return "on|off";
    case NM_OPT_STRINGS:
    case NM_OPT_REALS:
        return "LIST";
    default:
        return "WORD";
    }
}

const struct argp *model_train_argp(void)
{
    static struct argp_option options[MOST_FLAGS + 4];
    static char names[MOST_FLAGS][32], helps[MOST_FLAGS][160];
    static struct argp argp;
    int count = 0;
    options[count++] = (struct argp_option){0, 0, 0, 0, "Each also a key of the model file's train: section:", 5};
    for (int i = 0; nm_train_options[i].name && i < MOST_FLAGS; i++) {
        const nm_option *o = &nm_train_options[i];
        snprintf(names[i], sizeof names[i], "%s", o->name);
        for (char *c = names[i]; *c; c++)
            *c = *c == '_' ? '-' : *c;
        bool without_preset = !o->preset || !*o->preset || strcmp(o->preset, "0") == 0 || o->type == NM_OPT_BOOL;
        snprintf(helps[i], sizeof helps[i], without_preset ? "%s" : "%s (preset %s)", o->help, o->preset);
        int flags = o->type == NM_OPT_BOOL ? OPTION_ARG_OPTIONAL : 0; /* alone: on */
        options[count++] = (struct argp_option){names[i], KEY_FLAG + i, value_name(o), flags, helps[i], 6};
    }
    const struct argp_option shared[] = {MODEL_OPTIONS, {0}};
    memcpy(&options[count], shared, sizeof shared);
    argp = (struct argp){options, parse, NULL, NULL, NULL, NULL, NULL};
    return &argp;
}

/* The option that a path means: --set epochs=3 is a slip for train.epochs. */
static nm_status check_path(nm_context *ctx, const nm_yaml *document, const char *origin, const char *path)
{
    if (strncmp(path, "train.", 6) == 0 || strchr(path, '.') || !nm_option_find(nm_train_options, path))
        return NM_OK;
    return nm_fail(ctx, NM_INVALID, "%s: %s has no key '%s'; did you mean train.%s?", origin, document->file, path,
                   path);
}

/* Choices (optimizer, schedule) may be written as a map without braces: "adam: {lr: 0.1}". */
static nm_status change_choice(nm_context *ctx, nm_yaml *document, const nm_change *change)
{
    char *braced = nm_format(ctx, "{%s}", change->value);
    nm_change one = *change;
    one.value = braced;
    nm_status status = braced ? nm_document_change(ctx, document, &one) : NM_FAILED;
    nm_free(braced);
    return status;
}

static nm_status apply(nm_context *ctx, nm_yaml *document, const nm_change *change)
{
    bool train = strncmp(change->path, "train.", 6) == 0;
    const nm_option *option = train ? nm_option_find(nm_train_options, change->path + 6) : NULL;
    NM_TRY(check_path(ctx, document, change->origin, change->path));
    bool text = option ? option->type == NM_OPT_STRING : strcmp(change->path, "name") == 0;
    nm_change word = *change;
    word.verbatim = change->verbatim || (text && !strchr("[{\"'", *change->value));
    if (option && option->type == NM_OPT_CHOICE && *change->value != '{' && strchr(change->value, ':'))
        return change_choice(ctx, document, change);
    return nm_document_change(ctx, document, &word);
}

nm_status change_document(nm_context *ctx, nm_yaml *document, const char *origin, const char *path, const char *value)
{
    return apply(ctx, document, &(nm_change){.path = path, .value = value, .origin = origin});
}

nm_status load_document(nm_context *ctx, const model_args *args, const char *otherwise, nm_yaml **document)
{
    char *path = NULL;
    nm_context_set_threads(ctx, args->threads);
    NM_TRY(nm_model_path(ctx, args->model ? args->model : otherwise, &path));
    nm_status status = nm_yaml_load(ctx, path, document);
    nm_free(path);
    NM_TRY(status);
    for (int i = 0; i < args->changes; i++) {
        const struct model_change *c = &args->change[i];
        nm_status one = apply(ctx, *document, &(nm_change){c->path, c->value, c->origin, c->verbatim});
        status = one != NM_OK ? one : status;
    }
    const char *given[sizeof args->change / sizeof *args->change];
    for (int i = 0; i < args->changes; i++)
        given[i] = args->change[i].path;
    if (status == NM_OK) {
        nm_settings_settle(*document, given, args->changes);
    } else {
        nm_yaml_free(*document);
        *document = NULL;
    }
    return status;
}

nm_status open_model(nm_context *ctx, const model_args *args, const char *otherwise, nm_network **net)
{
    nm_yaml *document;
    *net = NULL;
    NM_TRY(load_document(ctx, args, otherwise, &document));
    return nm_network_open(ctx, document, &nm_train_section, net);
}
