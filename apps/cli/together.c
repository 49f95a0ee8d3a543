#include "together.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

static int processes = 1, own_stderr = -1;

/* Descriptor `to` leads nowhere. */
static void silence(int to)
{
    int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
    if (nowhere < 0)
        return;
    dup2(nowhere, to);
    close(nowhere);
}

nm_status join_processes(nm_context *ctx)
{
    int rank;
    nm_status status = nm_processes_join(ctx, &rank, &processes);
    if (status != NM_OK || rank == 0)
        return status;
    own_stderr = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
    silence(STDOUT_FILENO);
    silence(STDERR_FILENO);
    return NM_OK;
}

int joined_processes(void)
{
    return processes;
}

nm_status part_processes(nm_context *ctx, nm_status status)
{
    if (processes == 1)
        return status;
    nm_status parted = nm_processes_part(ctx);
    if (parted != NM_OK && own_stderr >= 0)
        dup2(own_stderr, STDERR_FILENO);
    return status != NM_OK ? status : parted;
}
