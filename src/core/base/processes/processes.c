#include "group.h"

#include "alloc.h"
#include "plugin.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* ---- starting and ending ----------------------------------------------------------------- */

static nm_status start_mpi(nm_context *ctx, const nm_launch *launch, const nm_mpi_plugin *mpi, int *rank, int *count)
{
    char text[NM_MPI_TEXT], number[32];
    int error = mpi->start(rank, count);
    if (error) {
        mpi->error_text(error, text);
        return nm_fail(ctx, NM_FAILED, "%s does not start: %s", mpi->name, text);
    }
    if (launch->count == 0 || launch->count == *count)
        return NM_OK;
    if (!nm_plugin_reports(launch))
        return NM_INVALID;
    return nm_fail(ctx, NM_INVALID,
                   "%s has started %s, but %s sees %d: the two do not belong together. Take the mpirun of the MPI that "
                   "norma was built with, or choose the plug-in: NORMA_MPI=openmpi, NORMA_MPI=mpich",
                   launch->launcher, nm_plugin_count_text(launch->count, number), mpi->name, *count);
}

static nm_status allocate(nm_processes *p)
{
    size_t count = (size_t)p->count;
    p->host = nm_alloc(p->ctx, count, sizeof *p->host);
    p->name = nm_alloc(p->ctx, count, sizeof *p->name);
    p->text = nm_alloc(p->ctx, count, sizeof *p->text);
    p->message = nm_alloc(p->ctx, 2 * count, sizeof *p->message);
    p->offset = nm_alloc(p->ctx, count + 1, sizeof *p->offset);
    return p->host && p->name && p->text && p->message && p->offset ? NM_OK : NM_FAILED;
}

/* Who is where. */
static nm_status learn_names(nm_processes *p)
{
    for (int r = 0; r < p->count; r++) {
        snprintf(p->name[r], sizeof p->name[r], "process %d", r);
        p->offset[r + 1] = (size_t)(r + 1) * NM_AGREE_TEXT;
    }
    if (gethostname(p->text[p->rank], NM_PROCESS_NAME - 32) != 0)
        strcpy(p->text[p->rank], "unknown");
    NM_TRY(nm_processes_gather(p, p->text, p->offset));
    for (int r = 0; r < p->count; r++) {
        snprintf(p->name[r], sizeof p->name[r], "process %d on host %.127s", r, p->text[r]);
        p->host[r] = 0;
        while (strcmp(p->text[p->host[r]], p->text[r]) != 0)
            p->host[r]++;
    }
    for (int r = 0; r < p->count; r++)
        p->on_host += p->host[r] == p->host[p->rank];
    return NM_OK;
}

static nm_status join(nm_processes *p, nm_context *ctx, const nm_mpi_plugin *mpi, int rank, int count)
{
    enum { PATIENCE = 45 }; /* seconds */
    *p = (nm_processes){.ctx = ctx, .mpi = mpi, .rank = rank, .count = count, .patience = PATIENCE};
    NM_TRY(allocate(p));
    return learn_names(p);
}

nm_status nm_processes_start(nm_context *ctx, nm_processes **out)
{
    nm_launch launch;
    const nm_mpi_plugin *mpi;
    int rank, count;
    *out = NULL;
    NM_TRY(nm_launch_read(ctx, &launch));
    if (!launch.launcher || launch.count == 1)
        return NM_OK;
    NM_TRY(nm_plugin_find(ctx, &launch, &mpi));
    NM_TRY(start_mpi(ctx, &launch, mpi, &rank, &count));
    if (count == 1) {
        mpi->finish();
        return NM_OK;
    }
    nm_processes *p = nm_alloc(ctx, 1, sizeof *p);
    if (!p)
        return NM_FAILED;
    nm_status status = join(p, ctx, mpi, rank, count);
    if (status != NM_OK)
        nm_processes_leave(p);
    else
        *out = p;
    return status;
}

void nm_processes_leave(nm_processes *p)
{
    if (!p)
        return;
    nm_free(p->host);
    nm_free(p->name);
    nm_free(p->text);
    nm_free(p->message);
    nm_free(p->offset);
    nm_free(p);
}

nm_status nm_processes_end(nm_processes *p)
{
    nm_status status = nm_processes_agree(p, "end", "");
    if (p && status == NM_OK)
        p->mpi->finish(); /* what it could tell concerns nobody any more */
    nm_processes_leave(p);
    return status;
}

/* ---- who there is ------------------------------------------------------------------------ */

int nm_processes_rank(const nm_processes *p)
{
    return p ? p->rank : 0;
}

int nm_processes_count(const nm_processes *p)
{
    return p ? p->count : 1;
}

int nm_processes_on_host(const nm_processes *p)
{
    return p ? p->on_host : 1;
}

const char *nm_processes_name(const nm_processes *p, int rank)
{
    return p ? p->name[rank] : "process 0";
}

void nm_processes_set_patience(nm_processes *p, double seconds)
{
    if (!p)
        return;
    p->patience = seconds;
    p->longest = 0;
}

void nm_processes_set_stop(nm_processes *p, const volatile int *stop, double grace)
{
    if (!p)
        return;
    p->stop = stop;
    p->grace = grace;
}

nm_traffic nm_processes_traffic(const nm_processes *p)
{
    return p ? p->sent : (nm_traffic){0, 0};
}
