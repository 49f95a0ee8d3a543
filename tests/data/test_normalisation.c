/* What pixels become: each channel by its own mean and deviation, however many there are. */
#include "data_support.h"

#include <math.h>

START_TEST(each_channel_by_its_own)
{
    static const int channels[] = {1, 3, 8, 9, 10, 200};
    for (size_t k = 0; k < sizeof channels / sizeof *channels; k++) {
        int count = channels[k];
        size_t size = (size_t)count * 7;
        nm_normalisation n, copy;
        real *table, *x = malloc(size * sizeof *x);
        uint8_t *pixels = malloc(size);
        ck_assert_done(nm_normalisation_init(ctx, count, &n));
        for (int c = 0; c < count; c++) {
            n.mean[c] = 0.001 * c;
            n.deviation[c] = 1 + c;
        }
        for (size_t i = 0; i < size; i++)
            pixels[i] = (uint8_t)(i * 37);
        ck_assert_done(nm_normalisation_copy(ctx, &n, &copy));
        ck_assert(nm_normalisation_same(&n, &copy));
        ck_assert_done(nm_pixel_table_new(ctx, &copy, count, false, &table));
        nm_normalise(table, count, pixels, size, x);
        for (size_t i = 0; i < size; i++) {
            size_t c = i % (size_t)count;
            ck_assert((double)x[i] == (double)(real)((pixels[i] / 255.0 - n.mean[c]) / n.deviation[c]));
        }
        copy.deviation[count - 1] += 1;
        ck_assert(!nm_normalisation_same(&n, &copy));
        nm_normalisation_free(&n);
        nm_normalisation_free(&copy);
        nm_free(table);
        free(pixels);
        free(x);
    }
}
END_TEST

START_TEST(not_known_is_not_guessed)
{
    nm_normalisation none = {0}, three;
    real *table, x[2];
    ck_assert_done(nm_normalisation_init(ctx, 3, &three));
    ck_assert_refused(nm_pixel_table_new(ctx, &none, 3, false, &table), NM_INVALID, "not known", "parameters only");
    ck_assert_refused(nm_pixel_table_new(ctx, &three, 4, false, &table), NM_INVALID, "3 channels", "have 4");
    ck_assert_done(nm_pixel_table_new(ctx, &none, 1, true, &table));
    nm_normalise(table, 1, (const uint8_t[]){127, 128}, 2, x);
    ck_assert(x[0] == 0 && x[1] == 1);
    nm_free(table);
    nm_normalisation_free(&three);
}
END_TEST

SUITE_WITH("normalisation", in_own_folder, each_channel_by_its_own, not_known_is_not_guessed)
