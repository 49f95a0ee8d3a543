/* The run directory: what a training run leaves on the disk. One process at a time works in it.
 *
 *     lock                  held while a process trains here; names the process
 *     model.yaml            the model file with every change applied
 *     metrics.csv           a row per evaluation
 *     watch.csv             percentiles of the watched units, where asked for
 *     last.h5, best.h5      checkpoints; last.h5 is what a resumed run goes on from
 *     step-NNNNNNNN.h5      the newest few
 *
 * Only what norma has written is ever replaced or removed: a folder without a run's lock file that
 * has files of these names is refused, and only temporary names (file.h) and checkpoints are
 * cleaned away.
 *
 * Each file but watch.csv is replaced whole. last.h5 is written after everything else that belongs
 * to its step, so that a run which is resumed from it finds the rest at least as new, and writes
 * what is newer again to the same bits. */
#ifndef NM_RUN_DIR_H
#define NM_RUN_DIR_H

#include "checkpoint.h"
#include "run_lock.h"

#include <stdio.h>

typedef struct nm_run_dir {
    nm_context *ctx;
    char *path;
    nm_run_lock lock;
    int folders;   /* that were made for it */
    bool begun;    /* the run's first file is written: what was made stays */
    bool has_last; /* a checkpoint to go on from was there when it was opened: */
    char last[64]; /* last.h5; where that is missing, the newest whole one */
    int old_rows;  /* what metrics.csv held then: seconds are not in the checkpoint */
    uint64_t *old_steps;
    double *old_seconds;
    uint64_t diverged; /* at what step it ended so */
} nm_run_dir;

/* Makes the folder where needed and takes its lock. Refused (NM_INVALID): a folder that another
 * process holds; without `resume`, one that holds a run; one that is no run's but has files of the
 * names above. */
nm_status nm_run_dir_open(nm_context *ctx, const char *path, bool resume, nm_run_dir **out) NM_MUST_USE;
/* Makes the first of the folders STEM-1, STEM-2, … that is not there. */
nm_status nm_run_dir_open_fresh(nm_context *ctx, const char *stem, nm_run_dir **out) NM_MUST_USE;
/* Whether the folder, which need not be there, has a run's checkpoint, whole or not. */
nm_status nm_run_dir_has_checkpoint(nm_context *ctx, const char *path, bool *there) NM_MUST_USE;
/* A word that can be a folder's name: `name` without slashes, control characters and a dot at its
 * beginning, and not too long for more to be put behind it. */
void nm_run_name(const char *name, char *out, size_t size);
/* Of a run that has not begun nothing is left. */
void nm_run_dir_close(nm_run_dir *run);

/* PATH/name; nm_free. */
char *nm_run_dir_file(const nm_run_dir *run, const char *name);

nm_status nm_run_dir_model(nm_run_dir *run, const char *text) NM_MUST_USE;
/* Rewrites metrics.csv: seconds[i] belongs to history[i]. */
nm_status nm_run_dir_metrics(const nm_run_dir *run, const nm_history_row *history, const double *seconds,
                             int rows) NM_MUST_USE;
/* Seconds that the old metrics.csv has for the row of `step`; 0 where it has none. */
double nm_run_dir_seconds(const nm_run_dir *run, uint64_t step);

/* The step at which the old metrics.csv ends in divergence; 0 where it does not. */
uint64_t nm_run_dir_diverged(const nm_run_dir *run);

/* Saves step-NNNNNNNN.h5 (keep > 0), deletes all but the newest `keep` of them, then makes last.h5
 * the same.
 */
nm_status nm_run_dir_save(const nm_run_dir *run, const nm_network *net, const nm_train_state *state,
                          int keep) NM_MUST_USE;
nm_status nm_run_dir_save_best(const nm_run_dir *run, const nm_network *net, const nm_train_state *state) NM_MUST_USE;

#endif
