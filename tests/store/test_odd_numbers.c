/* Numbers of a checkpoint that every command reads. */
#include "checkpoint_support.h"
#include "h5.h"

#include <float.h>

/* Saves a checkpoint with these and opens it. */
static nm_status open_with(double mean, double deviation, uint64_t step, nm_checkpoint **c)
{
    saved s = make_saved();
    s.state.normalisation = (nm_normalisation){.channels = 1, .mean = &mean, .deviation = &deviation};
    s.state.step = step;
    ck_assert_done(nm_checkpoint_save(ctx, in_folder("a.h5"), s.net, &s.state));
    free_saved(&s);
    return nm_checkpoint_open(ctx, in_folder("a.h5"), c);
}

/* What every command reads of a checkpoint is looked at when it is opened. */
START_TEST(odd_numbers_at_opening)
{
    static const struct {
        double mean, deviation;
        uint64_t step;
        const char *words[3];
    } table[] = {
        {0, 1, ((uint64_t)1 << 63) + 5, {"/train/step is 9223372036854775813", "2^53"}},
        {(double)NAN, 1, 1, {"/train/mean is nan", "channel 0"}},
        {(double)-INFINITY, 1, 1, {"/train/mean is -inf"}},
        {1e300, 1, 1, {"/train/mean is 1e+300"}},
        {0, 0, 1, {"/train/deviation is 0"}},
        {0, -1, 1, {"/train/deviation is -1"}},
        {0, (double)NAN, 1, {"/train/deviation is nan"}},
        {0, (double)INFINITY, 1, {"/train/deviation is inf"}},
        {0, 1e-300, 1, {"/train/deviation is 1e-300"}},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        nm_checkpoint *c = (nm_checkpoint *)1;
        ck_assert_int_eq(open_with(table[i].mean, table[i].deviation, table[i].step, &c), NM_INVALID);
        ck_assert_ptr_null(c);
        assert_message(table[i].words);
        nm_errors_clear(ctx);
    }
}
END_TEST

/* The last that are taken. */
START_TEST(largest_and_smallest_numbers)
{
    static const double mean[] = {(double)FLT_MAX, -(double)FLT_MAX}, deviation[] = {(double)FLT_MIN, (double)FLT_MAX};
    const uint64_t step = (uint64_t)1 << 53;
    for (int i = 0; i < 2; i++) {
        nm_checkpoint *c;
        ck_assert_done(open_with(mean[i], deviation[i], step, &c));
        ck_assert_uint_eq(nm_checkpoint_step(c), step);
        nm_checkpoint_free(c);
    }
}
END_TEST

SUITE_WITH("odd numbers", with_folder, odd_numbers_at_opening, largest_and_smallest_numbers)
