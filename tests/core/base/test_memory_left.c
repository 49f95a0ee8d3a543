/* What is left of memory, from files of the system that the test writes. */
#include "memory_left.h"

#include "run_suite.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static char root[64];

static void make_root(void)
{
    snprintf(root, sizeof root, "/tmp/norma-test-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(root));
    ck_assert_int_eq(setenv("NORMA_MEMORY_ROOT", root, 1), 0);
}

static void remove_root(void)
{
    char command[128];
    snprintf(command, sizeof command, "rm -rf %s", root);
    ck_assert_int_eq(system(command), 0);
}

/* With the folders above it. */
static void put(const char *path, const char *text)
{
    char whole[512];
    snprintf(whole, sizeof whole, "%s%s", root, path);
    for (char *c = whole + strlen(root) + 1; (c = strchr(c, '/')); c++) {
        *c = '\0';
        mkdir(whole, 0777);
        *c = '/';
    }
    FILE *f = fopen(whole, "w");
    ck_assert_msg(f && fputs(text, f) >= 0 && fclose(f) == 0, "%s", whole);
}

static void expect_left(size_t untouched, size_t bytes, const char *words)
{
    const char *limit = NULL;
    size_t left = nm_memory_left(untouched, &limit);
    ck_assert_msg(left == bytes && strstr(limit, words), "%zu by %s, expected %zu by %s", left, limit, bytes, words);
}

START_TEST(of_the_machine)
{
    expect_left(0, SIZE_MAX, "unknown");
    put("/proc/meminfo", "MemTotal:  100 kB\nMemAvailable:     50 kB\nSwapFree: 7 kB\n");
    expect_left(0, 50 * 1024, "free memory");
    expect_left(1024, 49 * 1024, "free memory");
    expect_left(99999, 0, "free memory");
}
END_TEST

/* The tightest of the process's group and those above; caches are free memory. */
START_TEST(of_control_groups)
{
    put("/proc/meminfo", "MemAvailable: 50 kB\n");
    put("/proc/self/cgroup", "1:name=systemd:/x\n0::/a/b\n");
    put("/sys/fs/cgroup/a/b/memory.max", "max\n");
    put("/sys/fs/cgroup/a/b/memory.current", "100\n");
    expect_left(0, 50 * 1024, "free memory");
    put("/sys/fs/cgroup/a/memory.max", "30000\n");
    put("/sys/fs/cgroup/a/memory.current", "20000\n");
    expect_left(0, 10000, "control group");
    put("/sys/fs/cgroup/a/memory.stat", "anon 1\ninactive_file 3000\nactive_file 2000\nfile 99999\n");
    expect_left(500, 14500, "control group");
    put("/sys/fs/cgroup/a/b/memory.max", "120\n");
    expect_left(0, 20, "control group");
    put("/sys/fs/cgroup/a/b/memory.current", "130\n");
    expect_left(0, 0, "control group");
}
END_TEST

START_TEST(of_control_groups_of_version_1)
{
    put("/proc/self/cgroup", "4:memory:/host/path/that/a/container/does/not/see\n3:cpu:/\n0::/\n");
    put("/sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
    put("/sys/fs/cgroup/memory/memory.usage_in_bytes", "1000\n");
    expect_left(0, 9223372036854770712, "control group");
    put("/sys/fs/cgroup/memory/memory.limit_in_bytes", "5000\n");
    put("/sys/fs/cgroup/memory/memory.stat", "inactive_file 7\ntotal_inactive_file 300\ntotal_active_file 1\n");
    expect_left(0, 4301, "control group");
}
END_TEST

START_TEST(of_limits_of_resources)
{
    struct rlimit before, low = {0};
    put("/proc/self/status", "VmSize:  1024 kB\nVmData:\t  512 kB\n");
    ck_assert_int_eq(getrlimit(RLIMIT_DATA, &before), 0);
    low = before;
    low.rlim_cur = 64 << 20;
    ck_assert_int_eq(setrlimit(RLIMIT_DATA, &low), 0);
    const char *limit = NULL;
    size_t left = nm_memory_left(1 << 20, &limit);
    ck_assert_int_eq(setrlimit(RLIMIT_DATA, &before), 0);
    /* what is not touched counts here already; 32 MiB are kept for stacks and libraries */
    ck_assert_uint_eq(left, (32 << 20) - 512 * 1024);
    ck_assert_ptr_nonnull(strstr(limit, "ulimit -d"));
}
END_TEST

START_TEST(as_text)
{
    char text[32];
    ck_assert_str_eq(nm_memory_text(1 << 19, text), "0.5 MiB");
    ck_assert_str_eq(nm_memory_text(100 << 20, text), "100 MiB");
    ck_assert_str_eq(nm_memory_text((size_t)7 << 29, text), "3.5 GiB");
}
END_TEST

static void in_own_root(TCase *tcase)
{
    tcase_add_checked_fixture(tcase, make_root, remove_root);
}

SUITE_WITH("memory_left", in_own_root, of_the_machine, of_control_groups, of_control_groups_of_version_1,
           of_limits_of_resources, as_text)
