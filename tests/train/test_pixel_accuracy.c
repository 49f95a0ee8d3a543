/* Accuracy with a label for each pixel: of the pixels that count, alike in training, evaluation and
 * the best row. */
#include "h5.h"
#include "train_support.h"

#include <math.h>

enum { SAMPLES = 6, SIDE = 4, PLACES = SIDE * SIDE };

#define PIXEL_MODEL                                                                                                    \
    "input: {height: 4, width: 4, channels: 1}\nlayers:\n- {name: c1, conv: {filters: 3, kernel: 3, pad: same}}\n"     \
    "loss: {softmax_ce: {ignore: 1}}\ntrain: {epochs: 1, batch: 4, seed: 3, lr: 0}\n"

/* Sample i has i * 3 pixels that count; the last but one has none. */
static int write_data(const char *path)
{
    uint8_t x[SAMPLES * PLACES];
    int64_t y[SAMPLES * PLACES];
    int counted = 0;
    nm_rng r = nm_rng_stream(1, "test", "pixels");
    for (int i = 0; i < SAMPLES * PLACES; i++) {
        int sample = i / PLACES, place = i % PLACES;
        bool counts = place < 3 * sample && sample != SAMPLES - 2;
        x[i] = (uint8_t)nm_rng_below(&r, 256);
        y[i] = counts ? 2 * (int64_t)nm_rng_below(&r, 2) : place % 2 ? 255 : 1;
        counted += counts;
    }
    nm_h5 *h5;
    ck_assert_done(nm_h5_new(ctx, path, &h5));
    for (int s = 0; s < 2; s++) {
        ck_assert_done(nm_h5_write(h5, s ? "/test/x" : "/train/x", NM_H5_U8, 3, (size_t[]){SAMPLES, SIDE, SIDE}, x));
        ck_assert_done(nm_h5_write(h5, s ? "/test/y" : "/train/y", NM_H5_I64, 3, (size_t[]){SAMPLES, SIDE, SIDE}, y));
    }
    ck_assert_done(nm_h5_save(h5, path, false));
    nm_h5_free(h5);
    return counted;
}

START_TEST(pixels_that_do_not_count)
{
    nm_train_result r;
    nm_evaluation e;
    char setting[600];
    int counted = write_data(in_folder("d.h5")), total = 0;
    snprintf(setting, sizeof setting, "train.data=hdf5:%s", in_folder("d.h5"));
    ck_assert_done(train_with(PIXEL_MODEL, in_folder("run"), false, NULL, SETTINGS(setting), &r));
    const nm_history_row *row = &r.history[0];
    ck_assert_msg(row->train_accuracy == row->test_accuracy, "training %.9g, test %.9g", row->train_accuracy,
                  row->test_accuracy);
    ck_assert_double_eq_tol(row->train_loss, row->test_loss, 1e-6);

    nm_checkpoint *c;
    nm_network *net;
    nm_dataset *data;
    nm_normalisation norm;
    ck_assert_done(nm_checkpoint_open(ctx, in_folder("run/best.h5"), &c));
    ck_assert_done(nm_checkpoint_network(ctx, c, &net));
    ck_assert_done(nm_dataset_open(ctx, nm_settings_of(net)->data, NULL, &data));
    ck_assert_done(nm_dataset_normalisation(ctx, &data->train, &norm));
    ck_assert_done(nm_evaluate(ctx, net, &data->test, 0, 250, &norm, false, &e));
    for (int i = 0; i < e.classes * e.classes; i++)
        total += e.confusion[i];
    ck_assert_int_eq(total, counted);
    ck_assert(e.accuracy == row->test_accuracy && e.accuracy > 0 && e.accuracy < 1);
    nm_evaluation_free(&e);
    nm_normalisation_free(&norm);
    nm_dataset_free(data);
    nm_network_free(net);
    nm_checkpoint_free(c);
    free_result(&r);
}
END_TEST

SUITE_WITH("pixel accuracy", with_folder, pixels_that_do_not_count)
