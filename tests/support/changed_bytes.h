/* Changing bytes at random: how often, where, and what it may cost. NORMA_FUZZ=100000 asks for more
 * than the ordinary number. */
#ifndef CHANGED_BYTES_H
#define CHANGED_BYTES_H

#include "rng.h"
#include "sanitized.h"

#include <check.h>
#include <stdlib.h>
#include <sys/resource.h>

static inline long fuzz_count(long ordinary)
{
    const char *asked = getenv("NORMA_FUZZ");
    return asked && atol(asked) > 0 ? atol(asked) : ordinary;
}

/* Gives one of the bytes from `first` on another value; returns its place, and what it was. */
static inline size_t fuzz_byte(nm_rng *r, char *bytes, size_t first, size_t size, char *was)
{
    size_t at = first + nm_rng_below(r, (uint32_t)(size - first));
    *was = bytes[at];
    bytes[at] = (char)(bytes[at] ^ (char)(1 + nm_rng_below(r, 255)));
    return at;
}

static inline double fuzz_seconds_of(int who)
{
    struct rusage u;
    getrusage(who, &u);
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) + 1e-6 * (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec);
}

/* Of the processor, by this process and the children that have ended: other work of the machine
 * does not count. */
static inline double fuzz_seconds(void)
{
    return fuzz_seconds_of(RUSAGE_SELF) + fuzz_seconds_of(RUSAGE_CHILDREN);
}

#define FUZZ_WITHIN_A_SECOND(start, k)                                                                                 \
    ck_assert_msg(SANITIZED || fuzz_seconds() - (start) < 1, "change %ld took %.1f s", (long)(k),                      \
                  fuzz_seconds() - (start))

#endif
