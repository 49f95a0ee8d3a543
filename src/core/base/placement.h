/* Which CPUs each of a machine's processes is to have: cores that lie beside each other and beside
 * memory of their own. Nothing here asks the system or changes anything. */
#ifndef NM_PLACEMENT_H
#define NM_PLACEMENT_H

#include "numa.h"

#include <stdbool.h>
#include <stddef.h>

typedef struct nm_place {
    cpu_set_t cpus;
    int sharing;   /* processes of the machine that use some of these CPUs, this one included */
    bool launched; /* so the launcher had it: to be left as it is */
} nm_place;

/* Cuts `allowed` into parts for `count` processes, none of which shares a core with another, and
 * sets *part to that of process `rank`, from 0.
 * - Where there are as many processes as nodes with allowed CPUs, or more, neighbouring processes
 *   share a node's cores evenly, and none has cores of two nodes. Of nodes and processes that do
 *   not go together evenly, nodes with more cores for each process get one more.
 * - Where there are fewer, each gets whole nodes, neighbours.
 * false: there are fewer cores than processes; *part is `allowed`. */
bool nm_placement_cut(const nm_numa *numa, const cpu_set_t *allowed, int rank, int count, cpu_set_t *part);

/* The place of process `rank` of those of this machine; mask: [count], the CPUs that each may use.
 * Masks that differ are the launcher's doing, and are kept. Where all are the same they are the
 * machine's or a container's: then, if `cut`, they are cut into parts. A process that is alone
 * keeps its mask. */
nm_place nm_placement_of(const nm_numa *numa, const cpu_set_t *mask, int rank, int count, bool cut);

/* "CPUs 8-15 (node 1), bound by the launcher". alone: the nodes are counted instead of named.
 * Returns text. */
const char *nm_placement_text(const nm_numa *numa, const nm_place *place, bool alone, char *text, size_t size);

#endif
