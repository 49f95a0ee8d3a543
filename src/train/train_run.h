/* A training run in progress: what the files of this folder share. Private to src/train. */
#ifndef NM_TRAIN_RUN_H
#define NM_TRAIN_RUN_H

#include "clock.h"
#include "evaluate.h"
#include "optimization.h"
#include "processes.h"
#include "run_dir.h"
#include "train.h"
#include "watch.h"

/* Lives from nm_train_run_open to nm_train_run_close. Steps count from 0; a step's batch is number
 * step % steps_per_epoch of epoch step / steps_per_epoch. */
typedef struct nm_train_run {
    nm_context *ctx;
    const nm_train_request *request;
    const nm_train_settings *settings; /* the network's */
    nm_yaml *document;                 /* until the network takes it */
    nm_network *net;
    nm_dataset *data;
    nm_augmentation augmentation;
    nm_loader_settings loading;
    nm_loader *loader;
    nm_plan *plan;
    nm_target_maker targets;
    nm_evaluator *evaluator; /* NULL: the data has no test split */
    nm_optimization *optimization;
    nm_train_state state;
    int taken;            /* parameters that came from settings.init_from */
    char *classes;        /* state.classes */
    char data_digest[65]; /* state.data_digest; empty: nothing is written that could hold it */
    int row_capacity;
    int passing_rows;        /* of the history's last rows: not part of what a checkpoint holds */
    double *row_seconds;     /* beside state.history */
    bool keeps;              /* the run has a folder, of which process 0 writes the files */
    nm_run_dir *run;         /* NULL: nothing is written, here */
    nm_processes *processes; /* that train together; NULL: this one alone */
    nm_watch *watch;
    uint64_t steps;                    /* where training ends */
    uint64_t row_every, save_every;    /* steps; save_every 0: at the end only */
    int loader_steps;                  /* batches that the loader makes in an epoch: steps_per_epoch, or one more */
    uint64_t resumed_step, saved_step; /* of last.h5; NEVER_SAVED */
    uint64_t evaluated_step;           /* of the last evaluation, whose results were finite; 0: none */
    double first_loss;                 /* the largest that training began with; 0: no step yet */
    bool withheld;                     /* the loss is far above that: nothing is saved */
    real *states;                      /* as net->states: of before the step whose gradients are computed */
    double seconds_before;             /* of the run until this process took it up */
    double started;                    /* clock */
    double stepping;                   /* seconds of this process within steps */
    uint64_t stepped;                  /* samples of this process */
    nm_traffic sent;                   /* to other processes, in the steps of this one */
    uint64_t sent_steps;
    bool population;        /* a batch norm wants `statistics: population` */
    bool *population_state; /* [params]: this state is one of those */
} nm_train_run;

#define NM_NEVER_SAVED UINT64_MAX

/* Everything but the run directory and the loader, so that nothing is written. Without `data` the
 * data set is not opened: t->data is NULL, and there is no plan. */
nm_status nm_train_run_set_up(nm_context *ctx, const nm_train_request *request, bool data, nm_train_run *t,
                              nm_train_result *result) NM_MUST_USE;
nm_status nm_train_run_open(nm_context *ctx, const nm_train_request *request, nm_train_run *t,
                            nm_train_result *result) NM_MUST_USE;
void nm_train_run_close(nm_train_run *t);

/* Sets t->data, from the request's cache or opened. */
nm_status nm_train_run_open_data(nm_train_run *t) NM_MUST_USE;
/* Sets t->data_digest and the state's. */
void nm_train_run_digest_data(nm_train_run *t);

/* Makes the loader start at `step`. */
nm_status nm_train_run_load_from(nm_train_run *t, uint64_t step, nm_loader **loader) NM_MUST_USE;
/* The batch of the next step: passes over the single sample that an epoch may leave. */
const nm_loaded *nm_train_run_next(const nm_train_run *t, nm_loader *loader);

/* ---- processes that train together (joint.c); without others these do nothing ---- */

/* Whether all are ready to train the same: `status` is this one's. */
nm_status nm_train_together(const nm_train_run *t, nm_status status) NM_MUST_USE;
/* Process 0's status, for all. */
nm_status nm_train_follow(const nm_train_run *t, nm_status status) NM_MUST_USE;
/* Takes over what process 0 begins with: the state, parameters and the optimizer's slots. */
nm_status nm_train_take_state(nm_train_run *t) NM_MUST_USE;
/* Adds what a step has sent since `before`. */
void nm_train_count_traffic(nm_train_run *t, const nm_traffic *before);
/* *stop: whether any of them is to stop. */
nm_status nm_train_stop_together(const nm_train_run *t, bool *stop) NM_MUST_USE;

/* Of the run, in all processes. */
double nm_train_run_seconds(const nm_train_run *t);
/* The share of the steps' time that went by waiting for data; NaN: no step was made. */
double nm_train_run_waited(const nm_train_run *t);
/* A row of `step` in which nothing is measured yet. */
nm_history_row nm_train_run_start_row(const nm_train_run *t, uint64_t step);
/* Appends a row to the history; takes row_seconds along. */
nm_status nm_train_run_add_row(nm_train_run *t, const nm_history_row *row, double seconds) NM_MUST_USE;
/* Fills in what training gave since the last row, and does with it all that is due: history,
 * best.h5, metrics.csv, progress. */
nm_status nm_train_run_finish_row(nm_train_run *t, nm_history_row *row, bool lasting) NM_MUST_USE;
/* metrics.csv with what the history holds. */
nm_status nm_train_run_write_metrics(const nm_train_run *t) NM_MUST_USE;
/* Calls request->progress; row: one was made, else NULL. */
void nm_train_run_report(const nm_train_run *t, const nm_history_row *row);

/* Finds the batch norms that want `statistics: population`. */
nm_status nm_population_find(nm_train_run *t) NM_MUST_USE;
/* Makes their running statistics the averages over settings.population_batches batches of training.
 */
nm_status nm_population_estimate(nm_train_run *t) NM_MUST_USE;

#endif
