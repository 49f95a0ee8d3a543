/* Long arrays are zeroed and summed whole, by any number of threads. */
#include "arrays.h"
#include "run_suite.h"

#include <stdlib.h>

static void check_count(size_t count, int threads)
{
    real *to = malloc((count + 1) * sizeof *to), *from = malloc((count + 1) * sizeof *from);
    for (size_t i = 0; i <= count; i++) {
        to[i] = (real)i;
        from[i] = (real)0.5;
    }
    nm_add_array(threads, to, from, count);
    for (size_t i = 0; i <= count; i++)
        ck_assert(to[i] == (real)i + (i < count ? from[i] : 0));
    nm_zero_array(threads, to, count);
    for (size_t i = 0; i <= count; i++)
        ck_assert(to[i] == (i < count ? 0 : (real)count));
    free(from);
    free(to);
}

START_TEST(every_element_is_reached)
{
    static const size_t counts[] = {0, 1, 16383, 16384, 16385, 100001};
    for (size_t k = 0; k < sizeof counts / sizeof *counts; k++)
        for (int threads = 1; threads <= 3; threads++)
            check_count(counts[k], threads);
}
END_TEST

SUITE("arrays", every_element_is_reached)
