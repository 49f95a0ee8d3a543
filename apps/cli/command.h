/* What commands share that know the library from within; cli.h has the rest. */
#ifndef COMMAND_H
#define COMMAND_H

#include "cli.h"
#include "network.h"
#include "train.h"

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
/* ---- the documents of models ----------------------------------------------------------------- */

/* Changes one value as --set PATH=VALUE does; `origin` is what messages name ("--vary lr"). Words
 * are words, as nm_yaml_change has it. */
nm_status change_document(nm_context *ctx, nm_yaml *document, const char *origin, const char *path,
                          const char *value) NM_MUST_USE;

/* The document of load_model; nm_yaml_free. */
nm_status load_document(nm_context *ctx, const model_args *args, const char *otherwise, nm_yaml **document) NM_MUST_USE;

/* The network of load_document, with its settings applied; it has no values yet. */
nm_status open_model(nm_context *ctx, const model_args *args, const char *otherwise, nm_network **net) NM_MUST_USE;

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
