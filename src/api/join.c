/* Joining other processes, and parting from them: MPI starts once in a process, so that they are
 * the process's and not a context's. */
#include "join.h"

#include <norma/norma.h>

static nm_processes *joined;

nm_processes *nm_joined_processes(void)
{
    return joined;
}

nm_status nm_processes_join(nm_context *ctx, int *rank, int *count)
{
    *rank = 0;
    *count = 1;
    if (!joined)
        NM_TRY(nm_processes_start(ctx, &joined));
    *rank = nm_processes_rank(joined);
    *count = nm_processes_count(joined);
    int threads = nm_context_threads(ctx) / nm_processes_on_host(joined);
    if (joined)
        nm_context_set_threads(ctx, threads > 0 ? threads : 1);
    return NM_OK;
}

nm_status nm_processes_part(nm_context *ctx)
{
    nm_processes *p = joined;
    (void)ctx;
    joined = NULL;
    return nm_processes_end(p);
}
