/* Calls of the system of which one can fail. For one file of a program: the functions below stand
 * in place of the C library's. */
#ifndef CALL_FAULTS_H
#define CALL_FAULTS_H

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <hdf5.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

typedef enum call {
    OPEN,
    READ,
    WRITE,
    CLOSE,
    RENAME,
    LINK,
    UNLINK,
    STAT,
    FSTAT,
    LSEEK,
    MKDIR,
    PREAD,
    PWRITE,
    FTRUNCATE,
    OPENDIR,
    READDIR,
    FDOPEN,
    GETRANDOM,
    H5_GROUP,
    H5_DATASET,
    H5_VALUES,
    H5_ATTRIBUTE,
    H5_ATTRIBUTE_VALUE,
    H5_IMAGE,
    CALLS
} call;

static struct {
    bool on;
    call which;
    int at, error, seen[CALLS]; /* error 0: cut short, where that can be */
} fault;

static bool goes_wrong(call which)
{
    if (!fault.on)
        return false;
    int number = ++fault.seen[which];
    bool wrong = which == fault.which && number == fault.at;
    if (wrong)
        errno = fault.error;
    return wrong;
}

int open(const char *path, int flags, ...)
{
    va_list args;
    va_start(args, flags);
    unsigned mode = flags & O_CREAT ? va_arg(args, unsigned) : 0;
    va_end(args);
    return goes_wrong(OPEN) ? -1 : (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
}

/* Of files; sockets work. */
ssize_t read(int fd, void *to, size_t size)
{
    struct stat st;
    bool file = fstatat(fd, "", &st, AT_EMPTY_PATH) == 0 && S_ISREG(st.st_mode);
    return file && goes_wrong(READ) ? (fault.error ? -1 : 0) : syscall(SYS_read, fd, to, size);
}

ssize_t write(int fd, const void *from, size_t size)
{
    if (!goes_wrong(WRITE))
        return syscall(SYS_write, fd, from, size);
    return fault.error ? -1 : syscall(SYS_write, fd, from, (size + 1) / 2);
}

int close(int fd)
{
    bool wrong = goes_wrong(CLOSE);
    int why = errno, status = (int)syscall(SYS_close, fd);
    errno = wrong ? why : errno;
    return wrong ? -1 : status;
}

int rename(const char *from, const char *to)
{
    return goes_wrong(RENAME) ? -1 : (int)syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0);
}

int link(const char *from, const char *to)
{
    return goes_wrong(LINK) ? -1 : (int)syscall(SYS_linkat, AT_FDCWD, from, AT_FDCWD, to, 0);
}

int unlink(const char *path)
{
    return goes_wrong(UNLINK) ? -1 : (int)syscall(SYS_unlinkat, AT_FDCWD, path, 0);
}

int stat(const char *path, struct stat *st)
{
    return goes_wrong(STAT) ? -1 : fstatat(AT_FDCWD, path, st, 0);
}

int fstat(int fd, struct stat *st)
{
    return goes_wrong(FSTAT) ? -1 : fstatat(fd, "", st, AT_EMPTY_PATH);
}

off_t lseek(int fd, off_t offset, int from)
{
    return goes_wrong(LSEEK) ? -1 : syscall(SYS_lseek, fd, offset, from);
}

int mkdir(const char *path, mode_t mode)
{
    return goes_wrong(MKDIR) ? -1 : (int)syscall(SYS_mkdirat, AT_FDCWD, path, mode);
}

ssize_t pread(int fd, void *to, size_t size, off_t at)
{
    return goes_wrong(PREAD) ? -1 : syscall(SYS_pread64, fd, to, size, at);
}

ssize_t pwrite(int fd, const void *from, size_t size, off_t at)
{
    if (!goes_wrong(PWRITE))
        return syscall(SYS_pwrite64, fd, from, size, at);
    return fault.error ? -1 : syscall(SYS_pwrite64, fd, from, size / 2, at);
}

int ftruncate(int fd, off_t size)
{
    return goes_wrong(FTRUNCATE) ? -1 : (int)syscall(SYS_ftruncate, fd, size);
}

ssize_t getrandom(void *to, size_t size, unsigned flags)
{
    return goes_wrong(GETRANDOM) ? -1 : syscall(SYS_getrandom, to, size, flags);
}

/* What is no call of the system is found behind this program. */
#define BEHIND(type, name, ...)                                                                                        \
    type (*behind)(__VA_ARGS__);                                                                                       \
    *(void **)&behind = dlsym(RTLD_NEXT, name)

DIR *opendir(const char *path)
{
    BEHIND(DIR *, "opendir", const char *);
    return goes_wrong(OPENDIR) ? NULL : behind(path);
}

struct dirent *readdir(DIR *listed)
{
    BEHIND(struct dirent *, "readdir64", DIR *);
    return goes_wrong(READDIR) ? NULL : behind(listed);
}

FILE *fdopen(int fd, const char *mode)
{
    BEHIND(FILE *, "fdopen", int, const char *);
    return goes_wrong(FDOPEN) ? NULL : behind(fd, mode);
}

/* ---- of the HDF5 library, as it builds a file ------------------------------------------------ */

hid_t H5Gcreate2(hid_t at, const char *name, hid_t link, hid_t create, hid_t access)
{
    BEHIND(hid_t, "H5Gcreate2", hid_t, const char *, hid_t, hid_t, hid_t);
    return goes_wrong(H5_GROUP) ? -1 : behind(at, name, link, create, access);
}

hid_t H5Dcreate2(hid_t at, const char *name, hid_t type, hid_t space, hid_t link, hid_t create, hid_t access)
{
    BEHIND(hid_t, "H5Dcreate2", hid_t, const char *, hid_t, hid_t, hid_t, hid_t, hid_t);
    return goes_wrong(H5_DATASET) ? -1 : behind(at, name, type, space, link, create, access);
}

herr_t H5Dwrite(hid_t set, hid_t type, hid_t memory, hid_t file, hid_t transfer, const void *values)
{
    BEHIND(herr_t, "H5Dwrite", hid_t, hid_t, hid_t, hid_t, hid_t, const void *);
    return goes_wrong(H5_VALUES) ? -1 : behind(set, type, memory, file, transfer, values);
}

hid_t H5Acreate2(hid_t at, const char *name, hid_t type, hid_t space, hid_t create, hid_t access)
{
    BEHIND(hid_t, "H5Acreate2", hid_t, const char *, hid_t, hid_t, hid_t, hid_t);
    return goes_wrong(H5_ATTRIBUTE) ? -1 : behind(at, name, type, space, create, access);
}

herr_t H5Awrite(hid_t attribute, hid_t type, const void *value)
{
    BEHIND(herr_t, "H5Awrite", hid_t, hid_t, const void *);
    return goes_wrong(H5_ATTRIBUTE_VALUE) ? -1 : behind(attribute, type, value);
}

ssize_t H5Fget_file_image(hid_t file, void *to, size_t size)
{
    BEHIND(ssize_t, "H5Fget_file_image", hid_t, void *, size_t);
    return goes_wrong(H5_IMAGE) ? -1 : behind(file, to, size);
}

#endif
