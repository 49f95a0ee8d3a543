/* What both preloaded libraries share: which of the counted calls are to go wrong.
 *
 *     FAULT_AT       number of the first call that goes wrong, from 1 (0: none, they are counted)
 *     FAULT_LASTING  all later ones do too
 *     FAULT_COUNT    file that gets the number of calls as the program ends
 *
 * LD_PRELOAD is taken out of the environment, so that programs started by this one work. */
#ifndef FAULT_POINT_H
#define FAULT_POINT_H

#include <fcntl.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

static atomic_long fault_calls;
static atomic_bool fault_on;
static long fault_at;
static bool fault_lasting;
static const char *fault_count;

static inline void fault_begin(void)
{
    const char *at = getenv("FAULT_AT");
    fault_at = at ? atol(at) : 0;
    fault_lasting = getenv("FAULT_LASTING") != NULL;
    fault_count = getenv("FAULT_COUNT");
    unsetenv("LD_PRELOAD");
    atomic_store(&fault_on, true);
}

static void fault_stop(void)
{
    atomic_store(&fault_on, false);
}

/* The number of this call; *wrong: it is to go wrong. */
static inline long fault_next(bool *wrong)
{
#ifdef NM_COVERAGE
    /* What was covered is written as the program ends, by calls that seem its own: from main on,
     * what is registered runs before that. */
    static atomic_flag registered = ATOMIC_FLAG_INIT;
    if (!atomic_flag_test_and_set(&registered))
        atexit(fault_stop);
#endif
    long number = atomic_fetch_add(&fault_calls, 1) + 1;
    *wrong = fault_at > 0 && (number == fault_at || (fault_lasting && number > fault_at));
    return number;
}

/* By the kernel's own calls: open and write may be the ones that go wrong. */
static inline void fault_append(const char *path, const char *text, int length)
{
    long fd = syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    if (fd < 0)
        return;
    if (syscall(SYS_write, fd, text, (long)length) < length)
        abort();
    syscall(SYS_close, fd);
}

static inline void fault_end(void)
{
    char text[32];
    fault_stop();
    if (fault_count)
        fault_append(fault_count, text, snprintf(text, sizeof text, "%ld\n", atomic_load(&fault_calls)));
}

#endif
