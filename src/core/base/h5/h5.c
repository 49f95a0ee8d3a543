/* HDF5 files as a whole: built in memory, saved with a digest, opened and verified. */
#include "alloc.h"
#include "file.h"
#include "h5_private.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* ---- one thread at a time, silent ----------------------------------------------------- */

static pthread_mutex_t lock;
static pthread_once_t lock_made = PTHREAD_ONCE_INIT;

static void make_lock(void)
{
    pthread_mutexattr_t kind;
    pthread_mutexattr_init(&kind);
    pthread_mutexattr_settype(&kind, PTHREAD_MUTEX_RECURSIVE);
    pthread_mutex_init(&lock, &kind);
    pthread_mutexattr_destroy(&kind);
}

nm_h5_guard nm_h5_enter(void)
{
    nm_h5_guard guard = {0};
    pthread_once(&lock_made, make_lock);
    pthread_mutex_lock(&lock);
    H5Eget_auto2(H5E_DEFAULT, &guard.print, &guard.print_arg);
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
    return guard;
}

void nm_h5_leave(nm_h5_guard *guard)
{
    H5Eclear2(H5E_DEFAULT);
    H5Eset_auto2(H5E_DEFAULT, guard->print, guard->print_arg);
    pthread_mutex_unlock(&lock);
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

static nm_h5 *new_handle(nm_context *ctx, const char *name)
{
    nm_h5 *h5 = nm_alloc(ctx, 1, sizeof *h5);
    if (!h5)
        return NULL;
    *h5 = (nm_h5){.ctx = ctx, .file = -1, .name = nm_strdup(ctx, name)};
    if (h5->name)
        return h5;
    nm_free(h5);
    return NULL;
}

void nm_h5_free(nm_h5 *h5)
{
    if (!h5)
        return;
    NM_H5_ENTER;
    if (h5->file >= 0)
        H5Fclose(h5->file);
    nm_free(h5->name);
    nm_free(h5);
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
    nm_h5 *h5 = new_handle(ctx, name);
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

/* ---- the user block ------------------------------------------------------------------- */

static const char magic[] = NM_H5_MARK;

/* Text, so that `head -c 512` shows it and `tail -c +513 FILE | sha256sum` checks it; zeros behind.
 */
static void user_block(char block[NM_H5_USER_BLOCK], const void *body, size_t size)
{
    char digest[NM_DIGEST_SIZE];
    nm_digest(&(nm_bytes){body, size}, 1, digest);
    memset(block, 0, NM_H5_USER_BLOCK);
    snprintf(block, NM_H5_USER_BLOCK, "%sbytes %zu\nsha256 %s\n", magic, size, digest);
}

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
            user_block(block, image, (size_t)size);
        nm_bytes blocks[2] = {{block, sizeof block}, {image, (size_t)size}};
        status = nm_file_replace(h5->ctx, path, blocks, 2);
    }
    nm_free(image);
    return status;
}

/* Compares the whole user block with the one that belongs to the bytes behind it, so that no bit of
 * either goes unchecked; then says what is wrong. */
static nm_status check_user_block(nm_h5 *h5, const char *bytes, size_t size)
{
    nm_context *ctx = h5->ctx;
    char expected[NM_H5_USER_BLOCK], text[NM_H5_USER_BLOCK + 1] = "";
    size_t noted = 0;
    if (size >= sizeof magic - 1 && memcmp(bytes, "\x89HDF\r\n\x1a\n", 8) == 0)
        return nm_fail(ctx, NM_INVALID, "%s: an HDF5 file that norma did not write: expected a digest in front of it",
                       h5->name);
    memcpy(text, bytes, size < NM_H5_USER_BLOCK ? size : NM_H5_USER_BLOCK);
    if (strncmp(text, magic, sizeof magic - 1) != 0)
        return nm_fail(ctx, NM_INVALID, "%s: not a file that norma wrote: expected it to begin with '%.15s'", h5->name,
                       magic);
    if (size <= NM_H5_USER_BLOCK)
        return nm_fail(ctx, NM_INVALID, "%s: cut short: found %zu bytes, fewer than its first %d", h5->name, size,
                       NM_H5_USER_BLOCK);
    user_block(expected, bytes + NM_H5_USER_BLOCK, size - NM_H5_USER_BLOCK);
    if (memcmp(bytes, expected, NM_H5_USER_BLOCK) == 0)
        return NM_OK;
    if (sscanf(text + sizeof magic - 1, "bytes %zu\n", &noted) == 1 && noted != size - NM_H5_USER_BLOCK)
        return nm_fail(ctx, NM_INVALID, "%s: damaged or cut: expected %zu bytes behind the first %d, found %zu",
                       h5->name, noted, NM_H5_USER_BLOCK, size - NM_H5_USER_BLOCK);
    const char *was = strstr(text, "sha256 "), *is = strstr(expected, "sha256 ");
    return nm_fail(ctx, NM_INVALID, "%s: damaged: expected SHA-256 %.16s…, found %.16s…", h5->name,
                   was ? was + 7 : "(none)", is + 7);
}

static nm_status open_verified(nm_h5 *h5, const char *path)
{
    char *bytes;
    size_t size;
    NM_TRY(nm_file_read(h5->ctx, path, &bytes, &size));
    nm_status status = check_user_block(h5, bytes, size);
    if (status == NM_OK) {
        hid_t access = memory_access();
        char in_memory[64];
        memory_name(h5, in_memory);
        H5Pset_file_image(access, bytes, size); /* copies */
        h5->file = H5Fopen(in_memory, H5F_ACC_RDONLY, access);
        if (h5->file < 0)
            status = nm_h5_fail(h5, NM_INVALID, "/", "the digest is right, but HDF5 cannot read it");
        H5Pclose(access);
    }
    nm_free(bytes);
    return status;
}

static nm_status open_plain(nm_h5 *h5, const char *path)
{
    int fd; /* opened first for the reason of the operating system, which HDF5 buries */
    NM_TRY(nm_file_open(h5->ctx, path, &fd));
    close(fd);
    h5->file = H5Fopen(path, H5F_ACC_RDONLY, H5P_DEFAULT);
    return h5->file >= 0 ? NM_OK : nm_h5_fail(h5, NM_INVALID, "/", "not a readable HDF5 file");
}

nm_status nm_h5_open(nm_context *ctx, const char *path, bool digest, nm_h5 **out)
{
    *out = NULL;
    nm_h5 *h5 = new_handle(ctx, path);
    if (!h5)
        return NM_FAILED;
    NM_H5_ENTER;
    nm_status status = digest ? open_verified(h5, path) : open_plain(h5, path);
    if (status == NM_OK)
        *out = h5;
    else
        nm_h5_free(h5);
    return status;
}
