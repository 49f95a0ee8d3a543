/* Processes, by their numbers. */
#include "process.h"

#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static double seconds_of(clockid_t clock)
{
    struct timespec t;
    return clock_gettime(clock, &t) == 0 ? (double)t.tv_sec + 1e-9 * (double)t.tv_nsec : (double)NAN;
}

/* When it began, in seconds since 1970; NaN: the system does not tell. proc(5): the 22nd field of
 * /proc/PID/stat counts from the machine's start; the second is a name that may hold anything, in
 * parentheses. */
static double beginning_of(long process)
{
    char path[64], text[1024];
    snprintf(path, sizeof path, "/proc/%ld/stat", process);
    FILE *f = fopen(path, "re");
    size_t size = f ? fread(text, 1, sizeof text - 1, f) : 0;
    if (f)
        fclose(f);
    text[size] = '\0';
    const char *at = strrchr(text, ')');
    for (int field = 2; at && field < 22; field++)
        at = strchr(at + 1, ' ');
    unsigned long long ticks;
    if (!at || sscanf(at, "%llu", &ticks) != 1)
        return (double)NAN;
    double age = seconds_of(CLOCK_BOOTTIME) - (double)ticks / (double)sysconf(_SC_CLK_TCK);
    return seconds_of(CLOCK_REALTIME) - age;
}

bool nm_process_lives_since(long process, double when)
{
    if (kill((pid_t)process, 0) != 0 && errno == ESRCH)
        return false;
    return !(beginning_of(process) > when + 1); /* the clocks are read one after the other, and the ticks are coarse */
}
