/* Files of others: verified, mapped, and given to a process that makes a table of them. */
#include "alloc.h"
#include "file.h"
#include "h5_handle.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

nm_h5 *nm_h5_handle(nm_context *ctx, const char *name)
{
    nm_h5 *h5 = nm_alloc(ctx, 1, sizeof *h5);
    if (!h5)
        return NULL;
    *h5 = (nm_h5){.ctx = ctx, .file = -1, .fd = -1, .cage.socket = -1, .name = nm_strdup(ctx, name)};
    if (h5->name)
        return h5;
    nm_free(h5);
    return NULL;
}

static void unmap(nm_h5 *h5)
{
    if (h5->image)
        munmap(h5->image, h5->size);
    h5->image = NULL;
}

void nm_h5_free(nm_h5 *h5)
{
    if (!h5)
        return;
    if (h5->file >= 0)
        nm_h5_close_file(h5);
    nm_cage_end(&h5->cage);
    nm_h5_table_free(&h5->table);
    unmap(h5);
    if (h5->fd >= 0)
        close(h5->fd);
    nm_free(h5->name);
    nm_free(h5);
}

static nm_status map(nm_h5 *h5)
{
    if (h5->size == 0)
        return nm_fail(h5->ctx, NM_INVALID, "%s: not a readable HDF5 file: it is empty", h5->name);
    void *image = mmap(NULL, h5->size, PROT_READ, MAP_PRIVATE, h5->fd, 0);
    if (image == MAP_FAILED)
        return nm_fail(h5->ctx, NM_FAILED, "%s: cannot be mapped: %s", h5->name, strerror(errno));
    h5->image = image;
    return NM_OK;
}

/* What the process may take, and the memory that is shared with it: address space, of which what is
 * not used costs nothing. */
static size_t memory_of(const nm_context *ctx)
{
    size_t most = nm_context_max_memory(ctx), least = (size_t)64 << 20;
    return most < least ? least : most < (size_t)1 << 40 ? most : (size_t)1 << 40;
}

nm_status nm_h5_start(nm_h5 *h5, char **table, size_t *size)
{
    size_t most = nm_h5_object_limit(SIZE_MAX) * sizeof(nm_h5_entry) + 2 * (size_t)NM_H5_MAX_POOL;
    NM_TRY(map(h5));
    nm_h5_lock();
    nm_status status = nm_cage_start(h5->ctx, h5->name, memory_of(h5->ctx), nm_h5_serve, h5, &h5->cage);
    nm_h5_unlock();
    unmap(h5); /* the process has it */
    return status == NM_OK ? nm_cage_ask(&h5->cage, NULL, 0, NM_H5_PATIENCE, most, table, size) : status;
}

static nm_status open_caged(nm_h5 *h5, const char *path, bool digest)
{
    struct stat st;
    char *bytes = NULL;
    size_t size;
    NM_TRY(nm_file_open(h5->ctx, path, &h5->fd));
    if (fstat(h5->fd, &st) != 0)
        return nm_fail(h5->ctx, NM_FAILED, "%s: cannot read: %s", path, strerror(errno));
    h5->size = (uint64_t)st.st_size;
    if (digest)
        NM_TRY(nm_h5_check_user_block(h5));
    NM_TRY(nm_h5_start(h5, &bytes, &size));
    nm_status status = nm_h5_table_take(h5->ctx, h5->name, bytes, size, h5->size, &h5->table);
    nm_free(bytes);
    if (status == NM_OK && nm_h5_table_suffices(&h5->table))
        nm_cage_end(&h5->cage);
    return status;
}

nm_status nm_h5_open(nm_context *ctx, const char *path, bool digest, nm_h5 **out)
{
    *out = NULL;
    nm_h5 *h5 = nm_h5_handle(ctx, path);
    if (!h5)
        return NM_FAILED;
    nm_status status = open_caged(h5, path, digest);
    if (status == NM_OK)
        *out = h5;
    else
        nm_h5_free(h5);
    return status;
}
