/* Preloaded into a program: allocations that fail. fault_point.h says which.
 *
 *     FAULT_OF=own   counts those alone that the program's own code asks for; otherwise those of
 *                    its libraries too
 *
 * A crash is reported on stderr with the module that was at work: "crashed in norma: SIGSEGV". */
#undef _FILE_OFFSET_BITS /* else mmap and open would name what they are written beside */
#include "fault_point.h"

#include <dlfcn.h>
#include <errno.h>
#include <execinfo.h>
#include <link.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>

#define EXPORT __attribute__((visibility("default")))

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *block, size_t size);
void *__libc_memalign(size_t alignment, size_t size);

static bool own_alone;
static uintptr_t program_begin, program_end;

/* ---- whose call it is ---------------------------------------------------------------------- */

/* The first object is the program itself. */
static int find_program(struct dl_phdr_info *info, size_t size, void *arg)
{
    (void)size;
    (void)arg;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *p = &info->dlpi_phdr[i];
        if (p->p_type == PT_LOAD && (p->p_flags & PF_X)) {
            program_begin = info->dlpi_addr + p->p_vaddr;
            program_end = program_begin + p->p_memsz;
        }
    }
    return 1;
}

static bool fails(const void *caller)
{
    bool wrong = false;
    if (!atomic_load(&fault_on))
        return false;
    if (own_alone && ((uintptr_t)caller < program_begin || (uintptr_t)caller >= program_end))
        return false;
    fault_next(&wrong);
    if (wrong)
        errno = ENOMEM;
    return wrong;
}

/* ---- crashes ------------------------------------------------------------------------------- */

static const char *module_of(void *address)
{
    Dl_info info;
    if (!dladdr(address, &info) || !info.dli_fname)
        return "?";
    const char *slash = strrchr(info.dli_fname, '/');
    return slash ? slash + 1 : info.dli_fname;
}

/* The C library crashes on what it is given: the module that called it is named. */
static bool is_at_work(const char *module)
{
    static const char *const below[] = {"libc.so", "ld-linux", "fail_allocation", "linux-vdso", "?"};
    for (size_t i = 0; i < sizeof below / sizeof *below; i++)
        if (strncmp(module, below[i], strlen(below[i])) == 0)
            return false;
    return true;
}

static void report_crash(int number)
{
    void *frame[64];
    char text[256];
    atomic_store(&fault_on, false);
    int frames = backtrace(frame, 64), at = 0;
    while (at < frames && !is_at_work(module_of(frame[at])))
        at++;
    int length =
        snprintf(text, sizeof text, "crashed in %s: signal %d\n", at < frames ? module_of(frame[at]) : "?", number);
    if (write(STDERR_FILENO, text, (size_t)length) == length)
        backtrace_symbols_fd(frame, frames, STDERR_FILENO);
    signal(number, SIG_DFL);
    raise(number);
}

/* A library may end the process on its own, without a word: no status of the program's. */
EXPORT _Noreturn void exit(int status)
{
    void (*real_exit)(int) __attribute__((noreturn));
    *(void **)&real_exit = dlsym(RTLD_NEXT, "exit");
    const char *module = module_of(__builtin_return_address(0));
    char text[256];
    int length = snprintf(text, sizeof text, "crashed in %s: exit %d\n", module, status);
    if (is_at_work(module) && (status < 0 || status > 3) && write(STDERR_FILENO, text, (size_t)length) != length)
        abort();
    real_exit(status);
}

__attribute__((constructor)) static void begin(void)
{
    void *frame[4];
    const char *of = getenv("FAULT_OF");
    own_alone = of && strcmp(of, "own") == 0;
    dl_iterate_phdr(find_program, NULL);
    backtrace(frame, 4); /* loads what it needs now */
    static const int signals[] = {SIGSEGV, SIGBUS, SIGABRT, SIGFPE, SIGILL};
    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++)
        signal(signals[i], report_crash);
    fault_begin();
}

__attribute__((destructor)) static void end(void)
{
    fault_end();
}

/* ---- the calls ----------------------------------------------------------------------------- */

EXPORT void *malloc(size_t size)
{
    return fails(__builtin_return_address(0)) ? NULL : __libc_malloc(size);
}

EXPORT void *calloc(size_t count, size_t size)
{
    return fails(__builtin_return_address(0)) ? NULL : __libc_calloc(count, size);
}

EXPORT void *realloc(void *block, size_t size)
{
    return fails(__builtin_return_address(0)) ? NULL : __libc_realloc(block, size);
}

EXPORT void *aligned_alloc(size_t alignment, size_t size)
{
    return fails(__builtin_return_address(0)) ? NULL : __libc_memalign(alignment, size);
}

EXPORT int posix_memalign(void **block, size_t alignment, size_t size)
{
    if (fails(__builtin_return_address(0)))
        return ENOMEM;
    *block = __libc_memalign(alignment, size);
    return *block ? 0 : ENOMEM;
}

/* Of files too: norma reads none by it. */
EXPORT void *mmap(void *address, size_t size, int protection, int flags, int fd, off_t offset)
{
    if ((flags & MAP_ANONYMOUS) && fails(__builtin_return_address(0)))
        return MAP_FAILED;
    return (void *)syscall(SYS_mmap, address, size, protection, flags, fd, offset);
}

EXPORT void *mmap64(void *address, size_t size, int protection, int flags, int fd, off64_t offset)
    __attribute__((alias("mmap")));
