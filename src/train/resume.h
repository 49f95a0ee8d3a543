/* Going on from a run's last.h5. Private to src/train. */
#ifndef NM_RESUME_H
#define NM_RESUME_H

#include "train_run.h"

/* Takes parameters, state and history from last.h5. Refused (NM_INVALID), with what differs, where
 * the run would not go on to the bits of one that was never interrupted: other data, seed, batches,
 * network. docs/training.md has the list.
 */
nm_status nm_train_run_resume(nm_train_run *t) NM_MUST_USE;

#endif
