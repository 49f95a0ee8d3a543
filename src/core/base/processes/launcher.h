/* What has started this process, as its environment tells. */
#ifndef NM_LAUNCHER_H
#define NM_LAUNCHER_H

#include "error.h"

#include <stdbool.h>

typedef struct nm_launch {
    const char *launcher;  /* in words: "mpirun of Open MPI"; NULL: none, this process is alone */
    const char *plugin[2]; /* to be tried in this order: "openmpi", "mpich"; NULL: none */
    int rank, count;       /* count 0: the launcher does not tell, MPI will */
    bool reports;          /* the first process of its machine: it tells what concerns all of them */
} nm_launch;

/* NM_INVALID: NORMA_MPI has an unknown word. */
nm_status nm_launch_read(nm_context *ctx, nm_launch *launch) NM_MUST_USE;

#endif
