/* Which variables tell what:
 * - mpirun of Open MPI sets OMPI_COMM_WORLD_SIZE, _RANK and _LOCAL_RANK, from version 1.3 to 5;
 * - mpirun of MPICH (hydra) and srun --mpi=pmi2 set PMI_SIZE and PMI_RANK; hydra MPI_LOCALRANKID;
 * - srun --mpi=pmix sets PMIX_RANK, and srun always SLURM_PROCID, SLURM_LOCALID and
 *   SLURM_STEP_NUM_TASKS. A batch script has SLURM_PROCID and SLURM_NTASKS too, for what it is yet
 *   to start, but no SLURM_STEP_NUM_TASKS.
 * mpirun within a job of Slurm's inherits Slurm's variables, so its own come first. */
#include "launcher.h"

#include <stdlib.h>
#include <string.h>

typedef struct launcher {
    const char *name;
    const char *sign; /* the variable that says it is this one */
    const char *count, *rank, *local_rank;
    const char *plugin[2];
} launcher;

static const launcher launchers[] = {
    {"mpirun of Open MPI",
     "OMPI_COMM_WORLD_SIZE",
     "OMPI_COMM_WORLD_SIZE",
     "OMPI_COMM_WORLD_RANK",
     "OMPI_COMM_WORLD_LOCAL_RANK",
     {"openmpi", NULL}},
    {"mpirun of MPICH", "MPI_LOCALRANKID", "PMI_SIZE", "PMI_RANK", "MPI_LOCALRANKID", {"mpich", NULL}},
    {"srun --mpi=pmi2", "PMI_SIZE", "PMI_SIZE", "PMI_RANK", "SLURM_LOCALID", {"mpich", "openmpi"}},
    {"srun --mpi=pmix", "PMIX_RANK", "SLURM_STEP_NUM_TASKS", "PMIX_RANK", "SLURM_LOCALID", {"openmpi", "mpich"}},
    {"srun without MPI", "SLURM_STEP_NUM_TASKS", "SLURM_STEP_NUM_TASKS", "SLURM_PROCID", "SLURM_LOCALID", {NULL, NULL}},
};

/* A whole number; `otherwise` where there is none. */
static int number_of(const char *variable, int otherwise)
{
    const char *text = getenv(variable);
    char *end;
    long number = text ? strtol(text, &end, 10) : 0;
    return text && *text && !*end && number >= 0 && number < 1000000 ? (int)number : otherwise;
}

nm_status nm_launch_read(nm_context *ctx, nm_launch *launch)
{
    *launch = (nm_launch){.count = 1, .reports = true};
    const char *word = getenv("NORMA_MPI");
    bool chosen = word && *word;
    if (chosen && strcmp(word, "off") == 0)
        return NM_OK;
    if (chosen && strcmp(word, "openmpi") != 0 && strcmp(word, "mpich") != 0)
        return nm_fail(ctx, NM_INVALID, "NORMA_MPI is '%s': it may be openmpi, mpich or off", word);
    for (size_t k = 0; k < sizeof launchers / sizeof *launchers && !launch->launcher; k++) {
        const launcher *l = &launchers[k];
        if (!getenv(l->sign))
            continue;
        int rank = number_of(l->rank, 0);
        *launch = (nm_launch){.launcher = l->name,
                              .plugin = {l->plugin[0], l->plugin[1]},
                              .rank = rank,
                              .count = number_of(l->count, 0),
                              .reports = number_of(l->local_rank, rank) == 0};
    }
    if (chosen && !launch->launcher)
        *launch = (nm_launch){.launcher = "NORMA_MPI", .reports = true};
    if (chosen) {
        launch->plugin[0] = strcmp(word, "mpich") == 0 ? "mpich" : "openmpi";
        launch->plugin[1] = NULL;
    }
    return NM_OK;
}
