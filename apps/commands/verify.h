/* Training the same steps in several ways, to see that the way leaves no trace. */
#ifndef VERIFY_H
#define VERIFY_H

#include "command.h"

enum { MOST_STOPS = 3, MOST_TRIALS = 8 };

/* One way to train all steps, and what came of it. */
typedef struct trial {
    char title[48];               /* "3 threads", "2 threads, stopped 3 times" */
    int threads[MOST_STOPS + 1];  /* of each part; 0: as many as are allowed */
    int stops;                    /* it is stopped and resumed so often */
    bool planted;                 /* its last part has another l2, which must show */
    uint64_t stop_at[MOST_STOPS]; /* the steps */
    int files, rows;              /* compared with those of the first trial */
    char digest[65];              /* SHA-256 of its last.h5 */
    char *difference;             /* from the first trial, beginning with the step; NULL: none */
} trial;

typedef struct verification {
    nm_context *ctx;
    nm_yaml *document;
    nm_data_cache data;
    char *folder; /* of all runs; of this process alone */
    uint64_t steps, epoch_steps;
    int every; /* steps between checkpoints */
    int trials;
    trial trial[MOST_TRIALS];
} verification;

/* Sets steps and every; and save_every and keep in the document, so that checkpoints of the same
 * steps stay. `steps` 0: what the document says. */
nm_status verify_set_up(verification *v) NM_MUST_USE;
/* The trials: one thread in one go, then others. `most`: of threads. */
void verify_list(verification *v, int most, bool planted);
/* Trains trial i and compares it with trial 0, whose run stays until verify_clear. *ended: it
 * diverged, or a signal came (stop_signal); nothing is compared then. */
nm_status verify_trial(verification *v, int i, bool *ended) NM_MUST_USE;
void verify_clear(verification *v);

#endif
