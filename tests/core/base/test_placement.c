/* Which CPUs processes get, on machines that are made up. */
#include "placement.h"

#include "cpu_list.h"
#include "run_suite.h"

#include <stdio.h>
#include <string.h>

/* nodes: their CPUs, with | between them. threads: the hardware threads of a core, whose CPUs are
 * `cores` apart. */
static const nm_numa *machine(const char *nodes, int cores)
{
    static nm_numa numa;
    char text[512], *rest = text;
    memset(&numa, 0, sizeof numa);
    snprintf(text, sizeof text, "%s", nodes);
    while (rest) {
        const char *one = strsep(&rest, "|");
        numa.number[numa.nodes] = numa.nodes;
        ck_assert(nm_cpu_list_parse(one, &numa.cpus[numa.nodes++]));
    }
    for (int cpu = 0; cpu < CPU_SETSIZE; cpu++)
        numa.core[cpu] = (short)(cores ? cpu % cores : cpu);
    return &numa;
}

static const struct {
    const char *nodes;
    int cores; /* 0: one hardware thread a core */
    const char *allowed;
    int processes;
    const char *parts; /* of all processes; "shared": all have the same */
} cuts[] = {
    {"0-1", 0, "0-1", 1, "0-1"},
    {"0-1", 0, "0-1", 2, "0 1"},
    {"0-1", 0, "0-1", 3, "shared"},
    {"0-7|8-15", 0, "0-15", 1, "0-15"},
    {"0-7|8-15", 0, "0-15", 2, "0-7 8-15"},
    {"0-7|8-15", 0, "0-15", 3, "0-3 4-7 8-15"},
    {"0-7|8-15", 0, "0-15", 4, "0-3 4-7 8-11 12-15"},
    {"0-7|8-15", 0, "0-15", 6, "0-1 2-4 5-7 8-9 10-12 13-15"},
    {"0-7|8-15", 0, "0-15", 17, "shared"},
    {"0-15|16-31|32-47|48-63", 0, "0-63", 2, "0-31 32-63"},
    {"0-15|16-31|32-47|48-63", 0, "0-63", 3, "0-15 16-47 48-63"},
    {"0-15|16-31|32-47|48-63", 0, "0-63", 4, "0-15 16-31 32-47 48-63"},
    {"0-15|16-31|32-47|48-63", 0, "0-63", 6, "0-7 8-15 16-23 24-31 32-47 48-63"},
    {"0-15|16-31|32-47|48-63", 0, "0-63", 8, "0-7 8-15 16-23 24-31 32-39 40-47 48-55 56-63"},
    /* CPUs numbered in turn, and two hardware threads a core: these stay together */
    {"0,2,4,6|1,3,5,7", 0, "0-7", 2, "0,2,4,6 1,3,5,7"},
    {"0-3,8-11|4-7,12-15", 8, "0-15", 2, "0-3,8-11 4-7,12-15"},
    {"0-3,8-11|4-7,12-15", 8, "0-15", 4, "0-1,8-9 2-3,10-11 4-5,12-13 6-7,14-15"},
    {"0-3,8-11|4-7,12-15", 8, "0-15", 9, "shared"},
    {"0-3,8-11|4-7,12-15", 8, "0-7", 4, "0-1 2-3 4-5 6-7"}, /* one thread of each allowed */
    /* uneven nodes */
    {"0-11|12-15", 0, "0-15", 2, "0-11 12-15"},
    {"0-11|12-15", 0, "0-15", 4, "0-3 4-7 8-11 12-15"},
    {"0-1|2-3|4-11|12-19", 0, "0-19", 2, "0-11 12-19"},
    {"0-1|2-3|4-5|6-37", 0, "0-37", 3, "0-3 4-5 6-37"},
    {"0-31|32-33|34-35", 0, "0-35", 2, "0-31 32-35"},
    /* not all CPUs are allowed: of a container, or a job */
    {"0-7|8-15", 0, "4-11", 2, "4-7 8-11"},
    {"0-7|8-15", 0, "6-15", 3, "6-7 8-11 12-15"},
    {"0-7|8-15", 0, "8-15", 2, "8-11 12-15"},
    {"0-7|8-15", 0, "7,15", 2, "7 15"},
    {"0-7|8-15", 0, "7,15", 3, "shared"},
    /* nodes of memory alone; CPUs of no node */
    {"0-3||4-7|", 0, "0-7", 2, "0-3 4-7"},
    {"0-3||4-7|", 0, "0-7", 4, "0-1 2-3 4-5 6-7"},
    {"0-3|4-7", 0, "0-9", 2, "0-3,8-9 4-7"},
    {"0-3|4-7", 0, "20-23", 2, "20-21 22-23"},
    {"0-3|4-7", 0, "", 2, "shared"},
};

START_TEST(parts_of_machines)
{
    const nm_numa *numa = machine(cuts[_i].nodes, cuts[_i].cores);
    cpu_set_t allowed, part;
    char all[1024] = "", text[256];
    bool apart = true;
    ck_assert(nm_cpu_list_parse(cuts[_i].allowed, &allowed));
    for (int rank = 0; rank < cuts[_i].processes; rank++) {
        apart = nm_placement_cut(numa, &allowed, rank, cuts[_i].processes, &part);
        ck_assert(apart || CPU_EQUAL(&part, &allowed));
        strcat(strcat(all, rank ? " " : ""), nm_cpu_list_text(&part, text, sizeof text));
    }
    ck_assert_str_eq(apart ? all : "shared", cuts[_i].parts);
}
END_TEST

/* Nodes of 1 to 7 cores. Returns how many CPUs there are. */
static int uneven_machine(nm_numa *numa, int nodes, cpu_set_t *all)
{
    int cpus = 0;
    memset(numa, 0, sizeof *numa);
    CPU_ZERO(all);
    numa->nodes = nodes;
    for (int node = 0; node < nodes; node++)
        for (int k = 0; k < 1 + (node * 5 + nodes) % 7; k++) {
            numa->core[cpus] = (short)cpus;
            CPU_SET(cpus, &numa->cpus[node]);
            CPU_SET(cpus++, all);
        }
    return cpus;
}

/* Within one node, or whole ones. */
static void check_nodes(const nm_numa *numa, const cpu_set_t *part, int count)
{
    cpu_set_t common;
    for (int node = 0; node < numa->nodes; node++) {
        CPU_AND(&common, part, &numa->cpus[node]);
        ck_assert(CPU_COUNT(&common) == 0 || CPU_EQUAL(&common, count >= numa->nodes ? part : &numa->cpus[node]));
    }
}

START_TEST(no_core_twice_and_none_left)
{
    static nm_numa numa;
    cpu_set_t all, given, part, common;
    for (int nodes = 1; nodes <= 5; nodes++)
        for (int count = uneven_machine(&numa, nodes, &all); count > 0; count--) {
            CPU_ZERO(&given);
            for (int rank = 0; rank < count; rank++) {
                ck_assert(nm_placement_cut(&numa, &all, rank, count, &part) && CPU_COUNT(&part) > 0);
                CPU_AND(&common, &given, &part);
                ck_assert_int_eq(CPU_COUNT(&common), 0);
                CPU_OR(&given, &given, &part);
                check_nodes(&numa, &part, count);
            }
            ck_assert(CPU_EQUAL(&given, &all));
        }
}
END_TEST

/* Places of four processes on two nodes of eight, from the masks that they were started with. */
static const struct {
    const char *mask[4];
    bool cut;
    int sharing; /* of process 1 */
    const char *text;
} places[] = {
    {{"0-15", "0-15", "0-15", "0-15"}, true, 1, "CPUs 4-7 (node 0)"},
    {{"0-15", "0-15", "0-15", "0-15"}, false, 4, "CPUs 0-15 (nodes 0-1), shared by 4 processes"},
    {{"0-2", "0-2", "0-2", "0-2"}, true, 4, "CPUs 0-2 (node 0), shared by 4 processes"},
    {{"8-15", "8-15", "8-15", "8-15"}, true, 1, "CPUs 10-11 (node 1)"},
    {{"0-3", "4-7", "8-11", "12-15"}, true, 1, "CPUs 4-7 (node 0), bound by the launcher"},
    {{"0-7", "0-7", "8-15", "8-15"}, true, 2, "CPUs 0-7 (node 0), shared by 2 processes, bound by the launcher"},
    {{"0", "1", "0", "1"}, true, 2, "CPU 1 (node 0), shared by 2 processes, bound by the launcher"},
    {{"0-15", "0-3", "8-11", "12-15"}, true, 2, "CPUs 0-3 (node 0), shared by 2 processes, bound by the launcher"},
    {{"", "", "", ""}, true, 1, "CPUs that the system does not tell"},
};

START_TEST(launchers_are_followed)
{
    const nm_numa *numa = machine("0-7|8-15", 0);
    cpu_set_t mask[4];
    char text[256];
    for (int r = 0; r < 4; r++)
        ck_assert(nm_cpu_list_parse(places[_i].mask[r], &mask[r]));
    nm_place place = nm_placement_of(numa, mask, 1, 4, places[_i].cut);
    ck_assert_str_eq(nm_placement_text(numa, &place, false, text, sizeof text), places[_i].text);
    ck_assert_int_eq(place.sharing, places[_i].sharing);
}
END_TEST

START_TEST(alone)
{
    const nm_numa *numa = machine("0-7|8-15", 0);
    cpu_set_t mask;
    char text[256];
    ck_assert(nm_cpu_list_parse("0-15", &mask));
    nm_place place = nm_placement_of(numa, &mask, 0, 1, true);
    ck_assert(CPU_EQUAL(&place.cpus, &mask) && place.sharing == 1 && !place.launched);
    ck_assert_str_eq(nm_placement_text(numa, &place, true, text, sizeof text), "CPUs 0-15 (2 nodes)");
    CPU_ZERO(&place.cpus);
    CPU_SET(3, &place.cpus);
    ck_assert_str_eq(nm_placement_text(numa, &place, true, text, sizeof text), "CPU 3 (1 node)");
}
END_TEST

static void set_up(TCase *tcase)
{
    tcase_add_loop_test(tcase, parts_of_machines, 0, sizeof cuts / sizeof *cuts);
    tcase_add_loop_test(tcase, launchers_are_followed, 0, sizeof places / sizeof *places);
}

SUITE_WITH("placement", set_up, no_core_twice_and_none_left, alone)
