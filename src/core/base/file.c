/* Whole files. */
#include "file.h"

#include "alloc.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* Up to `size` bytes; fewer only at the end of the file. -1 with errno. */
static ssize_t read_fully(int fd, char *to, size_t size)
{
    size_t have = 0;
    while (have < size) {
        ssize_t got = read(fd, to + have, size - have);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return -1;
        if (got == 0)
            break;
        have += (size_t)got;
    }
    return (ssize_t)have;
}

/* ---- opening ------------------------------------------------------------------------- */

/* What stands there in place of a file; NULL: a file. */
static const char *other_kind(mode_t mode)
{
    return S_ISREG(mode)    ? NULL
           : S_ISDIR(mode)  ? "a folder"
           : S_ISFIFO(mode) ? "a pipe"
           : S_ISSOCK(mode) ? "a socket"
                            : "a device";
}

/* Looked at before it is opened, for to open a device may already act on it; and again behind, for
 * it may have been replaced in between: O_NONBLOCK, so that a pipe put there does not hold the
 * process. *other is set where it is no file. */
static int open_file(const char *path, const char **other)
{
    struct stat st;
    *other = NULL;
    if (stat(path, &st) != 0)
        return -1;
    *other = other_kind(st.st_mode);
    int fd = *other ? -1 : open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0)
        return -1;
    if (fstat(fd, &st) == 0 && !(*other = other_kind(st.st_mode)) && fcntl(fd, F_SETFL, O_RDONLY) == 0)
        return fd;
    int why = errno;
    close(fd);
    errno = why;
    return -1;
}

int nm_file_descriptor(const char *path)
{
    const char *other;
    int fd = open_file(path, &other);
    if (fd < 0 && other)
        errno = strcmp(other, "a folder") == 0 ? EISDIR : EINVAL;
    return fd;
}

FILE *nm_file_stream(const char *path)
{
    int fd = nm_file_descriptor(path);
    FILE *f = fd >= 0 ? fdopen(fd, "rb") : NULL;
    if (fd >= 0 && !f)
        close(fd);
    return f;
}

nm_status nm_file_open(nm_context *ctx, const char *path, int *fd)
{
    const char *other;
    *fd = open_file(path, &other);
    if (*fd >= 0)
        return NM_OK;
    if (other)
        return nm_fail(ctx, NM_INVALID, "%s: expected a file; found %s", path, other);
    return nm_fail(ctx, errno == ENOENT || errno == ENOTDIR ? NM_INVALID : NM_FAILED, "%s: cannot open: %s", path,
                   strerror(errno));
}

/* ---- reading ------------------------------------------------------------------------- */

static nm_status read_open(nm_context *ctx, const char *path, int fd, char **bytes, size_t *size)
{
    struct stat st;
    if (fstat(fd, &st) != 0)
        return nm_fail(ctx, NM_FAILED, "%s: cannot read: %s", path, strerror(errno));
    *bytes = nm_alloc(ctx, (size_t)st.st_size + 1, 1);
    if (!*bytes)
        return NM_FAILED;
    ssize_t got = read_fully(fd, *bytes, (size_t)st.st_size);
    if (got == (ssize_t)st.st_size) {
        *size = (size_t)st.st_size;
        return NM_OK;
    }
    nm_free(*bytes);
    *bytes = NULL;
    return got < 0 ? nm_fail(ctx, NM_FAILED, "%s: cannot read: %s", path, strerror(errno))
                   : nm_fail(ctx, NM_FAILED, "%s: became shorter while it was read", path);
}

nm_status nm_file_read_most(nm_context *ctx, const char *path, size_t most, const char *what, char **bytes,
                            size_t *size)
{
    int fd;
    struct stat st;
    *bytes = NULL;
    *size = 0;
    NM_TRY(nm_file_open(ctx, path, &fd));
    nm_status status = NM_OK;
    if (fstat(fd, &st) == 0 && (uintmax_t)st.st_size > most)
        status = nm_fail(ctx, NM_INVALID, "%s: found %jd bytes; expected %s of at most %zu", path, (intmax_t)st.st_size,
                         what, most);
    if (status == NM_OK)
        status = read_open(ctx, path, fd, bytes, size);
    close(fd);
    return status;
}

nm_status nm_file_read(nm_context *ctx, const char *path, char **bytes, size_t *size)
{
    return nm_file_read_most(ctx, path, SIZE_MAX, "a file", bytes, size);
}

/* ---- writing ------------------------------------------------------------------------- */

static int write_fully(int fd, const char *from, size_t size)
{
    while (size > 0) {
        ssize_t put = write(fd, from, size);
        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0)
            return -1;
        from += put;
        size -= (size_t)put;
    }
    return 0;
}

/* What the file at fd holds is compared with the blocks; errno is EIO where they differ. */
static int verify(int fd, const nm_bytes *blocks, int count)
{
    char block[1 << 14];
    if (lseek(fd, 0, SEEK_SET) != 0)
        return -1;
    for (int i = 0; i < count; i++)
        for (size_t at = 0; at < blocks[i].size;) {
            size_t part = blocks[i].size - at < sizeof block ? blocks[i].size - at : sizeof block;
            ssize_t got = read_fully(fd, block, part);
            if (got < 0)
                return -1;
            if ((size_t)got != part || memcmp(block, (const char *)blocks[i].bytes + at, part) != 0) {
                errno = EIO;
                return -1;
            }
            at += part;
        }
    return 0;
}

/* Network file systems let signals interrupt it. */
static int sync_fully(int fd)
{
    int result;
    do
        result = fsync(fd);
    while (result != 0 && errno == EINTR);
    return result;
}

/* EINVAL and ENOTSUP: the file system has no sync of
 * folders (some of those in user space), so that there is nothing more to be had. EACCES: a folder
 * that may be written but not listed; its owner has chosen so. */
nm_status nm_file_sync_folder(nm_context *ctx, const char *path)
{
    char folder[4096];
    const char *slash = strrchr(path, '/');
    snprintf(folder, sizeof folder, "%.*s", slash ? (int)(slash - path) + 1 : 1, slash ? path : ".");
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 && errno == EACCES)
        return NM_OK;
    int why = fd < 0 || sync_fully(fd) != 0 ? errno : 0;
    if (fd >= 0)
        close(fd);
    if (!why || why == EINVAL || why == ENOTSUP)
        return NM_OK;
    return nm_fail(ctx, NM_FAILED, "%s: is written, but its folder cannot be synced: %s; a power cut may undo it", path,
                   strerror(why));
}

/* In the folder of `path`. The process number says whose it is, the random number distinguishes it
 * from all others, also from those of a process of that number on another machine. */
static char *temporary_name(nm_context *ctx, const char *path)
{
    const char *slash = strrchr(path, '/');
    uint64_t number = 0;
    if (getrandom(&number, sizeof number, GRND_NONBLOCK) != sizeof number) {
        struct timespec now;
        clock_gettime(CLOCK_REALTIME, &now);
        number = (uint64_t)now.tv_sec * 1000000007u ^ (uint64_t)now.tv_nsec;
    }
    return nm_format(ctx, "%.*s.norma-%ld-%016" PRIx64 ".tmp", slash ? (int)(slash - path) + 1 : 0, path,
                     (long)getpid(), number);
}

bool nm_file_is_temporary(const char *name, long *process)
{
    char again[64], *end;
    if (strncmp(name, ".norma-", 7) != 0)
        return false;
    long number = strtol(name + 7, &end, 10);
    if (number <= 0 || *end != '-')
        return false;
    unsigned long long random = strtoull(end + 1, NULL, 16);
    snprintf(again, sizeof again, ".norma-%ld-%016llx.tmp", number, random);
    *process = number;
    return strcmp(name, again) == 0; /* exactly as temporary_name writes it */
}

static nm_status replace(nm_context *ctx, const char *path, const char *temporary, const nm_bytes *blocks, int count)
{
    int fd = open(temporary, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (fd < 0)
        return nm_fail(ctx, NM_FAILED, "%s: cannot create: %s (as '%s')", path, strerror(errno), temporary);
    int bad = 0;
    for (int i = 0; i < count && !bad; i++)
        bad = write_fully(fd, blocks[i].bytes, blocks[i].size);
    bad = bad || sync_fully(fd) != 0 || verify(fd, blocks, count) != 0;
    int why = errno;
    if (close(fd) != 0 && !bad) {
        bad = 1;
        why = errno;
    }
    if (!bad && rename(temporary, path) == 0)
        return nm_file_sync_folder(ctx, path);
    if (!bad)
        why = errno;
    unlink(temporary);
    return nm_fail(ctx, NM_FAILED, "%s: cannot write: %s; what was there is unchanged", path, strerror(why));
}

nm_status nm_file_replace(nm_context *ctx, const char *path, const nm_bytes *blocks, int count)
{
    char *temporary = temporary_name(ctx, path);
    nm_status status = temporary ? replace(ctx, path, temporary, blocks, count) : NM_FAILED;
    nm_free(temporary);
    return status;
}

static nm_status copy(nm_context *ctx, const char *from, const char *path)
{
    nm_bytes block = {0};
    char *bytes;
    NM_TRY(nm_file_read(ctx, from, &bytes, &block.size));
    block.bytes = bytes;
    nm_status status = nm_file_replace(ctx, path, &block, 1);
    nm_free(bytes);
    return status;
}

nm_status nm_file_link(nm_context *ctx, const char *from, const char *path)
{
    char *temporary = temporary_name(ctx, path);
    if (!temporary)
        return NM_FAILED;
    nm_status status;
    if (link(from, temporary) != 0) {
        status = copy(ctx, from, path);
    } else {
        status =
            rename(temporary, path) == 0
                ? nm_file_sync_folder(ctx, path)
                : nm_fail(ctx, NM_FAILED, "%s: cannot write: %s; what was there is unchanged", path, strerror(errno));
        unlink(temporary); /* still there where both were names of one file already: rename does nothing then */
    }
    nm_free(temporary);
    return status;
}
