/* How much processor time `norma --version` takes, at least, in 20 runs. Exit status 1: more than
 * 20 ms. */
#include "start.h"

static double seconds(const struct timeval *t)
{
    return (double)t->tv_sec + 1e-6 * (double)t->tv_usec;
}

int main(void)
{
    const double limit = 0.02;
    double least = 1e9;
    for (int i = 0; i < 20; i++) {
        struct rusage used;
        if (!start_program("--version", &used))
            return 1;
        double took = seconds(&used.ru_utime) + seconds(&used.ru_stime);
        least = took < least ? took : least;
    }
    printf("start-up: %.1f ms of processor time, allowed %.0f\n", 1e3 * least, 1e3 * limit);
    return least > limit;
}
