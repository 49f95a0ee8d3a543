/* The names of a run's files. Private to src/train. */
#ifndef NM_RUN_FILES_H
#define NM_RUN_FILES_H

#include "run_dir.h"

/* "step-NNNNNNNN.h5", eight digits or more. */
void nm_run_step_name(long long step, char *name, size_t size);
/* The step in such a name, exactly as it is written; otherwise -1. */
long long nm_run_step_of(const char *name);
/* *found: the largest step below `below` of which there is such a file, or -1. */
nm_status nm_run_newest(const nm_run_dir *run, long long below, long long *found) NM_MUST_USE;
/* Whether the folder has a file of that name. Only ENOENT means that it has not: what cannot be
 * looked at may well be there, and is not to be replaced. */
nm_status nm_run_has(const nm_run_dir *run, const char *name, bool *there) NM_MUST_USE;
/* Whether a file of the folder begins as a checkpoint does. What cannot be read is none; errno says
 * why then, and is 0 otherwise. */
bool nm_run_is_checkpoint(const nm_run_dir *run, const char *name);
/* Calls `each` for every file of the folder. */
nm_status nm_run_each_file(const nm_run_dir *run, void (*each)(void *arg, const char *name), void *arg) NM_MUST_USE;
/* Sets run->has_last and run->last, where there is a checkpoint to go on from. Refused
 * (NM_INVALID): without `resume`, a folder with checkpoints; one whose checkpoints are all damaged;
 * rows without any. */
nm_status nm_run_find_last(nm_run_dir *run, bool resume) NM_MUST_USE;

#endif
