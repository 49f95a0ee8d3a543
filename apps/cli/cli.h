/* The subcommands, and what they share. A command is a file with one function and a line in the
 * table in main.c. This header stands on norma's public headers alone, as the commands do that
 * apps/meson.build lists for it; command.h has what the others need. */
#ifndef CLI_H
#define CLI_H

#include <norma/fail.h>
#include <norma/norma.h>
#include <norma/tools.h>

#include <argp.h>
#include <jansson.h>

#define PRINTS(fmt, args) __attribute__((format(printf, fmt, args)))

enum { MOST_THREADS = 1024 }; /* that --threads takes */

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
int command_inspect(int argc, char **argv);
int command_diff(int argc, char **argv);
int command_verify(int argc, char **argv);
int command_completions(int argc, char **argv);

/* ---- standard streams ------------------------------------------------------------------------ */

/* Before anything else: holds descriptors 0 to 2 open, makes writing fail where SIGPIPE and SIGXFSZ
 * would end the program, and at its end reports what stdout did not take (exit status 1). */
void prepare_streams(void);

/* ---- arguments ----------------------------------------------------------------------------- */

/* argp_parse, and what it lacks: -h for help, and a suggestion for an unknown flag (exit status 2).
 * False: only the flags were wanted (list_flags), and the command returns 0 at once. */
bool read_arguments(const struct argp *argp, int argc, char **argv, void *input) __attribute__((warn_unused_result));

/* --max-memory, for a command that reads images or data: its child. */
extern const struct argp memory_argp;
#define MEMORY_OPTION                                                                                                  \
    {                                                                                                                  \
        "max-memory", KEY_MAX_MEMORY, "MIB", 0,                                                                        \
            "what an image or a file of data may take once unpacked (preset 256 MiB)", 8                               \
    }
enum { KEY_MAX_MEMORY = 0x3000 };
/* The value of the flag, for the contexts that are opened from then on. */
void set_max_memory(struct argp_state *state, const char *arg);
size_t asked_max_memory(void);

/* --allow-change, of commands that go on with a run: a row of their table, and what was given. */
#define ALLOW_CHANGE_OPTION                                                                                            \
    {                                                                                                                  \
        "allow-change", KEY_ALLOW_CHANGE, "NAME", 0,                                                                   \
            "with --resume: go on although this setting is another (augment, LAYER.OPTION); may be given several "     \
            "times",                                                                                                   \
            1                                                                                                          \
    }
enum { KEY_ALLOW_CHANGE = 0x3001, MOST_ALLOWED = 64 };
typedef struct allowed_changes {
    const char *name[MOST_ALLOWED + 1]; /* [count], then NULL */
    int count;
} allowed_changes;
void report_allowed_changes(const allowed_changes *changes, bool resume);
void add_allowed_change(struct argp_state *state, const char *arg, allowed_changes *changes);

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
int usage_error(const char *fmt, ...) PRINTS(1, 2);

/* Prints a JSON value as one line on stdout and frees it. */
void print_json(json_t *value);
json_t *json_number(double value); /* null for NaN and infinities */
/* A path or file's name: JSON is UTF-8, and those need not be. What is not is escaped. */
json_t *json_text(const char *text);

/* For argp parsers: a whole number in [least, most]; anything else ends the program with a message.
 */
int parse_number(struct argp_state *state, const char *flag, const char *text, int least, int most);
/* The number in `text`, from `least` to `most`; above `least` where `most` is infinite. */
double parse_real(struct argp_state *state, const char *flag, const char *text, double least, double most);
/* An argument of which a command takes one, as `what` ("MODEL") names it. */
void take_argument(struct argp_state *state, const char *what, const char **place, const char *arg);

/* For argp parsers: takes the one argument CHECKPOINT, and asks for it at the end; ARGP_ERR_UNKNOWN
 * for other keys. */
error_t parse_checkpoint(int key, char *arg, struct argp_state *state, const char **checkpoint);

/* ---- models ------------------------------------------------------------------------------- */

/* What the command line says about a model. An argp child parser fills it. */
typedef struct model_args {
    const char *model; /* NULL: none given yet */
    int changes, threads;
    struct model_change {
        char path[128], origin[144]; /* "train.lr", "--lr" */
        const char *value;
        bool verbatim;
    } change[128];
} model_args;

extern const struct argp model_argp;       /* --set PATH=VALUE, --threads, --exact, --no-fuse */
const struct argp *model_train_argp(void); /* --set, --threads, and a flag for every key of train: */

/* Loads args->model (or `otherwise`, where none was given) with what the command line sets, and
 * sets the context's threads. Every setting that is wrong has its message. nm_model_free. */
nm_status load_model(nm_context *ctx, const model_args *args, const char *otherwise, nm_model **model) NM_MUST_USE;

/* ---- training, watched from the terminal --------------------------------------------------- */

/* How training shows itself on stderr. */
typedef struct training_screen {
    bool terminal, colour, headed;
    double drawn; /* when the progress line was drawn last, as nm_progress counts seconds */
} training_screen;

/* Non-zero once a signal has asked training to stop: for nm_training. */
extern const volatile int *const stop_signal;

/* From here on SIGINT, SIGTERM and SIGHUP ask to stop, and a second one ends the program. */
void begin_screen(training_screen *s);
/* Prints a line for a row, and on a terminal keeps one of how far it is; `screen` is one, for
 * nm_training. */
void show_progress(void *screen, const nm_progress *p);
/* Ends what begin_screen began. The exit status of a run that a signal stopped (129, 130, 143),
 * else 0. */
int end_screen(const training_screen *s);

/* ---- trained networks that predict -------------------------------------------------------- */

/* `path` is a checkpoint, or a run directory: its best.h5, or last.h5 where there is no best. */
nm_status open_predictor(nm_context *ctx, const char *path, nm_predictor **out) __attribute__((warn_unused_result));
/* Says on stderr which file was read and what state it holds: "runs/x/best.h5, step 400 (epoch 2)".
 */
void print_predictor(const nm_predictor *predictor);
/* The same as the keys "checkpoint" and "step" of a JSON object. */
void add_predictor(json_t *object, const nm_predictor *predictor);
/* `name`, or the number of class `c` where that is NULL; until the next call. */
const char *name_or_number(const char *name, int c);

#endif
