/* norma COMMAND …: the table of commands. */
#include "command.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const command commands[] = {
    {"train", "train a network", command_train},
    {"eval", "loss, accuracy and confusion matrix of a checkpoint", command_eval},
    {"predict", "classes of images", command_predict},
    {"compare", "train variants side by side, with the same seeds", command_compare},
    {"plot", "curves of runs", command_plot},
    {"summary", "what a network is made of, layer by layer", command_summary},
    {"gradcheck", "numerical against analytic gradients, in double", command_gradcheck},
    {"layers", "layer types, losses, optimizers, schedules and their options", command_layers},
    {"data", "what a data set holds", command_data},
    {"visualize", "filters, feature maps, distributions, effective receptive field, as pictures", command_visualize},
    {"bn-report", "batch norm: running against population statistics", command_bn_report},
    {"recalibrate", "batch norm: statistics taken anew over the training set", command_recalibrate},
    {"bench", "images a second, against the machine's matrix products", command_bench},
    {"trace", "one pass, every activation and gradient into HDF5", command_trace},
};
enum { COMMANDS = sizeof commands / sizeof *commands };

static void print_help(void)
{
    printf("Usage: norma COMMAND [ARGUMENT...]\n"
           "Trains convolutional networks on CPUs.\n\n");
    for (int i = 0; i < COMMANDS; i++)
        printf("  norma %-12s %s\n", commands[i].name, commands[i].help);
    printf("\n'norma COMMAND --help' tells more. To begin with:\n\n"
           "  norma train                     the default network on Fashion-MNIST\n"
           "  norma summary mnist-cnn         what it is made of\n"
           "  norma compare mnist-cnn --vary batchnorm=on,off --run bn\n");
}

static int unknown_command(const char *word)
{
    const char *names[COMMANDS];
    for (int i = 0; i < COMMANDS; i++)
        names[i] = commands[i].name;
    char hint[NM_HINT];
    return usage_error("unknown command '%s'%s", word, nm_did_you_mean(hint, word, names, COMMANDS));
}

int main(int argc, char **argv)
{
    argp_err_exit_status = NM_INVALID;
    if (argc < 2) {
        print_help();
        return NM_INVALID;
    }
    if (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "-V") == 0) {
        printf("norma %s\n", nm_version());
        return 0;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "help") == 0) {
        print_help();
        return 0;
    }
    for (int i = 0; i < COMMANDS; i++)
        if (strcmp(argv[1], commands[i].name) == 0) {
            char name[64];
            snprintf(name, sizeof name, "norma %s", argv[1]);
            argv[1] = name;
            int status = commands[i].run(argc - 1, argv + 1);
            if (fflush(stdout) != 0 || ferror(stdout))
                return NM_FAILED;
            return status;
        }
    return unknown_command(argv[1]);
}
