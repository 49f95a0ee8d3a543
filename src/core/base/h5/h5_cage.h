/* A process that reads a file of others for us. The HDF5 library can be brought to crash, hang or
 * overwrite memory by what a file holds: so it never sees one in the process that asks, but in a
 * child that has no files, no network, no new processes (seccomp), and bounded memory and time.
 *
 * What is relied on:
 * - fork() of a process with threads: the child has the one thread that called. It calls the HDF5
 *   library, malloc and system calls, nothing else. glibc keeps malloc usable there; HDF5's own
 *   state is consistent since nm_h5_enter's lock is held across the fork. Teams of OpenMP and
 *   OpenBLAS are not touched. A program that itself calls the HDF5 library in other threads at the
 *   same moment may leave the child waiting for the library's lock, and one whose malloc does not
 *   outlive a fork() waiting for that: it is given up after a minute, with a message that says so.
 *   norma's own threads hold no lock outside their tasks (threads.c: await_workers).
 * - The file is opened, mapped and its digest verified before: the child opens nothing, and reads
 *   the mapping. A file that is cut meanwhile kills the child only.
 * - Values come through memory that both share; they are numbers, of any value. Names, shapes and
 *   texts come through a socket, in memory that the child cannot change any more once checked.
 * - A program that waits for any child (wait) or ignores SIGCHLD may take away the child's status;
 *   its end is seen by the socket, whatever the status.
 */
#ifndef NM_H5_CAGE_H
#define NM_H5_CAGE_H

#include "h5.h"

#include <sys/types.h>

typedef struct nm_cage {
    nm_context *ctx;
    const char *name; /* of the file, for messages */
    pid_t process;    /* 0: none */
    int socket;
    char *shared;
    size_t shared_size;
} nm_cage;

/* Before each answer: how it went, and how many bytes follow (a message, where it went wrong). */
typedef struct nm_cage_answer {
    uint32_t status, unused;
    uint64_t size;
} nm_cage_answer;

/* In the child: does the work, and returns when read() of `socket` finds its end. */
typedef void nm_cage_work(void *arg, int socket, char *shared);

/* The caller holds nm_h5_enter's lock. `memory`: bytes that the child may take, and of `shared`. */
nm_status nm_cage_start(nm_context *ctx, const char *name, size_t memory, nm_cage_work *work, void *arg,
                        nm_cage *cage) NM_MUST_USE;
void nm_cage_end(nm_cage *cage);

/* Asks, and returns at once; the answer is nm_cage_ask's to a request of NULL. Answers come in the
 * order of what was asked. */
nm_status nm_cage_request(nm_cage *cage, const void *request, size_t size) NM_MUST_USE;
/* The answer to `request` (NULL: to what was asked before). *bytes (nm_free; zero byte behind its
 * end) are at most `most`. A crash and more than `seconds` without an answer are messages. */
nm_status nm_cage_ask(nm_cage *cage, const void *request, size_t request_size, double seconds, size_t most,
                      char **bytes, size_t *size) NM_MUST_USE;

/* ---- in the child ---- */

/* Gives up all that reading needs not; false where even that failed. */
bool nm_cage_confine(size_t memory);
/* CPU seconds from now on, then the child is killed. */
void nm_cage_allow_time(double seconds);
bool nm_cage_send(int socket, const void *bytes, size_t size);
bool nm_cage_receive(int socket, void *bytes, size_t size);

#endif
