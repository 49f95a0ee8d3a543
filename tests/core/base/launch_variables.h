/* The environment of a process that nobody has started as one of several. */
#ifndef LAUNCH_VARIABLES_H
#define LAUNCH_VARIABLES_H

#include <stdlib.h>

static inline void clear_launch_variables(void)
{
    static const char *const names[] = {"NORMA_MPI",
                                        "NORMA_PLUGINS",
                                        "OMPI_COMM_WORLD_SIZE",
                                        "OMPI_COMM_WORLD_RANK",
                                        "OMPI_COMM_WORLD_LOCAL_RANK",
                                        "PMI_SIZE",
                                        "PMI_RANK",
                                        "MPI_LOCALRANKID",
                                        "PMIX_RANK",
                                        "SLURM_STEP_NUM_TASKS",
                                        "SLURM_PROCID",
                                        "SLURM_NTASKS",
                                        "SLURM_LOCALID"};
    for (size_t k = 0; k < sizeof names / sizeof *names; k++)
        unsetenv(names[k]);
}

#endif
