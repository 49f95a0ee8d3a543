/* The subcommands, and what they share. A command is a file with one function and a line in the
 * table in main.c. */
#ifndef COMMAND_H
#define COMMAND_H

#include "network.h"
#include "train.h"

#include <argp.h>
#include <jansson.h>

typedef struct command {
    const char *name, *help;
    int (*run)(int argc, char **argv); /* the exit status; argv[0] is "norma NAME" */
} command;

/* The table in main.c. */
extern const command commands[];
extern const int command_count;

int command_train(int argc, char **argv);
int command_eval(int argc, char **argv);
int command_predict(int argc, char **argv);
int command_compare(int argc, char **argv);
int command_plot(int argc, char **argv);
int command_summary(int argc, char **argv);
int command_gradcheck(int argc, char **argv);
int command_layers(int argc, char **argv);
int command_data(int argc, char **argv);
int command_bench(int argc, char **argv);
int command_bn_report(int argc, char **argv);
int command_recalibrate(int argc, char **argv);
int command_visualize(int argc, char **argv);
int command_trace(int argc, char **argv);
int command_models(int argc, char **argv);
int command_completions(int argc, char **argv);

/* ---- arguments ----------------------------------------------------------------------------- */

/* argp_parse, and what it lacks: -h for help, and a suggestion for an unknown flag (exit status 2).
 * False: only the flags were wanted (list_flags), and the command returns 0 at once. */
bool read_arguments(const struct argp *argp, int argc, char **argv, void *input) NM_MUST_USE;

/* Calls `each` for every flag of a command, as its table has them, then for its arguments with name
 * NULL and what it says of them in `help` ("[MODEL]"). */
typedef void flag_function(void *arg, const char *name, const char *value, bool optional, const char *help);
void list_flags(const command *c, flag_function *each, void *arg);

/* ---- the context of a command ------------------------------------------------------------- */

/* A context whose warnings go to stderr; checks that the right OpenBLAS was loaded. Never NULL:
 * without memory or with the wrong library the program ends here. */
nm_context *open_context(void);

/* Prints the context's messages, one line each, and clears them. */
void print_errors(nm_context *ctx);

/* Prints the context's messages, frees it, and gives the exit status for `status`. */
int close_context(nm_context *ctx, nm_status status);

/* Prints "norma: MESSAGE" and gives exit status 2. */
int usage_error(const char *fmt, ...) NM_PRINTF(1, 2);

/* Prints a JSON value as one line on stdout and frees it. */
void print_json(json_t *value);
json_t *json_number(double value); /* null for NaN and infinities */

/* For argp parsers: a whole number in [least, most]; anything else ends the program with a message.
 */
int parse_number(struct argp_state *state, const char *flag, const char *text, int least, int most);

/* For argp parsers: takes the one argument CHECKPOINT, and asks for it at the end; ARGP_ERR_UNKNOWN
 * for other keys. */
error_t parse_checkpoint(int key, char *arg, struct argp_state *state, const char **checkpoint);

/* ---- trained networks ----------------------------------------------------------------------- */

typedef struct trained {
    nm_network *net;
    const nm_train_settings *settings; /* the network's */
    nm_normalisation normalisation;    /* of no channels where the checkpoint has none */
    char *classes;                     /* the names, one a line; NULL: the checkpoint has none */
    char *file;                        /* where it was read from */
    uint64_t step;                     /* steps that it was trained for; 0 where the checkpoint has none */
    uint64_t epoch;                    /* of that step, as metrics.csv counts; 0 where the checkpoint has none */
} trained;

/* `path` is a checkpoint, or a run directory: its best.h5, or last.h5 where there is no best. */
nm_status open_trained(nm_context *ctx, const char *path, trained *out) NM_MUST_USE;
void close_trained(trained *t);
/* Says on stderr which file was read and what state it holds: "runs/x/best.h5, step 400 (epoch 2)".
 */
void print_trained(const trained *t);
/* The same as the keys "checkpoint" and "step" of a JSON object. */
void add_trained(json_t *object, const trained *t);
/* The name of class `c`, or its number. */
const char *class_name(char *const *names, int count, int c);

/* ---- models and their changes --------------------------------------------------------------- */

/* What the command line says about a model. An argp child parser (model_argp) fills it: --set
 * PATH=VALUE, --threads, and with `train_flags` one flag for every key of `train:`. */
typedef struct model_args {
    const char *model; /* NULL: none given yet */
    int changes, threads;
    struct model_change {
        char path[128], origin[144]; /* "train.lr", "--lr" */
        const char *value;
        bool verbatim;
    } change[128];
} model_args;

extern const struct argp model_argp;       /* --set, --threads */
const struct argp *model_train_argp(void); /* the same and the keys of train: */

/* Changes one value as --set PATH=VALUE does; `origin` is what messages name ("--vary lr"). Words
 * are words, as nm_yaml_change has it. */
nm_status change_document(nm_context *ctx, nm_yaml *document, const char *origin, const char *path,
                          const char *value) NM_MUST_USE;

/* Loads args->model (or `otherwise`), applies the changes, sets the context's threads. */
nm_status load_document(nm_context *ctx, const model_args *args, const char *otherwise, nm_yaml **document) NM_MUST_USE;

/* The network of load_document, with its settings applied; it has no values yet. */
nm_status open_model(nm_context *ctx, const model_args *args, const char *otherwise, nm_network **net) NM_MUST_USE;

/* ---- training, watched from the terminal --------------------------------------------------- */

/* Runs nm_train with signals caught and progress shown: `request` has the document and the run. The
 * exit status of an interrupted run (129, 130, 143) is in *signalled, else 0. */
nm_status train_shown(nm_context *ctx, const nm_train_request *request, nm_train_result *result,
                      int *signalled) NM_MUST_USE;

/* ---- curves -------------------------------------------------------------------------------- */

typedef struct curve {
    char *label, *run; /* the run's folder */
} curve;

/* Writes PREFIX.csv (the rows of all runs), PREFIX.gp, and through gnuplot PREFIX.png and
 * PREFIX.svg. Without gnuplot the pictures are left out with a message, and *drawn is false. */
nm_status write_curves(nm_context *ctx, const char *prefix, const curve *curves, int count, bool *drawn) NM_MUST_USE;
/* Draws accuracy and loss against steps as text on stdout. */
nm_status draw_on_terminal(nm_context *ctx, const curve *curves, int count) NM_MUST_USE;

#endif
