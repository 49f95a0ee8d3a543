/* The processes that train together: started by mpirun or srun, several on a machine or on several
 * machines. Without these this process is alone, `*out` is NULL, and nothing of MPI is loaded;
 * every function here takes NULL for a process that is alone, and then does nothing and succeeds.
 *
 *     NM_TRY(nm_processes_start(ctx, &p));
 *     nm_processes_set_stop(p, &stop, 0);
 *     NM_TRY(nm_processes_agree(p, "settings", text));
 *     …
 *     NM_TRY(nm_processes_end(p));      or, after a failure: nm_processes_leave(p), and exit
 *
 * All processes make the same calls in the same order, on the thread that called
 * nm_processes_start. Whatever waits for another process also ends, with NM_FAILED and a message
 * that names the process and its host:
 * - where nothing has come for the patience (nm_processes_set_patience),
 * - where MPI says that the other cannot be reached,
 * - where a signal has asked to stop (nm_processes_set_stop).
 * After that every function fails at once, without a further message. The process is then to exit
 * with a status other than 0: the launcher ends the others, or they find out by themselves.
 *
 * Environment: NORMA_PLUGINS, the folder of the plug-ins in place of the one they were installed
 * in; NORMA_MPI, the plug-in (openmpi, mpich) in place of the launcher's, or `off`: each process is
 * alone, whatever has started it. NORMA_BIND: `off`, processes of a machine are bound to no
 * processors. */
#ifndef NM_PROCESSES_H
#define NM_PROCESSES_H

#include "error.h"
#include "placement.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct nm_processes nm_processes;

/* Joins the others. Not before nm_gemm_restart_with_core: MPI starts once in a process.
 * NM_INVALID: a launcher has started several processes, but MPI's plug-in cannot be loaded or does
 * not see them. The message is given by one process of each machine; the others fail without one.
 */
nm_status nm_processes_start(nm_context *ctx, nm_processes **out) NM_MUST_USE;

/* Waits until all have come here, ends MPI, and frees `p`, also where it fails. All trees
 * (sum_tree.h) are freed before. */
nm_status nm_processes_end(nm_processes *p) NM_MUST_USE;
/* Frees `p` without waiting for anyone: before an exit with a status other than 0. */
void nm_processes_leave(nm_processes *p);

int nm_processes_rank(const nm_processes *p);  /* from 0 */
int nm_processes_count(const nm_processes *p); /* at least 1 */
/* How many of them run on this one's machine, itself included: they share its processors. */
int nm_processes_on_host(const nm_processes *p);
/* Gives this process its part of its machine's processors, as placement.h cuts them: the calling
 * thread is bound to it, and so is every thread that starts from then on. To be called before
 * memory is filled that others work on: it lies where it is touched first. *place: what it has;
 * *threads: how many are worth while there. A process that is alone is left as it is.
 * NM_INVALID: NORMA_BIND has an unknown word. */
nm_status nm_processes_bind(nm_context *ctx, nm_processes *p, nm_place *place, int *threads) NM_MUST_USE;
/* "process 2 on host b". */
const char *nm_processes_name(const nm_processes *p, int rank);

/* Of `total` items in their order the first one that is a process's: it has those up to the first
 * of rank + 1. */
static inline size_t nm_share_first(size_t total, int rank, int count)
{
    return total * (size_t)rank / (size_t)count;
}

/* Seconds without an answer after which a wait fails; preset 45. Where waits that ended well have
 * taken more than a tenth of that since the last call of this function, ten times the longest of
 * them: so it is at most 60 while no wait takes 6 seconds. To be set higher before work that one
 * process does alone, and back after it. Time in which this process itself did not run is not
 * counted. */
void nm_processes_set_patience(nm_processes *p, double seconds);

/* Where *stop becomes non-zero (a signal handler may set it), waits fail after `grace` seconds:
 * launchers send SIGTERM to all where one process has ended. 0: at once. NULL: never. */
void nm_processes_set_stop(nm_processes *p, const volatile int *stop, double grace);

/* Compares a text of each; also a barrier: none returns before all have called. NM_FAILED: it is
 * not the same everywhere; the message tells `what`, whose differs from process 0's, and both
 * texts. Only the first 200 bytes are told; all are compared. That is a failure of all, not of MPI:
 * they may go on, or end together with nm_processes_end. */
nm_status nm_processes_agree(nm_processes *p, const char *what, const char *text) NM_MUST_USE;

/* Hands every process every other's block. Block r lies at data + offset[r] and ends at offset[r +
 * 1], in bytes; the own one is there before, all are after. offset: [count + 1], the same
 * everywhere; blocks may be empty. */
nm_status nm_processes_gather(nm_processes *p, void *data, const size_t *offset) NM_MUST_USE;

/* Copies `bytes` from process `from` to all. */
nm_status nm_processes_broadcast(nm_processes *p, void *data, size_t bytes, int from) NM_MUST_USE;

/* What this process has sent since its start. */
typedef struct nm_traffic {
    uint64_t messages, bytes;
} nm_traffic;
nm_traffic nm_processes_traffic(const nm_processes *p);

#endif
