/* A clock, and the median of what it measured. */
#ifndef NM_CLOCK_H
#define NM_CLOCK_H

#include <stdlib.h>
#include <time.h>

/* Seconds since some moment; never set back. */
static inline double nm_clock(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static inline int nm_clock_compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Sorts the values; of an even number the upper one of the two in the middle. count >= 1. */
static inline double nm_median(double *values, int count)
{
    qsort(values, (size_t)count, sizeof *values, nm_clock_compare);
    return values[count / 2];
}

#endif
