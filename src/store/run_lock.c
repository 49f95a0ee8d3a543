/* The folder of a run and its lock file. */
#include "run_lock.h"

#include "alloc.h"
#include "file.h"
#include "h5.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- the folder -------------------------------------------------------------------------- */

/* One level of the path. */
static nm_status make_level(nm_context *ctx, const char *path, const char *level, bool fresh, int *made)
{
    struct stat st;
    if (mkdir(level, 0777) == 0) {
        ++*made;
        return NM_OK;
    }
    if (errno != EEXIST)
        return nm_fail(ctx, NM_FAILED, "%s: cannot make the run directory: %s; choose another --run", path,
                       strerror(errno));
    if (fresh)
        return NM_OK;
    if (stat(level, &st) != 0 || !S_ISDIR(st.st_mode))
        return nm_fail(ctx, NM_INVALID, "%s: expected a folder for the run; '%s' is a file: choose another --run", path,
                       level);
    return NM_OK;
}

nm_status nm_folder_make(nm_context *ctx, const char *path, bool fresh, int *made)
{
    *made = 0;
    char *part = nm_strdup(ctx, path);
    if (!part)
        return NM_FAILED;
    nm_status status = NM_OK;
    for (char *c = part + 1; status == NM_OK; c++) {
        char end = *c;
        if (end != '/' && end != '\0')
            continue;
        *c = '\0';
        int before = *made;
        status = make_level(ctx, path, part, fresh && end == '\0', made);
        if (fresh && end == '\0' && status == NM_OK && *made == before)
            *made = 0; /* it was there, and so were those above it by now */
        *c = end;
        if (end == '\0')
            break;
    }
    nm_free(part);
    return status;
}

void nm_folder_remove(const char *path, int made)
{
    char level[4096];
    snprintf(level, sizeof level, "%s", path);
    for (; made > 0 && rmdir(level) == 0; made--) {
        char *slash = strrchr(level, '/');
        if (!slash || slash == level)
            return;
        *slash = '\0';
    }
}

/* ---- the lock ----------------------------------------------------------------------------- */

enum { LOCK_TEXT = 64 };

/* The process that a lock's text names; 0: it is not norma's. Before, the text was the number
 * alone. */
static long process_of(const char *text, bool *older)
{
    char *end;
    *older = strncmp(text, "norma ", 6) != 0;
    const char *number = *older ? text : text + 6;
    long process = strtol(number, &end, 10);
    return end > number && strcmp(end, "\n") == 0 && process > 0 ? process : 0;
}

static ssize_t read_lock(int fd, char text[LOCK_TEXT])
{
    ssize_t got = pread(fd, text, LOCK_TEXT - 1, 0);
    text[got > 0 ? got : 0] = '\0';
    return got;
}

/* A power cut may have left the lock empty, but never a checkpoint. */
static bool has_checkpoint(const char *folder)
{
    char path[4096], head[sizeof NM_H5_MARK - 1];
    snprintf(path, sizeof path, "%s/last.h5", folder);
    FILE *f = nm_file_stream(path);
    bool ours = f && fread(head, 1, sizeof head, f) == sizeof head && memcmp(head, NM_H5_MARK, sizeof head) == 0;
    if (f)
        fclose(f);
    return ours;
}

nm_run_lock_state nm_run_lock_look(const char *folder)
{
    char path[4096], text[LOCK_TEXT];
    bool older;
    snprintf(path, sizeof path, "%s/lock", folder);
    int fd = nm_file_descriptor(path);
    if (fd < 0)
        return errno == ENOENT ? NM_LOCK_NONE : NM_LOCK_FOREIGN;
    ssize_t got = read_lock(fd, text);
    close(fd);
    if (got <= 0)
        return got < 0 ? NM_LOCK_FOREIGN : has_checkpoint(folder) ? NM_LOCK_OURS : NM_LOCK_NONE;
    if (!process_of(text, &older))
        return NM_LOCK_FOREIGN;
    snprintf(path, sizeof path, "%s/model.yaml", folder);
    return older && access(path, F_OK) != 0 ? NM_LOCK_FOREIGN : NM_LOCK_OURS;
}

static nm_status in_use(nm_context *ctx, const char *folder, int fd)
{
    char text[LOCK_TEXT];
    bool older;
    long process = read_lock(fd, text) > 0 ? process_of(text, &older) : 0;
    snprintf(text, sizeof text, "%ld", process);
    return nm_fail(ctx, NM_INVALID,
                   "%s: in use by process %s: one process a run directory; wait for it, or choose another --run",
                   folder, process ? text : "(unknown)");
}

/* Whether the file that is held still has the name: its holder may have removed it before it let
 * go. */
static bool still_there(int fd, const char *path)
{
    struct stat held, named;
    return fstat(fd, &held) == 0 && stat(path, &named) == 0 && held.st_ino == named.st_ino &&
           held.st_dev == named.st_dev;
}

static nm_status take(nm_context *ctx, const char *folder, const char *path, nm_run_lock *lock)
{
    do {
        if (lock->fd >= 0)
            close(lock->fd);
        lock->made = true;
        lock->fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (lock->fd < 0 && errno == EEXIST) {
            lock->made = false;
            lock->fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
        }
        if (lock->fd < 0) {
            lock->made = false;
            return nm_fail(ctx, NM_FAILED, "%s: cannot write in the run directory: %s; choose another --run", path,
                           strerror(errno));
        }
        if (flock(lock->fd, LOCK_EX | LOCK_NB) != 0) {
            int why = errno;
            lock->made = false; /* it is another's now */
            return why == EWOULDBLOCK ? in_use(ctx, folder, lock->fd)
                                      : nm_fail(ctx, NM_FAILED, "%s: cannot be locked: %s", path, strerror(why));
        }
    } while (!still_there(lock->fd, path));
    /* Over the text that is there, and as long as any: a process that is killed here never leaves
     * the file empty. */
    char own[LOCK_TEXT];
    int length = snprintf(own, sizeof own, "norma %10ld\n", (long)getpid());
    if (pwrite(lock->fd, own, (size_t)length, 0) != length || ftruncate(lock->fd, length) != 0)
        return nm_fail(ctx, NM_FAILED, "%s: cannot write: %s", path, strerror(errno));
    return NM_OK;
}

nm_status nm_run_lock_take(nm_context *ctx, const char *folder, nm_run_lock *lock)
{
    char *path = nm_format(ctx, "%s/lock", folder);
    nm_status status = path ? take(ctx, folder, path, lock) : NM_FAILED;
    nm_free(path);
    return status;
}

void nm_run_lock_release(nm_run_lock *lock, const char *folder, bool remove)
{
    if (lock->fd < 0)
        return;
    char path[4096];
    if (remove && snprintf(path, sizeof path, "%s/lock", folder) < (int)sizeof path)
        unlink(path); /* while it is held: nobody else's */
    close(lock->fd);
    lock->fd = -1;
}
