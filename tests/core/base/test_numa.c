/* Reading the machine's nodes and cores, from folders that are made up. */
#include "numa.h"

#include "cpu_list.h"
#include "run_suite.h"

#include <stdio.h>
#include <sys/stat.h>

static char folder[64];
static nm_numa numa;

/* A file of the folder, with the folders that it lies in. */
static void write_file(const char *name, const char *text)
{
    char path[256];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    for (char *slash = path + strlen(folder) + 1; (slash = strchr(slash, '/')); *slash++ = '/') {
        *slash = '\0';
        mkdir(path, 0777);
    }
    FILE *f = fopen(path, "w");
    ck_assert_ptr_nonnull(f);
    fprintf(f, "%s\n", text);
    fclose(f);
}

static void check_node(int index, int number, const char *cpus)
{
    char text[256];
    ck_assert_int_eq(numa.number[index], number);
    ck_assert_str_eq(nm_cpu_list_text(&numa.cpus[index], text, sizeof text), cpus);
}

static void check_one_node(void)
{
    nm_numa_read(folder, &numa);
    ck_assert_int_eq(numa.nodes, 1);
    check_node(0, 0, "0-1023");
    ck_assert(numa.core[0] == 0 && numa.core[1023] == 1023);
}

static void begin(void)
{
    strcpy(folder, "/tmp/norma-numa-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
}

static void end(void)
{
    char command[128];
    snprintf(command, sizeof command, "rm -r %s", folder);
    ck_assert_int_eq(system(command), 0);
}

START_TEST(nodes_and_cores)
{
    write_file("node/online", "0-1,8");
    write_file("node/node0/cpulist", "0-1,4-5");
    write_file("node/node1/cpulist", "2-3,6-7");
    write_file("node/node8/cpulist", ""); /* memory alone */
    write_file("cpu/cpu0/topology/thread_siblings_list", "0,4");
    write_file("cpu/cpu4/topology/thread_siblings_list", "0,4");
    write_file("cpu/cpu5/topology/thread_siblings_list", "nonsense");
    write_file("cpu/cpu6/topology/thread_siblings_list", "2-3"); /* not of itself */
    nm_numa_read(folder, &numa);
    ck_assert_int_eq(numa.nodes, 3);
    check_node(0, 0, "0-1,4-5");
    check_node(1, 1, "2-3,6-7");
    check_node(2, 8, "");
    ck_assert(numa.core[0] == 0 && numa.core[4] == 0);
    ck_assert(numa.core[1] == 1 && numa.core[5] == 5 && numa.core[6] == 6);
}
END_TEST

START_TEST(one_node_where_nothing_is_told)
{
    check_one_node();
    write_file("node/online", "0-1");
    check_one_node(); /* no lists */
    write_file("node/node0/cpulist", "");
    write_file("node/node1/cpulist", "");
    check_one_node(); /* no CPUs */
    write_file("node/node0/cpulist", "0-3");
    write_file("node/node1/cpulist", "3-4");
    check_one_node(); /* a CPU in two */
    write_file("node/node1/cpulist", "4-?");
    check_one_node();
    write_file("node/online", "0-500");
    check_one_node();
}
END_TEST

START_TEST(this_machine)
{
    nm_numa_read("/sys/devices/system", &numa);
    int cpus = 0;
    for (int node = 0; node < numa.nodes; node++)
        cpus += CPU_COUNT(&numa.cpus[node]);
    ck_assert(numa.nodes >= 1 && cpus >= 1);
}
END_TEST

static void set_up(TCase *tcase)
{
    tcase_add_checked_fixture(tcase, begin, end);
}

SUITE_WITH("NUMA nodes", set_up, nodes_and_cores, one_node_where_nothing_is_told, this_machine)
