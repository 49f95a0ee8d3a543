/* The arguments of a command: argp, with -h and with suggestions for flags that there are not. */
#include "command.h"
#include "foreign_names.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static flag_function *listing; /* not NULL: list_flags is at work */
static void *listing_arg;

/* ---- the flags of a command ---------------------------------------------------------------- */

enum { MOST_FLAGS = 128 };
typedef struct flags {
    int count;
    const struct argp_option *flag[MOST_FLAGS];
} flags;

static void collect(const struct argp *argp, flags *all)
{
    for (const struct argp_option *o = argp->options; o && (o->name || o->doc); o++)
        if (o->name && all->count < MOST_FLAGS)
            all->flag[all->count++] = o;
    for (const struct argp_child *c = argp->children; c && c->argp; c++)
        collect(c->argp, all);
}

static void list(const struct argp *argp)
{
    flags all = {0};
    collect(argp, &all);
    for (int i = 0; i < all.count; i++)
        listing(listing_arg, all.flag[i]->name, all.flag[i]->arg, all.flag[i]->flags & OPTION_ARG_OPTIONAL,
                all.flag[i]->doc ? all.flag[i]->doc : "");
    listing(listing_arg, "help", NULL, false, "tell this");
    listing(listing_arg, NULL, NULL, false, argp->args_doc ? argp->args_doc : "");
}

void list_flags(const command *c, flag_function *each, void *arg)
{
    /* A command that does not come by read_arguments fails over this flag and does not run. */
    char name[64], only[] = "--list-flags", *argv[] = {name, only, NULL};
    snprintf(name, sizeof name, "norma %s", c->name);
    listing = each;
    listing_arg = arg;
    (void)c->run(2, argv);
    listing = NULL;
}

/* ---- what is wrong with a flag ------------------------------------------------------------- */

static const struct argp_option *find(const flags *all, const char *name, size_t length)
{
    for (int i = 0; i < all->count; i++) /* getopt takes the beginning of a name for it */
        if (strncmp(all->flag[i]->name, name, length) == 0)
            return all->flag[i];
    return NULL;
}

/* Ends the program with a message about the flag. Options of files have underscores where flags
 * have dashes. */
static void unknown_flag(const flags *all, const char *program, const char *name, size_t length)
{
    static char words[MOST_FLAGS][48];
    const char *candidates[MOST_FLAGS + 1];
    char word[64], hint[NM_HINT];
    for (int i = 0; i < all->count; i++) {
        snprintf(words[i], sizeof words[i], "%s", all->flag[i]->name);
        for (char *c = words[i]; *c; c++)
            *c = *c == '-' ? '_' : *c;
        candidates[i] = words[i];
    }
    candidates[all->count] = "help";
    snprintf(word, sizeof word, "%.*s", (int)length, name);
    const nm_foreign_name *f = nm_foreign_find(NM_FOREIGN_OPTION, word, candidates, all->count);
    const char *called = f ? f->name : NULL, *near = nm_nearest(word, candidates, all->count + 1);
    if (called && f)
        snprintf(hint, sizeof hint, ": norma calls it '--%s'", called);
    else if (near)
        snprintf(hint, sizeof hint, " (did you mean '--%s'?)", near);
    else if (f)
        snprintf(hint, sizeof hint, ": %s", f->remark);
    else
        snprintf(hint, sizeof hint, " ('%s --help' lists all)", program);
    for (char *c = strstr(hint, "--"); c && *c && *c != '\'' && (called || near); c++)
        *c = *c == '_' ? '-' : *c;
    exit(usage_error("%s: unknown flag '--%s'%s", program + strlen("norma "), word, hint));
}

/* Ends the program where the word begins with a flag that no letter is: the name of a file that is
 * to be written ./NAME. */
static void check_letter(const char *program, const char *word)
{
    if (word[1] && (word[1] < ' ' || word[1] == 127))
        exit(usage_error("%s: unknown flag '%s'", program + strlen("norma "), word));
}

static void check_flags(const struct argp *argp, int argc, char **argv)
{
    flags all = {0};
    collect(argp, &all);
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
        if (argv[i][0] == '-' && argv[i][1] != '-') /* getopt would print the letter as it is */
            check_letter(argv[0], argv[i]);
        if (strncmp(argv[i], "--", 2) != 0)
            continue;
        const char *name = argv[i] + 2, *equals = strchr(name, '=');
        size_t length = equals ? (size_t)(equals - name) : strlen(name);
        const struct argp_option *o = find(&all, name, length);
        if (o)
            i += o->arg && !(o->flags & OPTION_ARG_OPTIONAL) && !equals; /* the next word is its value */
        else if (strncmp("help", name, length) != 0 && strncmp("usage", name, length) != 0)
            unknown_flag(&all, argv[0], name, length);
    }
}

bool read_arguments(const struct argp *argp, int argc, char **argv, void *input)
{
    static char help[] = "--help";
    if (listing) {
        list(argp);
        return false;
    }
    check_flags(argp, argc, argv);
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
        if (strcmp(argv[i], "-h") == 0)
            argv[i] = help;
    error_t error = argp_parse(argp, argc, argv, 0, NULL, input);
    if (error) {
        (void)usage_error("%s: its arguments cannot be read: %s", argv[0] + strlen("norma "), strerror(error));
        exit(error == ENOMEM ? NM_FAILED : NM_INVALID);
    }
    return true;
}

/* ---- --max-memory -------------------------------------------------------------------------- */

static size_t max_memory; /* 0: the preset */

void set_max_memory(struct argp_state *state, const char *arg)
{
    max_memory = (size_t)parse_number(state, "--max-memory", arg, 1, 1 << 20) << 20;
}

size_t asked_max_memory(void)
{
    return max_memory;
}

static error_t parse_memory(int key, char *arg, struct argp_state *state)
{
    if (key != KEY_MAX_MEMORY)
        return ARGP_ERR_UNKNOWN;
    set_max_memory(state, arg);
    return 0;
}

static const struct argp_option memory_options[] = {MEMORY_OPTION, {0}};
const struct argp memory_argp = {memory_options, parse_memory, NULL, NULL, NULL, NULL, NULL};

/* ---- --allow-change ------------------------------------------------------------------------ */

void report_allowed_changes(const allowed_changes *changes, bool resume)
{
    if (changes->count && !resume)
        fprintf(stderr, "norma: --allow-change has no effect without --resume\n");
}

void add_allowed_change(struct argp_state *state, const char *arg, allowed_changes *changes)
{
    if (changes->count == MOST_ALLOWED)
        argp_error(state, "--allow-change: at most %d", MOST_ALLOWED);
    changes->name[changes->count++] = arg;
}
