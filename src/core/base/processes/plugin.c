#include "plugin.h"

#include "plugin_config.h"

#include <dlfcn.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

bool nm_plugin_reports(const nm_launch *launch)
{
    if (!launch->reports)
        nanosleep(&(struct timespec){.tv_sec = 1}, NULL);
    return launch->reports;
}

const char *nm_plugin_count_text(int count, char text[32])
{
    if (count > 0)
        snprintf(text, 32, "%d processes", count);
    else
        snprintf(text, 32, "processes");
    return text;
}

static nm_status fail_to_find(nm_context *ctx, const nm_launch *launch, const char *reason)
{
    char number[32];
    if (!nm_plugin_reports(launch))
        return NM_INVALID;
    nm_plugin_count_text(launch->count, number);
    if (!launch->plugin[0])
        return nm_fail(ctx, NM_INVALID,
                       "srun has started %s, but not as one MPI program: start them with srun --mpi=pmix (Open MPI) or "
                       "--mpi=pmi2 (MPICH); NORMA_MPI=off in the environment lets each train alone",
                       number);
    return nm_fail(ctx, NM_INVALID,
                   "%s has started %s, but norma's plug-in for it cannot be loaded (%s): install %s and build norma "
                   "again (meson option mpi), or name the plug-ins' folder in NORMA_PLUGINS; NORMA_MPI=off lets each "
                   "process train alone",
                   launch->launcher, number, reason,
                   strcmp(launch->plugin[0], "mpich") == 0 ? "libmpich-dev" : "libopenmpi-dev");
}

/* The path of a plug-in: in NORMA_PLUGINS where that is set; beside the program, which stands in
 * bin/ where it is installed and in BUILD/apps/ where it was only built; where meson has installed
 * it. */
static bool find_file(const char *name, char path[PATH_MAX])
{
    char program[PATH_MAX - 256];
    const char *given = getenv("NORMA_PLUGINS");
    if (given && *given)
        return snprintf(path, PATH_MAX, "%s/norma_%s.so", given, name) < PATH_MAX;
    ssize_t length = readlink("/proc/self/exe", program, sizeof program - 1);
    program[length > 0 ? length : 0] = '\0';
    char *slash = strrchr(program, '/');
    if (slash) {
        *slash = '\0';
        snprintf(path, PATH_MAX, "%s/../%s/norma_%s.so", program, NM_PLUGINS_BESIDE, name);
        if (access(path, F_OK) == 0)
            return true;
    }
    return snprintf(path, PATH_MAX, "%s/norma_%s.so", NM_PLUGINS, name) < PATH_MAX;
}

static const nm_mpi_plugin *load_plugin(const char *name, char *reason, size_t size)
{
    char path[PATH_MAX];
    if (!find_file(name, path)) {
        snprintf(reason, size, "the path of its folder is too long");
        return NULL;
    }
    /* Global: Open MPI loads parts of itself that find the library's symbols only so. */
    void *library = dlopen(path, RTLD_NOW | RTLD_GLOBAL);
    const nm_mpi_plugin *plugin = library ? dlsym(library, NM_MPI_PLUGIN_SYMBOL) : NULL;
    if (!plugin)
        snprintf(reason, size, "%s", dlerror());
    else if (plugin->version != NM_MPI_PLUGIN_VERSION)
        snprintf(reason, size, "%s belongs to another version of norma", path);
    return plugin && plugin->version == NM_MPI_PLUGIN_VERSION ? plugin : NULL;
}

nm_status nm_plugin_find(nm_context *ctx, const nm_launch *launch, const nm_mpi_plugin **plugin)
{
    char reason[2][1024] = {"", ""};
    *plugin = NULL;
    for (int k = 0; k < 2 && launch->plugin[k] && !*plugin; k++)
        *plugin = load_plugin(launch->plugin[k], reason[k], sizeof reason[k]);
    return *plugin ? NM_OK : fail_to_find(ctx, launch, reason[0]);
}
