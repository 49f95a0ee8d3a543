/* norma COMMAND …: the table of commands. */
#include "command.h"
#include "gemm.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const command commands[] = {
    {"train", "train a network", command_train},
    {"eval", "loss, accuracy and confusion matrix of a checkpoint", command_eval},
    {"predict", "classes of images", command_predict},
    {"compare", "train variants side by side, with the same seeds", command_compare},
    {"plot", "curves of runs", command_plot},
    {"summary", "what a network is made of, layer by layer", command_summary},
    {"gradcheck", "numerical against analytic gradients, in double", command_gradcheck},
    {"models", "the ready networks and what they reach", command_models},
    {"layers", "layer types, losses, optimizers, schedules and their options", command_layers},
    {"data", "what a data set holds", command_data},
    {"visualize", "filters, feature maps, distributions, effective receptive field, as pictures", command_visualize},
    {"bn-report", "batch norm: running against population statistics", command_bn_report},
    {"recalibrate", "batch norm: statistics taken anew over the training set", command_recalibrate},
    {"bench", "images a second, against the machine's matrix products", command_bench},
    {"trace", "one pass, every activation and gradient into HDF5", command_trace},
    {"inspect", "what a checkpoint holds, without trusting it", command_inspect},
    {"diff", "where two checkpoints or runs begin to differ", command_diff},
    {"verify", "whether interruptions and threads leave every bit as it is", command_verify},
};
enum { COMMANDS = sizeof commands / sizeof *commands };
const int command_count = COMMANDS;

static void print_help(void)
{
    printf("Usage: norma COMMAND [ARGUMENT...]\n"
           "Trains convolutional networks on CPUs.\n\n");
    for (int i = 0; i < COMMANDS; i++)
        printf("  norma %-12s %s\n", commands[i].name, commands[i].help);
    printf("\n'norma help COMMAND' tells more. To begin with:\n\n"
           "  norma train                     the default network on Fashion-MNIST\n"
           "  norma summary mnist-cnn         what it is made of\n"
           "  norma compare mnist-cnn --vary batchnorm=on,off --run bn\n");
}

static int unknown_command(const char *word)
{
    const char *names[COMMANDS];
    for (int i = 0; i < COMMANDS; i++)
        names[i] = commands[i].name;
    static const char *const others[][2] = {
        {"fit", "train"},        {"test", "eval"},    {"evaluate", "eval"}, {"validate", "eval"}, {"infer", "predict"},
        {"classify", "predict"}, {"info", "summary"}, {"show", "summary"},  {"time", "bench"},    {"list", "models"}};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (strcmp(word, others[i][0]) == 0)
            return usage_error("unknown command '%s': norma calls it '%s'", word, others[i][1]);
    char hint[NM_HINT];
    return usage_error("unknown command '%s'%s", word, nm_did_you_mean(hint, word, names, COMMANDS));
}

static int run_command(const command *c, int argc, char **argv)
{
    char name[64];
    snprintf(name, sizeof name, "norma %s", c->name);
    argv[0] = name;
    return c->run(argc, argv);
}

/* norma help [COMMAND]. */
static int help(int argc, char **argv)
{
    char name[] = "", flag[] = "--help", *help_argv[] = {name, flag, NULL};
    if (argc < 3) {
        print_help();
        return 0;
    }
    for (int i = 0; i < COMMANDS; i++)
        if (strcmp(argv[2], commands[i].name) == 0)
            return run_command(&commands[i], 2, help_argv);
    return unknown_command(argv[2]);
}

int main(int argc, char **argv)
{
    nm_gemm_restart_with_core(argv);
    prepare_streams();
    argp_err_exit_status = NM_INVALID;
    setenv("ARGP_HELP_FMT", "rmargin=100,opt-doc-col=27,no-dup-args-note,long-opt-col=4,header-col=1", 0);
    if (argc < 2) {
        print_help();
        return NM_INVALID;
    }
    if (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "-V") == 0) {
        printf("norma %s\n", nm_version());
        return 0;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "-?") == 0) {
        print_help();
        return 0;
    }
    if (strcmp(argv[1], "help") == 0)
        return help(argc, argv);
    if (strcmp(argv[1], "completions") == 0) /* for the build; not in the table, so that help stays short */
        return command_completions(argc - 1, argv + 1);
    for (int i = 0; i < COMMANDS; i++)
        if (strcmp(argv[1], commands[i].name) == 0)
            return run_command(&commands[i], argc - 1, argv + 1);
    return unknown_command(argv[1]);
}
