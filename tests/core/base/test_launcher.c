/* What has started the process, by the variables that each launcher sets. */
#include "launcher.h"

#include "launch_variables.h"
#include "run_suite.h"
#include "with_context.h"

#include <stdio.h>

/* "launcher, plug-ins, rank of count, tells", with the variables NAME=value; they are gone
 * afterwards. */
static const char *launched(const char *const *variables)
{
    static char text[256];
    nm_launch l;
    clear_launch_variables();
    for (; *variables; variables++)
        ck_assert(putenv((char *)(uintptr_t)*variables) == 0);
    if (nm_launch_read(ctx, &l) != NM_OK)
        return nm_error_message(ctx, nm_error_count(ctx) - 1);
    snprintf(text, sizeof text, "%s, %s %s, %d of %d, %d", l.launcher ? l.launcher : "-",
             l.plugin[0] ? l.plugin[0] : "-", l.plugin[1] ? l.plugin[1] : "-", l.rank, l.count, l.reports);
    return text;
}

#define CHECK(expected, ...) ck_assert_str_eq(launched((const char *const[]){__VA_ARGS__, NULL}), expected)
#define OPEN_MPI "OMPI_COMM_WORLD_SIZE=4", "OMPI_COMM_WORLD_RANK=3", "OMPI_COMM_WORLD_LOCAL_RANK=1"
#define STEP "SLURM_STEP_NUM_TASKS=8", "SLURM_PROCID=6", "SLURM_LOCALID=0", "SLURM_NTASKS=8"

START_TEST(each_launcher)
{
    CHECK("-, - -, 0 of 1, 1", NULL);
    CHECK("mpirun of Open MPI, openmpi -, 3 of 4, 0", OPEN_MPI, "PMIX_RANK=3");
    CHECK("mpirun of MPICH, mpich -, 2 of 3, 0", "PMI_SIZE=3", "PMI_RANK=2", "MPI_LOCALRANKID=2");
    CHECK("srun --mpi=pmi2, mpich openmpi, 6 of 8, 1", STEP, "PMI_SIZE=8", "PMI_RANK=6");
    CHECK("srun --mpi=pmix, openmpi mpich, 6 of 8, 1", STEP, "PMIX_RANK=6");
    CHECK("srun without MPI, - -, 6 of 8, 1", STEP);
}
END_TEST

START_TEST(within_a_job)
{
    CHECK("-, - -, 0 of 1, 1", "SLURM_PROCID=0", "SLURM_NTASKS=8", "SLURM_LOCALID=0"); /* a batch script */
    CHECK("mpirun of Open MPI, openmpi -, 3 of 4, 0", STEP, OPEN_MPI);
    CHECK("mpirun of MPICH, mpich -, 0 of 3, 1", STEP, "PMI_SIZE=3", "PMI_RANK=0", "MPI_LOCALRANKID=0");
}
END_TEST

START_TEST(chosen)
{
    CHECK("-, - -, 0 of 1, 1", OPEN_MPI, "NORMA_MPI=off");
    CHECK("mpirun of Open MPI, mpich -, 3 of 4, 0", OPEN_MPI, "NORMA_MPI=mpich");
    CHECK("srun without MPI, openmpi -, 6 of 8, 1", STEP, "NORMA_MPI=openmpi");
    CHECK("NORMA_MPI, mpich -, 0 of 0, 1", "NORMA_MPI=mpich");
    CHECK("mpirun of Open MPI, openmpi -, 3 of 4, 0", OPEN_MPI, "NORMA_MPI=");
    CHECK("NORMA_MPI is 'lam': it may be openmpi, mpich or off", OPEN_MPI, "NORMA_MPI=lam");
}
END_TEST

/* What is no number counts as not there. */
START_TEST(odd_numbers)
{
    CHECK("mpirun of Open MPI, openmpi -, 0 of 0, 1", "OMPI_COMM_WORLD_SIZE=four", "OMPI_COMM_WORLD_RANK=");
    CHECK("mpirun of Open MPI, openmpi -, 0 of 0, 1", "OMPI_COMM_WORLD_SIZE=-4", "OMPI_COMM_WORLD_RANK=1e3");
    CHECK("srun --mpi=pmix, openmpi mpich, 2 of 0, 0", "PMIX_RANK=2");
}
END_TEST

SUITE_WITH("launcher", with_context, each_launcher, within_a_job, chosen, odd_numbers)
