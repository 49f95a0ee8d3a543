/* Calls of which one can fail while an HDF5 file is read or built: the library's, and those of the
 * system around the process that reads. For one file of a program: the functions below stand in
 * place of the others. What fails, and how often each was called, is known in both processes. */
#ifndef H5_CALL_FAULTS_H
#define H5_CALL_FAULTS_H

#include <dlfcn.h>
#include <errno.h>
#include <hdf5.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

typedef struct fault {
    bool on;
    const char *name; /* of the call */
    int at, error;    /* which of them; 0: no error, but nothing done (an end, no time left) */
    atomic_int seen;
} fault;
static fault *wrong; /* NULL: nothing fails */

static bool goes_wrong(const char *name)
{
    if (!wrong || !wrong->on || strcmp(name, wrong->name) != 0)
        return false;
    int number = atomic_fetch_add(&wrong->seen, 1) + 1;
    if (number == wrong->at)
        errno = wrong->error;
    return number == wrong->at;
}

#define BEHIND(type, name, ...)                                                                                        \
    type (*behind)(__VA_ARGS__);                                                                                       \
    *(void **)&behind = dlsym(RTLD_NEXT, #name)

/* name(parameters), which returns `failed` where it goes wrong. */
#define STANDS_IN(type, name, failed, parameters, arguments)                                                           \
    type name parameters                                                                                               \
    {                                                                                                                  \
        type(*behind) parameters;                                                                                      \
        *(void **)&behind = dlsym(RTLD_NEXT, #name);                                                                   \
        return goes_wrong(#name) ? failed : behind arguments;                                                          \
    }

/* ---- of the system ------------------------------------------------------------------------ */

#define OR_END (wrong->error ? -1 : 0)
STANDS_IN(int, socketpair, -1, (int domain, int type, int protocol, int ends[2]), (domain, type, protocol, ends))
STANDS_IN(pid_t, fork, -1, (void), ())
STANDS_IN(void *, mmap, MAP_FAILED, (void *at, size_t size, int protection, int flags, int fd, off_t offset),
          (at, size, protection, flags, fd, offset))
STANDS_IN(int, poll, OR_END, (struct pollfd * fds, nfds_t count, int timeout), (fds, count, timeout))
STANDS_IN(pid_t, waitpid, -1, (pid_t process, int *status, int options), (process, status, options))
STANDS_IN(ssize_t, send, OR_END, (int socket, const void *bytes, size_t size, int flags), (socket, bytes, size, flags))
STANDS_IN(ssize_t, read, OR_END, (int fd, void *bytes, size_t size), (fd, bytes, size))
STANDS_IN(ssize_t, pread, OR_END, (int fd, void *bytes, size_t size, off_t at), (fd, bytes, size, at))
STANDS_IN(int, getrlimit, -1, (__rlimit_resource_t what, struct rlimit *limit), (what, limit))
STANDS_IN(FILE *, fopen, NULL, (const char *path, const char *mode), (path, mode))

int prctl(int option, ...)
{
    va_list args;
    va_start(args, option);
    unsigned long a = va_arg(args, unsigned long), b = option == PR_SET_DUMPABLE ? 0 : va_arg(args, unsigned long);
    va_end(args);
    BEHIND(int, prctl, int, ...);
    return goes_wrong("prctl") ? -1 : behind(option, a, b, 0ul, 0ul);
}

long syscall(long number, ...)
{
    va_list args;
    long a[6];
    va_start(args, number);
    for (int i = 0; i < 6; i++)
        a[i] = va_arg(args, long);
    va_end(args);
    BEHIND(long, syscall, long, ...);
    return number == SYS_close_range && goes_wrong("syscall") ? -1 : behind(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}

/* ---- of the library, as it builds a file -------------------------------------------------- */

STANDS_IN(hid_t, H5Fcreate, -1, (const char *name, unsigned flags, hid_t create, hid_t access),
          (name, flags, create, access))
STANDS_IN(herr_t, H5Fflush, -1, (hid_t object, H5F_scope_t scope), (object, scope))
STANDS_IN(ssize_t, H5Fget_file_image, -1, (hid_t file, void *to, size_t size), (file, to, size))
STANDS_IN(hid_t, H5Gcreate2, -1, (hid_t at, const char *name, hid_t link, hid_t create, hid_t access),
          (at, name, link, create, access))
STANDS_IN(hid_t, H5Dcreate2, -1,
          (hid_t at, const char *name, hid_t type, hid_t space, hid_t link, hid_t create, hid_t access),
          (at, name, type, space, link, create, access))
STANDS_IN(herr_t, H5Dwrite, -1, (hid_t set, hid_t type, hid_t memory, hid_t file, hid_t transfer, const void *values),
          (set, type, memory, file, transfer, values))
STANDS_IN(hid_t, H5Acreate2, -1, (hid_t at, const char *name, hid_t type, hid_t space, hid_t create, hid_t access),
          (at, name, type, space, create, access))
STANDS_IN(herr_t, H5Awrite, -1, (hid_t attribute, hid_t type, const void *value), (attribute, type, value))

/* ---- of the library, as it reads ---------------------------------------------------------- */

STANDS_IN(hid_t, H5Fopen, -1, (const char *name, unsigned flags, hid_t access), (name, flags, access))
STANDS_IN(hid_t, H5Gopen2, -1, (hid_t at, const char *name, hid_t access), (at, name, access))
STANDS_IN(hid_t, H5Oopen, -1, (hid_t at, const char *name, hid_t access), (at, name, access))
STANDS_IN(herr_t, H5Oget_info2, -1, (hid_t object, H5O_info_t *info, unsigned fields), (object, info, fields))
STANDS_IN(herr_t, H5Literate, -1,
          (hid_t at, H5_index_t by, H5_iter_order_t order, hsize_t *from, H5L_iterate_t visit, void *arg),
          (at, by, order, from, visit, arg))
STANDS_IN(herr_t, H5Aiterate2, -1,
          (hid_t at, H5_index_t by, H5_iter_order_t order, hsize_t *from, H5A_operator2_t visit, void *arg),
          (at, by, order, from, visit, arg))
STANDS_IN(hid_t, H5Aopen, -1, (hid_t at, const char *name, hid_t access), (at, name, access))
STANDS_IN(hid_t, H5Aget_type, -1, (hid_t attribute), (attribute))
STANDS_IN(hid_t, H5Aget_space, -1, (hid_t attribute), (attribute))
STANDS_IN(herr_t, H5Aread, -1, (hid_t attribute, hid_t type, void *to), (attribute, type, to))
STANDS_IN(hid_t, H5Dopen2, -1, (hid_t at, const char *name, hid_t access), (at, name, access))
STANDS_IN(hid_t, H5Dget_type, -1, (hid_t set), (set))
STANDS_IN(hid_t, H5Dget_space, -1, (hid_t set), (set))
STANDS_IN(hid_t, H5Dget_create_plist, -1, (hid_t set), (set))
STANDS_IN(haddr_t, H5Dget_offset, HADDR_UNDEF, (hid_t set), (set))
STANDS_IN(hsize_t, H5Dget_storage_size, 0, (hid_t set), (set))
STANDS_IN(herr_t, H5Dget_chunk_info_by_coord, -1,
          (hid_t set, const hsize_t *at, unsigned *filters, haddr_t *place, hsize_t *size),
          (set, at, filters, place, size))
STANDS_IN(herr_t, H5Dread, -1, (hid_t set, hid_t type, hid_t memory, hid_t file, hid_t transfer, void *to),
          (set, type, memory, file, transfer, to))
STANDS_IN(H5S_class_t, H5Sget_simple_extent_type, H5S_NO_CLASS, (hid_t space), (space))
STANDS_IN(int, H5Sget_simple_extent_ndims, -1, (hid_t space), (space))
STANDS_IN(int, H5Sget_simple_extent_dims, -1, (hid_t space, hsize_t dims[], hsize_t most[]), (space, dims, most))
STANDS_IN(hssize_t, H5Sget_simple_extent_npoints, -1, (hid_t space), (space))
STANDS_IN(hid_t, H5Screate_simple, -1, (int rank, const hsize_t dims[], const hsize_t most[]), (rank, dims, most))
STANDS_IN(herr_t, H5Sselect_hyperslab, -1,
          (hid_t space, H5S_seloper_t how, const hsize_t start[], const hsize_t stride[], const hsize_t count[],
           const hsize_t block[]),
          (space, how, start, stride, count, block))
STANDS_IN(H5T_class_t, H5Tget_class, H5T_NO_CLASS, (hid_t type), (type))
STANDS_IN(size_t, H5Tget_size, 0, (hid_t type), (type))
STANDS_IN(htri_t, H5Tequal, -1, (hid_t one, hid_t other), (one, other))
STANDS_IN(htri_t, H5Tis_variable_str, -1, (hid_t type), (type))
STANDS_IN(hid_t, H5Pcreate, -1, (hid_t class), (class))
STANDS_IN(H5D_layout_t, H5Pget_layout, H5D_LAYOUT_ERROR, (hid_t creation), (creation))
STANDS_IN(int, H5Pget_nfilters, -1, (hid_t creation), (creation))
STANDS_IN(int, H5Pget_chunk, -1, (hid_t creation, int most, hsize_t dims[]), (creation, most, dims))

#endif
