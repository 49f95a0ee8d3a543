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
    if (stat(level, &st) != 0)
        return nm_fail(ctx, NM_FAILED, "%s: '%s' cannot be looked at: %s", path, level, strerror(errno));
    if (!S_ISDIR(st.st_mode))
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

typedef struct beginning {
    bool there, file;     /* something of that name; a file */
    char text[LOCK_TEXT]; /* ends with a zero byte */
    ssize_t size;
} beginning;

/* Only what is not there is absent: all else is told, as a run must not be taken for none. */
static nm_status read_beginning(nm_context *ctx, const char *folder, const char *name, beginning *b)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    *b = (beginning){0};
    int fd = nm_file_descriptor(path);
    b->file = fd >= 0;
    b->there = b->file || (errno != ENOENT && errno != ENOTDIR);
    if (!b->file && (!b->there || errno == EISDIR || errno == EINVAL || errno == ELOOP)) /* it is no file */
        return NM_OK;
    bool failed = !b->file || (b->size = read_lock(fd, b->text)) < 0;
    int why = errno;
    if (b->file)
        close(fd);
    return failed ? nm_fail(ctx, NM_FAILED, "%s: cannot read: %s", path, strerror(why)) : NM_OK;
}

/* Whether this is what a power cut leaves of a new lock: a beginning of its text, or none, and
 * zeros. */
static bool is_remnant(const char *text, ssize_t size)
{
    static const char begin[] = "norma ";
    ssize_t at = 0;
    while (at < size && at < (ssize_t)sizeof begin - 1 && text[at] == begin[at])
        at++;
    if (at == (ssize_t)sizeof begin - 1)
        while (at < size && (text[at] == ' ' || (text[at] >= '0' && text[at] <= '9')))
            at++;
    while (at < size && text[at] == '\0')
        at++;
    return at == size;
}

nm_status nm_run_lock_look(nm_context *ctx, const char *folder, nm_run_lock_state *state)
{
    beginning lock, last;
    bool older;
    *state = NM_LOCK_NONE;
    NM_TRY(read_beginning(ctx, folder, "lock", &lock));
    if (!lock.there)
        return NM_OK;
    *state = NM_LOCK_FOREIGN;
    if (!lock.file)
        return NM_OK;
    if (is_remnant(lock.text, lock.size)) { /* a power cut may leave a lock so, but never a checkpoint */
        NM_TRY(read_beginning(ctx, folder, "last.h5", &last));
        size_t mark = sizeof NM_H5_MARK - 1;
        bool ours = last.size >= (ssize_t)mark && memcmp(last.text, NM_H5_MARK, mark) == 0;
        *state = ours ? NM_LOCK_OURS : NM_LOCK_NONE;
        return NM_OK;
    }
    if (!process_of(lock.text, &older))
        return NM_OK;
    char path[4096];
    snprintf(path, sizeof path, "%s/model.yaml", folder);
    *state = older && access(path, F_OK) != 0 ? NM_LOCK_FOREIGN : NM_LOCK_OURS;
    return NM_OK;
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
static bool still_there(int fd, const char *path, int *why)
{
    struct stat held, named;
    bool there = fstat(fd, &held) == 0 && stat(path, &named) == 0;
    *why = there || errno == ENOENT ? 0 : errno;
    return there && held.st_ino == named.st_ino && held.st_dev == named.st_dev;
}

/* Waits for nobody; 0, or an error's number. */
static int lock_now(int fd)
{
    while (flock(fd, LOCK_EX | LOCK_NB) != 0)
        if (errno != EINTR)
            return errno;
    return 0;
}

/* Another process has it only where the system says so. */
static nm_status cannot_lock(nm_context *ctx, const char *path, int why)
{
    bool none = why == ENOLCK || why == ENOSYS || why == EOPNOTSUPP;
    return nm_fail(ctx, NM_FAILED, "%s: cannot be locked: %s%s", path, strerror(why),
                   none ? " (the file system gives no locks, as NFS without its lock service): choose a --run on a "
                          "local disk"
                        : "; choose another --run");
}

static nm_status write_owner(nm_context *ctx, const char *path, int fd)
{
    /* Over the text that is there, and as long as any: a process that is killed here never leaves
     * the file empty. */
    char own[LOCK_TEXT];
    int length = snprintf(own, sizeof own, "norma %10ld\n", (long)getpid());
    errno = ENOSPC; /* of a write that is cut short */
    if (pwrite(fd, own, (size_t)length, 0) != length || ftruncate(fd, length) != 0)
        return nm_fail(ctx, NM_FAILED, "%s: cannot write: %s", path, strerror(errno));
    return NM_OK;
}

static nm_status take(nm_context *ctx, const char *folder, const char *path, nm_run_lock *lock)
{
    for (bool there = false; !there;) {
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
        int why = lock_now(lock->fd);
        if (why == EWOULDBLOCK) {
            lock->made = false; /* it is another's now */
            return in_use(ctx, folder, lock->fd);
        }
        if (why)
            return cannot_lock(ctx, path, why);
        there = still_there(lock->fd, path, &why);
        if (why)
            return cannot_lock(ctx, path, why);
    }
    NM_TRY(write_owner(ctx, path, lock->fd));
    if (!lock->made)
        return NM_OK;
    /* It says that the folder is a run's, so it is on the disk before the run's first file. */
    if (fsync(lock->fd) != 0)
        return nm_fail(ctx, NM_FAILED, "%s: cannot be synced: %s", path, strerror(errno));
    return nm_file_sync_folder(ctx, path);
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
