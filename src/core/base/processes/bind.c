/* Each process to processors of its own. */
#include "alloc.h"
#include "cpus.h"
#include "group.h"

#include <stdlib.h>
#include <string.h>

static nm_status read_wish(nm_context *ctx, bool *bind)
{
    const char *word = getenv("NORMA_BIND");
    *bind = !word || strcmp(word, "off") != 0;
    if (*bind && word && *word && strcmp(word, "on") != 0)
        return nm_fail(ctx, NM_INVALID, "NORMA_BIND is '%s': it may be on or off", word);
    return NM_OK;
}

/* The masks of all, and of these the ones of this machine to the front; *number: which of them is
 * this process's. */
static nm_status gather_masks(nm_processes *p, cpu_set_t *mask, int *number)
{
    int own = 0;
    for (int r = 0; r <= p->count; r++)
        p->offset[r] = (size_t)r * sizeof *mask;
    nm_cpus_allowed(&mask[p->rank]);
    NM_TRY(nm_processes_gather(p, mask, p->offset));
    for (int r = 0; r < p->count; r++) {
        if (p->host[r] != p->host[p->rank])
            continue;
        *number = r == p->rank ? own : *number;
        mask[own++] = mask[r];
    }
    return NM_OK;
}

static nm_status bind_together(nm_processes *p, cpu_set_t *mask, const nm_numa *numa, bool bind, nm_place *place)
{
    int number = 0;
    NM_TRY(gather_masks(p, mask, &number));
    *place = nm_placement_of(numa, mask, number, p->on_host, bind);
    if (!CPU_EQUAL(&place->cpus, &mask[number]) && !nm_cpus_bind(&place->cpus))
        *place = nm_placement_of(numa, mask, number, p->on_host, false);
    return NM_OK;
}

nm_status nm_processes_bind(nm_context *ctx, nm_processes *p, nm_place *place, int *threads)
{
    bool bind;
    NM_TRY(read_wish(ctx, &bind));
    *place = (nm_place){.sharing = 1};
    nm_cpus_allowed(&place->cpus);
    *threads = nm_threads_default();
    if (!p)
        return NM_OK;
    nm_numa *numa = nm_alloc(ctx, 1, sizeof *numa);
    cpu_set_t *mask = nm_alloc(ctx, (size_t)p->count, sizeof *mask);
    nm_status status = NM_FAILED;
    if (numa && mask) {
        nm_numa_read("/sys/devices/system", numa);
        status = bind_together(p, mask, numa, bind, place);
    }
    nm_free(numa);
    nm_free(mask);
    *threads = nm_threads_shared(place->sharing, p->on_host);
    return status;
}
