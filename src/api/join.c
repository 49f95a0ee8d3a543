/* Joining other processes, and parting from them: MPI starts once in a process, so that they are
 * the process's and not a context's. */
#include "join.h"

#include "alloc.h"

#include <norma/norma.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static nm_processes *joined;
static nm_place place;    /* this process's */
static int threads_there; /* that it is worth */

nm_processes *nm_joined_processes(void)
{
    return joined;
}

static nm_status join_once(nm_context *ctx)
{
    NM_TRY(nm_processes_start(ctx, &joined));
    nm_status status = nm_processes_bind(ctx, joined, &place, &threads_there);
    if (status != NM_OK) {
        nm_processes_leave(joined);
        joined = NULL;
    }
    return status;
}

nm_status nm_processes_join(nm_context *ctx, int *rank, int *count)
{
    *rank = 0;
    *count = 1;
    if (!joined)
        NM_TRY(join_once(ctx));
    *rank = nm_processes_rank(joined);
    *count = nm_processes_count(joined);
    if (joined)
        nm_context_set_threads(ctx, threads_there);
    return NM_OK;
}

/* ---- where they run ------------------------------------------------------------------------ */

enum { LINE = 512 }; /* bytes */

/* This process's own line. */
static nm_status write_line(nm_context *ctx, const nm_place *own, char text[LINE])
{
    char host[128] = "unknown", where[384];
    int threads = nm_context_threads(ctx), count = nm_processes_count(joined);
    nm_numa *numa = nm_alloc(ctx, 1, sizeof *numa);
    if (!numa)
        return NM_FAILED;
    nm_numa_read("/sys/devices/system", numa);
    nm_placement_text(numa, own, count == 1, where, sizeof where);
    nm_free(numa);
    if (gethostname(host, sizeof host) != 0)
        strcpy(host, "unknown");
    host[sizeof host - 1] = '\0';
    int used = count == 1 ? snprintf(text, LINE, "1 process")
                          : snprintf(text, LINE, "process %d of %d", nm_processes_rank(joined), count);
    snprintf(text + used, LINE - (size_t)used, " on %s: %d thread%s on %s", host, threads, threads == 1 ? "" : "s",
             where);
    return NM_OK;
}

static nm_status report_all(nm_context *ctx, char (*text)[LINE], size_t *offset, nm_log_function *line, void *arg)
{
    int rank = nm_processes_rank(joined), count = nm_processes_count(joined), threads;
    nm_place own = place;
    if (!joined)
        NM_TRY(nm_processes_bind(ctx, NULL, &own, &threads));
    NM_TRY(write_line(ctx, &own, text[rank]));
    for (int r = 0; r <= count; r++)
        offset[r] = (size_t)r * LINE;
    NM_TRY(nm_processes_agree(joined, "model and settings", "read")); /* one that has failed sends no line */
    NM_TRY(nm_processes_gather(joined, text, offset));
    for (int r = 0; r < count && rank == 0 && line; r++)
        line(arg, text[r]);
    return NM_OK;
}

nm_status nm_processes_report(nm_context *ctx, nm_log_function *line, void *arg)
{
    size_t count = (size_t)nm_processes_count(joined);
    char(*text)[LINE] = nm_alloc(ctx, count, sizeof *text);
    size_t *offset = nm_alloc(ctx, count + 1, sizeof *offset);
    nm_status status = text && offset ? report_all(ctx, text, offset, line, arg) : NM_FAILED;
    nm_free(text);
    nm_free(offset);
    return status;
}

/* ---- the end ------------------------------------------------------------------------------- */

nm_status nm_processes_part(nm_context *ctx)
{
    nm_processes *p = joined;
    (void)ctx;
    joined = NULL;
    return nm_processes_end(p);
}
