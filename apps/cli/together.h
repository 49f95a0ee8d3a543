/* A command that several processes run together, started by mpirun or srun. */
#ifndef TOGETHER_H
#define TOGETHER_H

#include <norma/norma.h>

/* Joins the others. From here on only process 0 writes to stdout and stderr. */
nm_status join_processes(nm_context *ctx);

/* How many there are. */
int joined_processes(void);

/* To be called with the status that the command ends with, before its messages are printed: waits
 * for the others. Where one of them cannot be reached, each process tells. */
nm_status part_processes(nm_context *ctx, nm_status status);

#endif
