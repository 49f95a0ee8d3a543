/* What the checks of layers, losses and fusions compare with. */
#include "layer_check.h"

#include <check.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

int pick(int least, int most)
{
    static nm_rng r;
    static bool started;
    if (!started) {
        r = nm_rng_stream(20150211, "test", "cases");
        started = true;
    }
    return least + (int)nm_rng_below(&r, (uint32_t)(most - least) + 1);
}

const char *text(const char *fmt, ...)
{
    static char buffers[8][512];
    static int next;
    char *to = buffers[next++ % 8];
    va_list args;
    va_start(args, fmt);
    vsnprintf(to, sizeof buffers[0], fmt, args);
    va_end(args);
    return to;
}

double largest_error(const real *found, const double *expected, size_t count)
{
    double most = 0, error = 0;
    for (size_t i = 0; i < count; i++)
        most = fmax(most, fabs(expected[i]));
    for (size_t i = 0; i < count; i++) {
        double off = fabs((double)found[i] - expected[i]);
        if (!(off <= error))
            error = isnan(off) ? INFINITY : off;
    }
    return error == 0 ? 0 : error / (most > 0 ? most : 1);
}

void check_close(const char *what, const real *found, const double *expected, size_t count, double tolerance)
{
    double error = largest_error(found, expected, count), most = 0;
    if (error <= tolerance)
        return;
    size_t worst = 0;
    for (size_t i = 0; i < count; i++)
        most = fmax(most, fabs(expected[i]));
    for (size_t i = 0; i < count; i++) {
        double off = fabs((double)found[i] - expected[i]), before = fabs((double)found[worst] - expected[worst]);
        if (!(off <= before))
            worst = i;
        if (isnan(off))
            break;
    }
    ck_abort_msg(
        "%s: element %zu of %zu: expected %.9g, found %.9g (error %.3g of the largest value %.3g; allowed %.3g)", what,
        worst, count, expected[worst], (double)found[worst], error, most, tolerance);
}

void check_alike(const char *what, const real *found, const real *expected, size_t count, double tolerance)
{
    double *wide = malloc((count + 1) * sizeof *wide), most = 0;
    ck_assert_ptr_nonnull(wide);
    for (size_t i = 0; i < count; i++) {
        wide[i] = (double)expected[i];
        most = fmax(most, fabs(wide[i]));
    }
    ck_assert_msg(most > 0, "%s: all is zero", what);
    check_close(what, found, wide, count, tolerance);
    free(wide);
}
