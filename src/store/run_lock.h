/* The folder of a run and its lock file, which says that the folder is a run's and which process
 * works in it: "norma PROCESS". Private to src/train. */
#ifndef NM_RUN_LOCK_H
#define NM_RUN_LOCK_H

#include "error.h"

/* Makes the folder and those above it; *made counts those that were not there, also on failure.
 * With `fresh` the folder itself must not be there: NM_OK with *made = 0 says that it was. */
nm_status nm_folder_make(nm_context *ctx, const char *path, bool fresh, int *made) NM_MUST_USE;
/* Removes what nm_folder_make made, as far as it is empty. */
void nm_folder_remove(const char *path, int made);

typedef enum nm_run_lock_state {
    NM_LOCK_NONE,    /* no lock file, or the remnant of one and no checkpoint: the folder has not been a run's */
    NM_LOCK_OURS,    /* left or held by a run */
    NM_LOCK_FOREIGN, /* a file of that name that norma has not written */
} nm_run_lock_state;
/* NM_FAILED: it is there and cannot be read. */
nm_status nm_run_lock_look(nm_context *ctx, const char *folder, nm_run_lock_state *state) NM_MUST_USE;

typedef struct nm_run_lock {
    int fd;    /* -1: not held */
    bool made; /* the file was not there before */
} nm_run_lock;

/* Refused (NM_INVALID) while another process holds it; NM_FAILED where there is no lock to be had.
 */
nm_status nm_run_lock_take(nm_context *ctx, const char *folder, nm_run_lock *lock) NM_MUST_USE;
/* With `remove` the file goes too. */
void nm_run_lock_release(nm_run_lock *lock, const char *folder, bool remove);

#endif
