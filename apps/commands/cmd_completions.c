/* norma completions bash|zsh|fish|models|commands: scripts by which shells complete norma's command
 * lines, from the program's own tables. They ask the program for the models, which may be added at
 * any time. */
#include "alloc.h"
#include "characters.h"
#include "command.h"
#include "escaped.h"

#include <stdio.h>
#include <string.h>

/* ---- bash and zsh: the words that may follow each command ---------------------------------- */

static void print_flag(void *arg, const char *name, const char *value, bool optional, const char *help)
{
    (void)value, (void)optional;
    bool *models = arg;
    if (name)
        printf(" --%s", name);
    else
        *models = strstr(help, "MODEL") != NULL;
}

static void print_cases(void)
{
    for (int i = 0; i < command_count; i++) {
        bool models = false;
        printf("    %s) flags=\"", commands[i].name);
        list_flags(&commands[i], print_flag, &models);
        printf("\"%s ;;\n", models ? " names=$(\"$program\" completions models 2>/dev/null)" : "");
    }
    printf("    help) names=\"");
    for (int i = 0; i < command_count; i++)
        printf(" %s", commands[i].name);
    printf("\" ;;\n    esac\n");
}

static void print_bash(void)
{
    printf("# bash completion for norma; made by 'norma completions bash'.\n"
           "_norma() {\n"
           "    local word=${COMP_WORDS[COMP_CWORD]} program=${COMP_WORDS[0]} flags='' names=''\n"
           "    COMPREPLY=()\n"
           "    if [ \"$COMP_CWORD\" -eq 1 ]; then\n"
           "        COMPREPLY=($(compgen -W 'help");
    for (int i = 0; i < command_count; i++)
        printf(" %s", commands[i].name);
    printf("' -- \"$word\"))\n        return\n    fi\n    case ${COMP_WORDS[1]} in\n");
    print_cases();
    printf("    case $word in\n"
           "    -*) COMPREPLY=($(compgen -W \"$flags\" -- \"$word\")) ;;\n"
           "    *) COMPREPLY=($(compgen -W \"$names\" -- \"$word\") $(compgen -f -- \"$word\")) ;;\n"
           "    esac\n}\ncomplete -o filenames -F _norma norma\n");
}

static void print_zsh(void)
{
    printf("#compdef norma\n# zsh completion for norma; made by 'norma completions zsh'.\n"
           "_norma() {\n"
           "    local program=$words[1] flags='' names=''\n"
           "    local -a commands=('help:tell about a command'");
    for (int i = 0; i < command_count; i++) {
        char name[64];
        snprintf(name, sizeof name, "%s:", commands[i].name);
        printf("\n        ");
        put_shell_quoted(stdout, name, commands[i].help);
    }
    printf(")\n    if (( CURRENT == 2 )); then\n        _describe command commands\n        return\n    fi\n"
           "    case $words[2] in\n");
    print_cases();
    printf("    if [[ $PREFIX == -* ]]; then\n        compadd -- ${=flags}\n"
           "    else\n        compadd -- ${=names}\n        _files\n    fi\n}\n_norma \"$@\"\n");
}

/* ---- fish: a line for each flag ------------------------------------------------------------ */

static void print_fish_flag(void *arg, const char *name, const char *value, bool optional, const char *help)
{
    const char *of = arg;
    if (name) {
        printf("complete -c norma -n '__fish_seen_subcommand_from %s' -l %s%s -d ", of, name,
               value && !optional ? " -r" : "");
        put_shell_quoted(stdout, "", help);
        printf("\n");
    } else if (strstr(help, "MODEL"))
        printf("complete -c norma -n '__fish_seen_subcommand_from %s' -a '(norma completions models)' -d model\n", of);
}

static void print_fish(void)
{
    printf("# fish completion for norma; made by 'norma completions fish'.\n"
           "complete -c norma -n __fish_use_subcommand -f -a help -d 'tell about a command'\n");
    for (int i = 0; i < command_count; i++) {
        printf("complete -c norma -n __fish_use_subcommand -f -a %s -d ", commands[i].name);
        put_shell_quoted(stdout, "", commands[i].help);
        printf("\n");
        list_flags(&commands[i], print_fish_flag, (void *)commands[i].name);
    }
}

/* ---- the command --------------------------------------------------------------------------- */

static int print_models(void)
{
    nm_context *ctx = nm_context_new();
    char **names;
    int count;
    nm_status status = nm_model_names(ctx, &names, &count);
    for (int i = 0; status == NM_OK && i < count; i++)
        printf("%s\n", shown(names[i]));
    if (status == NM_OK)
        nm_free(names);
    return close_context(ctx, status);
}

int command_completions(int argc, char **argv)
{
    const char *shell = argc == 2 ? argv[1] : "";
    if (strcmp(shell, "bash") == 0)
        print_bash();
    else if (strcmp(shell, "zsh") == 0)
        print_zsh();
    else if (strcmp(shell, "fish") == 0)
        print_fish();
    else if (strcmp(shell, "models") == 0)
        return print_models();
    else if (strcmp(shell, "commands") == 0)
        for (int i = 0; i < command_count; i++)
            printf("%s\n", commands[i].name);
    else
        return usage_error("completions: expected bash, zsh, fish or models; found '%s'", shell);
    return fflush(stdout) == 0 ? 0 : NM_FAILED;
}
