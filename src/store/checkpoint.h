/* Checkpoints: everything that a run needs to go on, as an HDF5 file. docs/checkpoint.md gives the
 * format. */
#ifndef NM_CHECKPOINT_H
#define NM_CHECKPOINT_H

#include "dataset.h"
#include "network.h"

typedef struct nm_history_row {
    uint64_t step;
    uint32_t epoch; /* the epoch of that step, from 1: at its last step, how many are completed */
    double lr, train_loss, train_accuracy, test_loss, test_accuracy; /* NaN: not measured */
} nm_history_row;

/* The state of training besides the parameters. What follows from the machine or the clock
 * (threads, seconds) has no place here: equal states give equal bytes. */
typedef struct nm_train_state {
    uint64_t step; /* steps done */
    uint64_t seed;
    uint64_t steps_per_epoch;
    double loss_sum; /* over the samples trained on since the last row of the history */
    uint64_t seen;
    double correct, counted; /* labels predicted right since then, of so many that count */
    double best_accuracy;    /* on the test split so far; NaN: none */
    uint64_t best_step;
    int history_count;
    nm_history_row *history;
    const char *optimizer; /* type name */
    int slots;
    const char *const *slot_names;
    real *slot[4];                  /* each as network->weights */
    nm_normalisation normalisation; /* the caller's; after nm_checkpoint_load_state the checkpoint's */
    const char *data;               /* name of the data set */
    const char *classes;            /* the names of its classes, one a line; NULL: none */
    const char *data_digest;        /* of nm_dataset_digest; NULL: none */
    char *changes;                  /* settings that were changed on going on, one a line; NULL: none; nm_free */
} nm_train_state;

/* The document as text, such that parsing and writing it again gives the same text; nm_free. It is
 * what checkpoints and the run directory's model.yaml hold. */
nm_status nm_model_text(nm_context *ctx, const nm_yaml *document, char **text) NM_MUST_USE;

/* Writes `path` whole or not at all: built in memory, digest in the user block, temporary file in
 * the same folder, fsync, rename, fsync of the folder. `state` NULL: parameters only. */
nm_status nm_checkpoint_save(nm_context *ctx, const char *path, const nm_network *net,
                             const nm_train_state *state) NM_MUST_USE;

/* A checkpoint read whole into memory and verified. */
typedef struct nm_checkpoint nm_checkpoint;
nm_status nm_checkpoint_open(nm_context *ctx, const char *path, nm_checkpoint **out) NM_MUST_USE;
void nm_checkpoint_free(nm_checkpoint *checkpoint);

/* The model file it was trained from, as text; belongs to the checkpoint. */
const char *nm_checkpoint_model(const nm_checkpoint *checkpoint);
/* Loads parameters into a network of the same layers; every missing, surplus or differently shaped
 * parameter is named. partial: take what fits by name and shape, leave the rest (for --init-from);
 * *taken counts (may be NULL). */
nm_status nm_checkpoint_load(nm_context *ctx, const nm_checkpoint *checkpoint, nm_network *net, bool partial,
                             int *taken) NM_MUST_USE;
/* Loads the state. state->optimizer, data (unless NULL), slots, slot_names and slot[] say what is
 * wanted: another optimizer or data set is refused. history is allocated (nm_free). counted < 0: a
 * file of before, which does not hold it, and whose `correct` sums each sample's share. */
nm_status nm_checkpoint_load_state(nm_context *ctx, const nm_checkpoint *checkpoint, const nm_network *net,
                                   nm_train_state *state) NM_MUST_USE;
/* The names of the classes, one a line; NULL where it has none. Belongs to the checkpoint. */
const char *nm_checkpoint_classes(const nm_checkpoint *checkpoint);
/* The digest of the data it was trained on; NULL where it has none. Belongs to the checkpoint. */
const char *nm_checkpoint_data_digest(const nm_checkpoint *checkpoint);
/* Steps that it was trained for; 0 where it is not stored. */
uint64_t nm_checkpoint_step(const nm_checkpoint *checkpoint);
/* The epoch of that step, from 1, as metrics.csv counts; 0 where it is not stored. */
uint64_t nm_checkpoint_epoch(const nm_checkpoint *checkpoint);
/* Mean and deviation stored with it, of no channels where it has none. Belongs to the checkpoint.
 */
const nm_normalisation *nm_checkpoint_normalisation(const nm_checkpoint *checkpoint);

#endif
