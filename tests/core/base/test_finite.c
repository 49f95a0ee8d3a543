/* NaN and infinity are found wherever they stand. */
#include "finite.h"
#include "run_suite.h"

#include <math.h>

START_TEST(every_place)
{
    enum { MOST = 70 };
    const double bad[] = {(double)NAN, (double)INFINITY, (double)-INFINITY};
    real values[MOST];
    for (int i = 0; i < MOST; i++)
        values[i] = (real)(i % 2 ? -1e36 : 1e-40) * (real)i;
    values[0] = (real)0;
    for (size_t count = 0; count <= MOST; count++) {
        ck_assert(nm_all_finite(values, count));
        for (size_t at = 0; at < count; at++)
            for (int k = 0; k < 3; k++) {
                real good = values[at];
                values[at] = (real)bad[k];
                ck_assert(!nm_all_finite(values, count));
                values[at] = good;
            }
    }
}
END_TEST

SUITE("finite", every_place)
