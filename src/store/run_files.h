/* The names of a run's files. Private to src/train. */
#ifndef NM_RUN_FILES_H
#define NM_RUN_FILES_H

#include "run_dir.h"

/* "step-NNNNNNNN.h5", eight digits or more. */
void nm_run_step_name(long long step, char *name, size_t size);
/* The step in such a name, exactly as it is written; otherwise -1. */
long long nm_run_step_of(const char *name);
/* The largest step below `below` of which there is such a file, or -1. */
long long nm_run_newest(const nm_run_dir *run, long long below);
/* Whether a file of the folder begins as a checkpoint does. What cannot be read is none; errno says
 * why then, and is 0 otherwise. */
bool nm_run_is_checkpoint(const nm_run_dir *run, const char *name);
/* Calls `each` for every file of the folder. */
void nm_run_each_file(const nm_run_dir *run, void (*each)(void *arg, const char *name), void *arg);

#endif
