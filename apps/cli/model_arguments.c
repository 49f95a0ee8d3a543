/* Models on the command line: their name, and settings as --set and as flags. */
#include "characters.h"
#include "cli.h"

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
        argp_error(state, "too many changes, or too long a key: '%s'", shown(path));
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

/* The key of `train:` of this name, which there is. */
static const nm_option *train_option(const char *name)
{
    int i = 0;
    while (strcmp(nm_train_option(i)->name, name) != 0)
        i++;
    return nm_train_option(i);
}

static void add_flag(struct argp_state *state, const nm_option *option, const char *value)
{
    char key[128];
    int length = snprintf(key, sizeof key, "train.%s", option->name);
    add_change(state, key, (size_t)length, value, option);
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
            argp_error(state, "--set takes PATH=VALUE; found '%s'", shown(arg));
        add_change(state, arg, (size_t)(equals - arg), equals + 1, NULL);
    } else if (key == KEY_THREADS) {
        args->threads = parse_number(state, "--threads", arg, 1, MOST_THREADS);
    } else if (key == KEY_MAX_MEMORY) {
        set_max_memory(state, arg);
    } else if (key == KEY_EXACT || key == KEY_NO_FUSE) {
        add_flag(state, train_option(key == KEY_EXACT ? "exact" : "no_fuse"), "true");
    } else if (key >= KEY_FLAG && key < KEY_FLAG + MOST_FLAGS) {
        add_flag(state, nm_train_option(key - KEY_FLAG), arg ? arg : truth(state));
    } else {
        return ARGP_ERR_UNKNOWN;
    }
    return 0;
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
    static struct argp_option options[MOST_FLAGS + 5];
    static char names[MOST_FLAGS][32], helps[MOST_FLAGS][160];
    static struct argp argp;
    int count = 0;
    options[count++] = (struct argp_option){0, 0, 0, 0, "Each also a key of the model file's train: section:", 5};
    for (int i = 0; nm_train_option(i) && i < MOST_FLAGS; i++) {
        const nm_option *o = nm_train_option(i);
        snprintf(names[i], sizeof names[i], "%s", o->name);
        for (char *c = names[i]; *c; c++)
            *c = *c == '_' ? '-' : *c;
        bool without_preset = !o->preset || !*o->preset || strcmp(o->preset, "0") == 0 || o->type == NM_OPT_BOOL;
        snprintf(helps[i], sizeof helps[i], without_preset ? "%s" : "%s (preset %s)", o->help, o->preset);
        int flags = o->type == NM_OPT_BOOL ? OPTION_ARG_OPTIONAL : 0; /* alone: on */
        options[count++] = (struct argp_option){names[i], KEY_FLAG + i, value_name(o), flags, helps[i], 6};
    }
    const struct argp_option shared[] = {MODEL_OPTIONS, MEMORY_OPTION, {0}};
    memcpy(&options[count], shared, sizeof shared);
    argp = (struct argp){options, parse, NULL, NULL, NULL, NULL, NULL};
    return &argp;
}

nm_status load_model(nm_context *ctx, const model_args *args, const char *otherwise, nm_model **model)
{
    nm_setting settings[sizeof args->change / sizeof *args->change];
    if (args->threads > 0)
        nm_context_set_threads(ctx, args->threads);
    NM_TRY(nm_model_load(ctx, args->model ? args->model : otherwise, model));
    for (int i = 0; i < args->changes; i++) {
        const struct model_change *c = &args->change[i];
        settings[i] = (nm_setting)NM_SETTING_INIT;
        settings[i].key = c->path;
        settings[i].value = c->value;
        settings[i].origin = c->origin;
        settings[i].verbatim = c->verbatim;
    }
    nm_status status = nm_model_set_all(ctx, *model, settings, args->changes);
    if (status != NM_OK) {
        nm_model_free(*model);
        *model = NULL;
    }
    return status;
}
