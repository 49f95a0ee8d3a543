#include "placement.h"

#include "cpu_list.h"
#include "processes.h"

#include <stdio.h>

/* Where the system names no node for a CPU, it is counted with the first one. */
static int node_of(const nm_numa *numa, int cpu)
{
    for (int node = 0; node < numa->nodes; node++)
        if (CPU_ISSET(cpu, &numa->cpus[node]))
            return node;
    return 0;
}

/* Adds the allowed CPUs of a node's cores `first` to `end` - 1 to *part, in the order of their
 * lowest CPUs. Returns how many cores the node has. part NULL: only that. */
static int take_cores(const nm_numa *numa, const cpu_set_t *allowed, int node, int first, int end, cpu_set_t *part)
{
    int ordinal[CPU_SETSIZE] = {0}, cores = 0; /* ordinal: of a core, from 1 */
    for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
        if (!CPU_ISSET(cpu, allowed) || node_of(numa, cpu) != node)
            continue;
        int *own = &ordinal[numa->core[cpu]];
        *own = *own ? *own : ++cores;
        if (part && *own > first && *own <= end)
            CPU_SET(cpu, part);
    }
    return cores;
}

/* The nodes that have cores. */
typedef struct usable {
    int nodes, all; /* all: cores */
    int node[NM_MOST_NODES], cores[NM_MOST_NODES];
} usable;

static usable find_usable(const nm_numa *numa, const cpu_set_t *allowed)
{
    usable u = {0};
    for (int node = 0; node < numa->nodes; node++) {
        int cores = take_cores(numa, allowed, node, 0, 0, NULL);
        if (cores == 0)
            continue;
        u.node[u.nodes] = node;
        u.cores[u.nodes++] = cores;
        u.all += cores;
    }
    return u;
}

/* Processes of each node: one by one they go where they get most cores, so that the slowest process
 * has as many as can be. */
static void spread_processes(const usable *u, int count, int processes[NM_MOST_NODES])
{
    for (int k = 0; k < u->nodes; k++)
        processes[k] = 1;
    for (int placed = u->nodes; placed < count; placed++) {
        int best = 0;
        for (int k = 1; k < u->nodes; k++)
            if (u->cores[k] * (processes[best] + 1) > u->cores[best] * (processes[k] + 1))
                best = k;
        processes[best]++;
    }
}

static void take_part_of_node(const nm_numa *numa, const cpu_set_t *allowed, const usable *u, int rank, int count,
                              cpu_set_t *part)
{
    int processes[NM_MOST_NODES], k = 0;
    spread_processes(u, count, processes);
    while (rank >= processes[k])
        rank -= processes[k++];
    size_t cores = (size_t)u->cores[k];
    take_cores(numa, allowed, u->node[k], (int)nm_share_first(cores, rank, processes[k]),
               (int)nm_share_first(cores, rank + 1, processes[k]), part);
}

/* Process after process takes nodes until it has about its share of the cores that are left, and
 * leaves one at least for each that comes after it. */
static void take_whole_nodes(const nm_numa *numa, const cpu_set_t *allowed, const usable *u, int rank, int count,
                             cpu_set_t *part)
{
    int next = 0, left = u->all;
    for (int process = 0; process <= rank; process++) {
        int first = next, cores = u->cores[next++], processes = count - process;
        while (u->nodes - next >= processes && (2 * cores + u->cores[next]) * processes <= 2 * left)
            cores += u->cores[next++];
        next = processes == 1 ? u->nodes : next;
        left -= cores;
        for (int k = first; k < next && process == rank; k++)
            take_cores(numa, allowed, u->node[k], 0, u->cores[k], part);
    }
}

bool nm_placement_cut(const nm_numa *numa, const cpu_set_t *allowed, int rank, int count, cpu_set_t *part)
{
    usable u = find_usable(numa, allowed);
    *part = *allowed;
    if (count > u.all)
        return false;
    CPU_ZERO(part);
    (count < u.nodes ? take_whole_nodes : take_part_of_node)(numa, allowed, &u, rank, count, part);
    return true;
}

nm_place nm_placement_of(const nm_numa *numa, const cpu_set_t *mask, int rank, int count, bool cut)
{
    nm_place place = {.cpus = mask[rank]};
    cpu_set_t common;
    for (int r = 0; r < count; r++) {
        place.launched = place.launched || !CPU_EQUAL(&mask[r], &mask[rank]);
        CPU_AND(&common, &mask[r], &mask[rank]);
        place.sharing += r == rank || CPU_COUNT(&common) > 0;
    }
    if (cut && count > 1 && !place.launched && nm_placement_cut(numa, &mask[rank], rank, count, &place.cpus))
        place.sharing = 1;
    return place;
}

const char *nm_placement_text(const nm_numa *numa, const nm_place *place, bool alone, char *text, size_t size)
{
    usable u = find_usable(numa, &place->cpus);
    cpu_set_t numbers;
    char cpus[256], nodes[64], list[48], sharing[48] = "";
    if (u.nodes == 0) {
        snprintf(text, size, "CPUs that the system does not tell");
        return text;
    }
    CPU_ZERO(&numbers);
    for (int k = 0; k < u.nodes; k++)
        CPU_SET(numa->number[u.node[k]], &numbers);
    const char *many = u.nodes == 1 ? "" : "s";
    if (alone)
        snprintf(nodes, sizeof nodes, "%d node%s", u.nodes, many);
    else
        snprintf(nodes, sizeof nodes, "node%s %s", many, nm_cpu_list_text(&numbers, list, sizeof list));
    if (place->sharing > 1)
        snprintf(sharing, sizeof sharing, ", shared by %d processes", place->sharing);
    snprintf(text, size, "CPU%s %s (%s)%s%s", CPU_COUNT(&place->cpus) == 1 ? "" : "s",
             nm_cpu_list_text(&place->cpus, cpus, sizeof cpus), nodes, sharing,
             place->launched ? ", bound by the launcher" : "");
    return text;
}
