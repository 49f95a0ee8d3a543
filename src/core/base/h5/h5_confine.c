/* What the process that reads files of others gives up before it reads: files, processes, the
 * network, privileges, and more memory and time than is allowed. */
#include "h5_cage.h"

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

#if defined(__x86_64__)
#define ARCHITECTURE AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define ARCHITECTURE AUDIT_ARCH_AARCH64
#endif

/* Checked code is slower, and its checker calls the system in ways of its own. */
static bool is_checked(void)
{
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || defined(NM_COVERAGE)
    return true;
#else
    const char *preload = getenv("LD_PRELOAD"); /* how valgrind comes in */
    return preload && strstr(preload, "vgpreload");
#endif
}

/* ---- system calls ----------------------------------------------------------------------- */

#ifdef ARCHITECTURE

#define LOAD(field) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define ALLOW BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)
#define REFUSE BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | 1 /* EPERM */)
#define ON(call) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, call, 0, 1), ALLOW
/* Memory that is to be executed is refused; the low half of an argument comes first. */
#define UNLESS_EXECUTED(call)                                                                                          \
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, call, 0, 4), LOAD(args[2]),                                                    \
        BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, PROT_EXEC, 0, 1), REFUSE, ALLOW

/* A refused call fails with EPERM: the library tries to open a file of the name that it is given
 * for memory, and is to go on when there is none. */
static bool filter_calls(void)
{
    struct sock_filter rules[] = {
        LOAD(arch),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ARCHITECTURE, 1, 0),
        REFUSE,
        LOAD(nr),
        ON(SYS_read),
        ON(SYS_sendto),
        ON(SYS_brk),
        ON(SYS_munmap),
        ON(SYS_mremap),
        ON(SYS_madvise),
        ON(SYS_futex),
        ON(SYS_setitimer),
        ON(SYS_clock_gettime),
        ON(SYS_gettimeofday),
        ON(SYS_getrandom),
        ON(SYS_rt_sigprocmask),
        ON(SYS_rt_sigreturn),
        ON(SYS_exit_group),
        UNLESS_EXECUTED(SYS_mmap),
        UNLESS_EXECUTED(SYS_mprotect),
        REFUSE,
    };
    struct sock_fprog program = {.len = sizeof rules / sizeof *rules, .filter = rules};
    return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

#else
static bool filter_calls(void)
{
    return false;
}
#endif

/* ---- memory and time -------------------------------------------------------------------- */

static size_t address_space(void)
{
    unsigned long pages = 0;
    FILE *f = fopen("/proc/self/statm", "r");
    if (!f)
        return 0;
    if (fscanf(f, "%lu", &pages) != 1)
        pages = 0;
    fclose(f);
    return pages * (size_t)sysconf(_SC_PAGESIZE);
}

static void lower_limit(int what, rlim_t to)
{
    struct rlimit limit;
    if (getrlimit(what, &limit) != 0 || (limit.rlim_cur != RLIM_INFINITY && limit.rlim_cur <= to))
        return;
    limit.rlim_cur = to;
    setrlimit(what, &limit);
}

void nm_cage_allow_time(double seconds)
{
    if (is_checked())
        seconds *= 30;
    struct itimerval time = {.it_value = {(time_t)seconds, (suseconds_t)(1e6 * (seconds - (double)(time_t)seconds))}};
    setitimer(ITIMER_PROF, &time, NULL);
}

bool nm_cage_confine(size_t memory)
{
    size_t now = address_space();
    if (now > 0)
        lower_limit(RLIMIT_AS, now + memory);
    lower_limit(RLIMIT_CORE, 0);
    lower_limit(RLIMIT_CPU, 24 * 3600);
    prctl(PR_SET_DUMPABLE, 0);
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        return false;
    if (!is_checked())
        (void)filter_calls(); /* a kernel without seccomp leaves the other walls */
    return true;
}
