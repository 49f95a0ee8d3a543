/* What may have changed between a run and its going on. Private to src/train. */
#ifndef NM_RESUME_CHANGES_H
#define NM_RESUME_CHANGES_H

#include "train_run.h"

/* Each against the network of the model file in the checkpoint, which has no values; NM_INVALID,
 * with name, found and expected, where the run cannot go on. */

/* The shapes of the inputs. */
nm_status nm_resume_check_inputs(nm_train_run *t, const nm_network *old) NM_MUST_USE;
/* The section `train:`. Marks in `old` what its settings freeze. */
nm_status nm_resume_check_settings(nm_train_run *t, nm_network *old) NM_MUST_USE;
/* Layers, losses and their options. */
nm_status nm_resume_check_network(nm_train_run *t, const nm_network *old) NM_MUST_USE;

/* NM_INVALID where two numbers differ: "it was trained with WHAT 5, the run has 6". */
nm_status nm_resume_differs(nm_train_run *t, const char *what, uint64_t found, uint64_t wanted) NM_MUST_USE;

#endif
