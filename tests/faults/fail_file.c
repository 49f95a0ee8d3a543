/* Preloaded into a program: calls for files that fail, do half of their work, or are the last thing
 * the process does; or the record of all that was written. fault_point.h says which of the calls.
 *
 *     FAULT_PATH    counts calls alone on files whose path holds this
 *     FAULT_CALLS   counts calls alone of these names, as "write,fsync" (preset: all)
 *     FAULT_DO      fail (preset), short (a write of half), kill (before the call), killed (after
 * it) FAULT_ERRNO   its number (preset: ENOSPC) FAULT_LIST    file that gets a line a counted call:
 * "number name path" FAULT_RECORD  file that gets what changes the disk, in order, as replay.py
 * reads it */
#undef _FILE_OFFSET_BITS /* else mmap and open would name what they are written beside */
#include "fault_point.h"

#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#define EXPORT __attribute__((visibility("default")))
#define REAL(function) (__extension__(__typeof__(&function)) dlsym(RTLD_NEXT, #function))

enum { MOST_FILES = 256, MOST_PATH = 512 };
typedef enum action { GOES_ON, FAILS, HALF, DIES_AFTER } action;

static const char *path_part, *call_names, *what, *list, *record;
static int error_number;
static char path_of[MOST_FILES][MOST_PATH]; /* of each descriptor whose calls are counted */
static pthread_mutex_t recording = PTHREAD_MUTEX_INITIALIZER;

__attribute__((constructor)) static void begin(void)
{
    const char *number = getenv("FAULT_ERRNO");
    path_part = getenv("FAULT_PATH");
    call_names = getenv("FAULT_CALLS");
    what = getenv("FAULT_DO");
    what = what ? what : "fail";
    list = getenv("FAULT_LIST");
    record = getenv("FAULT_RECORD");
    error_number = number ? atoi(number) : ENOSPC;
    fault_begin();
}

__attribute__((destructor)) static void end(void)
{
    fault_end();
}

/* ---- which calls --------------------------------------------------------------------------- */

static bool is_counted(const char *path)
{
    return path && (!path_part || strstr(path, path_part));
}

static const char *descriptor_path(int fd)
{
    return fd >= 0 && fd < MOST_FILES && *path_of[fd] ? path_of[fd] : NULL;
}

static void keep_path(int fd, const char *path)
{
    if (fd >= 0 && fd < MOST_FILES)
        snprintf(path_of[fd], MOST_PATH, "%s", path && *path && is_counted(path) ? path : "");
}

static bool is_named(const char *name)
{
    size_t length = strlen(name);
    for (const char *at = call_names; at; at = strchr(at, ',')) {
        at += *at == ',';
        if (strncmp(at, name, length) == 0 && (at[length] == ',' || !at[length]))
            return true;
    }
    return !call_names;
}

static action choose(const char *name, const char *path)
{
    bool wrong = false;
    if (!atomic_load(&fault_on) || !path || !is_named(name))
        return GOES_ON;
    long number = fault_next(&wrong);
    if (list) {
        char line[MOST_PATH + 64];
        fault_append(list, line, snprintf(line, sizeof line, "%ld %s %s\n", number, name, path));
    }
    if (!wrong)
        return GOES_ON;
    if (strcmp(what, "kill") == 0)
        kill(getpid(), SIGKILL);
    if (strcmp(what, "killed") == 0)
        return DIES_AFTER;
    errno = error_number;
    return strcmp(what, "short") == 0 ? HALF : FAILS;
}

static long finish(action a, long result)
{
    if (a == DIES_AFTER)
        kill(getpid(), SIGKILL);
    return result;
}

/* ---- the record ---------------------------------------------------------------------------- */

/* "name a b\n" and the bytes; a and b are paths, or a descriptor and two numbers. */
static void note(const char *head, const void *bytes, size_t size)
{
    static int fd = -1;
    if (!record)
        return;
    int before = errno;
    pthread_mutex_lock(&recording);
    if (fd < 0)
        fd = (int)syscall(SYS_openat, AT_FDCWD, record, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    if (syscall(SYS_write, fd, head, strlen(head)) < 0 || (size && syscall(SYS_write, fd, bytes, size) != (long)size))
        abort();
    pthread_mutex_unlock(&recording);
    errno = before;
}

static void note_paths(const char *name, const char *a, const char *b)
{
    char head[2 * MOST_PATH + 64];
    snprintf(head, sizeof head, "%s\t%s\t%s\n", name, a, b);
    note(head, NULL, 0);
}

static void note_numbers(const char *name, int fd, long long at, const void *bytes, size_t size)
{
    char head[128];
    snprintf(head, sizeof head, "%s\t%d\t%lld\t%zu\n", name, fd, at, size);
    note(head, bytes, size);
}

/* ---- calls on paths ------------------------------------------------------------------------ */

EXPORT int open64(const char *path, int flags, ...)
{
    va_list args;
    va_start(args, flags);
    mode_t mode = flags & O_CREAT ? va_arg(args, mode_t) : 0;
    va_end(args);
    const char *counted = is_counted(path) ? path : NULL;
    action a = choose("open", counted);
    if (a == FAILS)
        return -1;
    int fd = (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
    keep_path(fd, path);
    if (fd >= 0 && counted) {
        char number[32];
        snprintf(number, sizeof number, "%d%s%s", fd, flags & O_TRUNC ? " trunc" : "",
                 flags & O_DIRECTORY ? " folder" : "");
        note_paths("open", path, number);
    }
    return (int)finish(a, fd);
}

EXPORT int open(const char *path, int flags, ...) __attribute__((alias("open64")));

EXPORT FILE *fopen64(const char *path, const char *mode)
{
    action a = choose("open", is_counted(path) ? path : NULL);
    if (a == FAILS)
        return NULL;
    FILE *file = REAL(fopen64)(path, mode);
    keep_path(file ? fileno(file) : -1, "");
    finish(a, 0);
    return file;
}

EXPORT FILE *fopen(const char *path, const char *mode) __attribute__((alias("fopen64")));

#define PATH_CALL(name, counted, parameters, ...)                                                                      \
    EXPORT int name parameters                                                                                         \
    {                                                                                                                  \
        action a = choose(#name, is_counted(counted) ? counted : NULL);                                                \
        int result = a == FAILS ? -1 : REAL(name)(__VA_ARGS__);                                                        \
        if (result == 0)                                                                                               \
            note_paths(#name, __VA_ARGS__);                                                                            \
        return (int)finish(a, result);                                                                                 \
    }
PATH_CALL(rename, to, (const char *from, const char *to), from, to)
PATH_CALL(link, to, (const char *from, const char *to), from, to)

#define NAME_CALL(name)                                                                                                \
    EXPORT int name(const char *path)                                                                                  \
    {                                                                                                                  \
        action a = choose(#name, is_counted(path) ? path : NULL);                                                      \
        int result = a == FAILS ? -1 : REAL(name)(path);                                                               \
        if (result == 0)                                                                                               \
            note_paths(#name, path, "");                                                                               \
        return (int)finish(a, result);                                                                                 \
    }
NAME_CALL(unlink)
NAME_CALL(rmdir)

EXPORT int mkdir(const char *path, mode_t mode)
{
    action a = choose("mkdir", is_counted(path) ? path : NULL);
    int result = a == FAILS ? -1 : REAL(mkdir)(path, mode);
    if (result == 0)
        note_paths("mkdir", path, "");
    return (int)finish(a, result);
}

#define STATUS_CALL(name)                                                                                              \
    EXPORT int name(const char *path, struct stat64 *st)                                                               \
    {                                                                                                                  \
        action a = choose("stat", is_counted(path) ? path : NULL);                                                     \
        return a == FAILS ? -1 : (int)finish(a, REAL(name)(path, st));                                                 \
    }
STATUS_CALL(stat64)
STATUS_CALL(lstat64)

/* ---- calls on descriptors ------------------------------------------------------------------ */

EXPORT ssize_t write(int fd, const void *bytes, size_t size)
{
    const char *path = descriptor_path(fd);
    action a = choose("write", path);
    if (a == FAILS)
        return -1;
    if (a != GOES_ON && size > 1) /* a process that dies has written a part */
        size /= 2;
    long long at = path && record ? lseek64(fd, 0, SEEK_CUR) : 0;
    ssize_t put = REAL(write)(fd, bytes, size);
    if (path && put > 0)
        note_numbers("write", fd, at, bytes, (size_t)put);
    return finish(a, put);
}

EXPORT ssize_t pwrite64(int fd, const void *bytes, size_t size, off64_t at)
{
    const char *path = descriptor_path(fd);
    action a = choose("write", path);
    if (a == FAILS)
        return -1;
    ssize_t put = REAL(pwrite64)(fd, bytes, a != GOES_ON && size > 1 ? size / 2 : size, at);
    if (path && put > 0)
        note_numbers("write", fd, at, bytes, (size_t)put);
    return finish(a, put);
}

EXPORT ssize_t read(int fd, void *bytes, size_t size)
{
    action a = choose("read", descriptor_path(fd));
    if (a == FAILS)
        return -1;
    return finish(a, REAL(read)(fd, bytes, a == HALF && size > 1 ? size / 2 : size));
}

EXPORT int ftruncate64(int fd, off64_t size)
{
    const char *path = descriptor_path(fd);
    action a = choose("ftruncate", path);
    int result = a == FAILS ? -1 : REAL(ftruncate64)(fd, size);
    if (path && result == 0)
        note_numbers("truncate", fd, size, NULL, 0);
    return (int)finish(a, result);
}

EXPORT int fsync(int fd)
{
    const char *path = descriptor_path(fd);
    action a = choose("fsync", path);
    int result = a == FAILS ? -1 : REAL(fsync)(fd);
    if (path && result == 0)
        note_numbers("fsync", fd, 0, NULL, 0);
    return (int)finish(a, result);
}

/* A descriptor is gone also where close fails. */
EXPORT int close(int fd)
{
    action a = choose("close", descriptor_path(fd));
    keep_path(fd, "");
    int result = REAL(close)(fd);
    if (a == FAILS)
        errno = error_number;
    return (int)finish(a, a == FAILS ? -1 : result);
}

EXPORT int fstat64(int fd, struct stat64 *st)
{
    action a = choose("fstat", descriptor_path(fd));
    return a == FAILS ? -1 : (int)finish(a, REAL(fstat64)(fd, st));
}

EXPORT int flock(int fd, int operation)
{
    action a = choose("flock", descriptor_path(fd));
    return a == FAILS ? -1 : (int)finish(a, REAL(flock)(fd, operation));
}
