/* HDF5 files as they are written: built in memory, saved with a digest. */
#include "alloc.h"
#include "file.h"
#include "h5_private.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

/* ---- one thread at a time, silent ----------------------------------------------------- */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

void nm_h5_lock(void)
{
    pthread_mutex_lock(&lock);
}

void nm_h5_unlock(void)
{
    pthread_mutex_unlock(&lock);
}

nm_h5_guard nm_h5_enter(void)
{
    nm_h5_guard guard = {0};
    nm_h5_lock();
    H5Eget_auto2(H5E_DEFAULT, &guard.print, &guard.print_arg);
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
    return guard;
}

void nm_h5_leave(nm_h5_guard *guard)
{
    H5Eclear2(H5E_DEFAULT);
    H5Eset_auto2(H5E_DEFAULT, guard->print, guard->print_arg);
    nm_h5_unlock();
}

static herr_t keep_reason(unsigned n, const H5E_error2_t *error, void *arg)
{
    (void)n;
    char *text = arg;
    if (error->desc && *error->desc)
        snprintf(text, 200, ": %s", error->desc);
    return 0;
}

nm_status nm_h5_fail(nm_h5 *h5, nm_status status, const char *object, const char *what)
{
    char reason[200] = "";
    H5Ewalk2(H5E_DEFAULT, H5E_WALK_DOWNWARD, keep_reason, reason); /* downward: the innermost reason is kept */
    return nm_fail(h5->ctx, status, "%s: %s: %s%s", h5->name, object, what, reason);
}

/* ---- files ---------------------------------------------------------------------------- */

void nm_h5_close_file(nm_h5 *h5)
{
    NM_H5_ENTER;
    H5Fclose(h5->file);
}

/* Access properties of a file in memory: nothing goes to the disk, so that a full disk is never
 * HDF5's business (its state is not sound after a failed write). */
static hid_t memory_access(void)
{
    hid_t access = H5Pcreate(H5P_FILE_ACCESS);
    H5Pset_fapl_core(access, 1 << 20, 0);
    return access;
}

/* HDF5 takes two open files of one name for the same file, and refuses an image whose name stands
 * on the disk: each gets a name of its own that no file can have. */
static void memory_name(const nm_h5 *h5, char name[64])
{
    snprintf(name, 64, "/dev/null/%p", (const void *)h5);
}

nm_status nm_h5_new(nm_context *ctx, const char *name, nm_h5 **out)
{
    *out = NULL;
    nm_h5 *h5 = nm_h5_handle(ctx, name);
    if (!h5)
        return NM_FAILED;
    NM_H5_ENTER;
    hid_t access = memory_access(), create = H5Pcreate(H5P_FILE_CREATE);
    H5Pset_obj_track_times(create, 0);
    H5Pset_userblock(create, NM_H5_USER_BLOCK);
    char in_memory[64];
    memory_name(h5, in_memory);
    h5->file = H5Fcreate(in_memory, H5F_ACC_TRUNC, create, access);
    nm_status status = h5->file >= 0 ? NM_OK : nm_h5_fail(h5, NM_FAILED, "/", "cannot be built in memory");
    H5Pclose(create);
    H5Pclose(access);
    if (status == NM_OK)
        *out = h5;
    else
        nm_h5_free(h5);
    return status;
}

/* ---- saving --------------------------------------------------------------------------- */

nm_status nm_h5_save(nm_h5 *h5, const char *path, bool digest)
{
    NM_H5_ENTER;
    ssize_t size = H5Fflush(h5->file, H5F_SCOPE_GLOBAL) < 0 ? -1 : H5Fget_file_image(h5->file, NULL, 0);
    if (size <= 0)
        return nm_h5_fail(h5, NM_FAILED, "/", "cannot be laid out");
    char *image = nm_alloc(h5->ctx, (size_t)size, 1);
    if (!image)
        return NM_FAILED;
    nm_status status = NM_OK;
    if (H5Fget_file_image(h5->file, image, (size_t)size) != size) /* without the user block */
        status = nm_h5_fail(h5, NM_FAILED, "/", "cannot be laid out");
    if (status == NM_OK) {
        char block[NM_H5_USER_BLOCK] = {0};
        if (digest)
            nm_h5_user_block(block, image, (size_t)size);
        nm_bytes blocks[2] = {{block, sizeof block}, {image, (size_t)size}};
        status = nm_file_replace(h5->ctx, path, blocks, 2);
    }
    nm_free(image);
    return status;
}
