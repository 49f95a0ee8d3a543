/* How much memory this process can still have, found before it is asked for: the system promises
 * more than there is, and ends the process once that is used. */
#ifndef NM_MEMORY_LEFT_H
#define NM_MEMORY_LEFT_H

#include <stddef.h>

/* Bytes that can still be had by all of: the machine's free memory, the limits of the control
 * groups that the process is in (caches of files count as free there), its limits of address space
 * and of data (ulimit -v, ulimit -d). `untouched`: bytes that the process has, but has not used
 * yet, so that the machine counts them as free. *limit: which of them is the tightest, in words.
 * SIZE_MAX: the system does not tell.
 *
 * For tests: where the environment has NORMA_MEMORY_ROOT, files of the system (proc/meminfo,
 * proc/self/cgroup, sys/fs/cgroup/…) are looked for in that folder. */
size_t nm_memory_left(size_t untouched, const char **limit);

/* "3.2 GiB", "17 MiB". */
const char *nm_memory_text(size_t bytes, char text[32]);

#endif
