/* What the system says of memory: meminfo, control groups of both versions, limits of resources. */
#include "memory_left.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

/* ---- files of the system ------------------------------------------------------------------ */

static FILE *open_system_file(const char *path)
{
    char whole[4096];
    const char *root = getenv("NORMA_MEMORY_ROOT");
    int length = snprintf(whole, sizeof whole, "%s%s", root ? root : "", path);
    return length < (int)sizeof whole ? fopen(whole, "re") : NULL;
}

/* A file of one number; SIZE_MAX where there is none, or where it says "max". */
static size_t read_number(const char *folder, const char *name)
{
    char path[4096];
    unsigned long long number;
    if (snprintf(path, sizeof path, "%s/%s", folder, name) >= (int)sizeof path)
        return SIZE_MAX;
    FILE *f = open_system_file(path);
    bool found = f && fscanf(f, "%llu", &number) == 1;
    if (f)
        fclose(f);
    return found ? (size_t)number : SIZE_MAX;
}

/* The number behind a line's first word; `otherwise` where no line begins with it. */
static size_t read_field(const char *path, const char *word, size_t otherwise)
{
    char line[256];
    size_t length = strlen(word), found = otherwise;
    FILE *f = open_system_file(path);
    while (f && fgets(line, sizeof line, f))
        if (strncmp(line, word, length) == 0 && (line[length] == ' ' || line[length] == '\t'))
            found = (size_t)strtoull(line + length, NULL, 10);
    if (f)
        fclose(f);
    return found;
}

/* ---- what each of them leaves ------------------------------------------------------------- */

typedef struct tightest {
    size_t bytes;
    const char *limit;
} tightest;

static size_t below(size_t most, size_t used)
{
    return most > used ? most - used : 0;
}

static void lower(tightest *t, size_t bytes, const char *limit)
{
    if (bytes < t->bytes)
        *t = (tightest){bytes, limit};
}

typedef struct group_files {
    const char *mount, *most, *used, *inactive, *active;
} group_files;
static const group_files version_1 = {"/sys/fs/cgroup/memory", "memory.limit_in_bytes", "memory.usage_in_bytes",
                                      "total_inactive_file", "total_active_file"};
static const group_files version_2 = {"/sys/fs/cgroup", "memory.max", "memory.current", "inactive_file", "active_file"};

/* One control group. What it holds of files' content goes when memory is needed. */
static void add_group(const group_files *files, const char *folder, tightest *t)
{
    char path[4096];
    size_t most = read_number(folder, files->most), used = read_number(folder, files->used);
    if (most == SIZE_MAX || used == SIZE_MAX || snprintf(path, sizeof path, "%s/memory.stat", folder) >= 4096)
        return;
    size_t cached = read_field(path, files->inactive, 0) + read_field(path, files->active, 0);
    lower(t, below(most, below(used, cached)), "the limit of its control group");
}

/* A process's group and those above it. In a container the path may be the host's, of which the
 * container sees the end alone, as the root: folders that are not there are passed over. */
static void add_groups(const group_files *files, const char *path, tightest *t)
{
    char folder[4096];
    size_t mount = strlen(files->mount);
    if (snprintf(folder, sizeof folder, "%s%s", files->mount, path) >= (int)sizeof folder)
        return;
    for (;;) {
        add_group(files, folder, t);
        char *slash = strrchr(folder, '/');
        if (strlen(folder) <= mount || !slash)
            return;
        *slash = '\0';
    }
}

/* Lines as "4:memory:/user/1000" in version 1, "0::/user/1000" in version 2; a machine may have
 * both. */
static void add_control_groups(tightest *t)
{
    char line[4096];
    FILE *f = open_system_file("/proc/self/cgroup");
    while (f && fgets(line, sizeof line, f)) {
        line[strcspn(line, "\n")] = '\0';
        char *controllers = strchr(line, ':'), *path = controllers ? strchr(controllers + 1, ':') : NULL;
        if (!path)
            continue;
        *path++ = '\0';
        if (strcmp(controllers, ":") == 0)
            add_groups(&version_2, path, t);
        else if (strcmp(controllers, ":memory") == 0)
            add_groups(&version_1, path, t);
    }
    if (f)
        fclose(f);
}

/* Stacks of threads and what libraries take now and then, which cannot be foretold. */
enum { RESERVE = 32 << 20 };

/* `used` in KiB; 0 where the system does not tell. */
static void add_resource(int resource, const char *used, const char *limit, tightest *t)
{
    struct rlimit r;
    if (getrlimit(resource, &r) == 0 && r.rlim_cur != RLIM_INFINITY)
        lower(t, below((size_t)r.rlim_cur, RESERVE + 1024 * read_field("/proc/self/status", used, 0)), limit);
}

size_t nm_memory_left(size_t untouched, const char **limit)
{
    tightest machine = {SIZE_MAX, "unknown"};
    size_t available = read_field("/proc/meminfo", "MemAvailable:", SIZE_MAX);
    if (available != SIZE_MAX)
        lower(&machine, 1024 * available, "the machine's free memory");
    add_control_groups(&machine);
    if (machine.bytes != SIZE_MAX)
        machine.bytes = below(machine.bytes, untouched);
    add_resource(RLIMIT_AS, "VmSize:", "the limit of address space (ulimit -v)", &machine);
    add_resource(RLIMIT_DATA, "VmData:", "the limit of data (ulimit -d)", &machine);
    *limit = machine.limit;
    return machine.bytes;
}

const char *nm_memory_text(size_t bytes, char text[32])
{
    double mib = (double)bytes / (1 << 20);
    if (mib >= 1024)
        snprintf(text, 32, "%.1f GiB", mib / 1024);
    else
        snprintf(text, 32, mib < 10 ? "%.1f MiB" : "%.0f MiB", mib);
    return text;
}
