/* More than eight channels through training, checkpoint and prediction; and what has no mean and
 * deviation is refused.
 */
#include "parse.h"
#include "train_support.h"

#include "h5.h"

#include <math.h>

enum { N = 24, SIDE = 4, C = 10, SIZE = SIDE * SIDE * C };

static uint8_t pixels[N * SIZE];

static const char *const model_format =
    "input: {height: 4, width: 4, channels: 10}\nlayers:\n- {name: c1, conv: {filters: 3, kernel: 1}}\n- gap\n"
    "- {name: l, dense: {units: 2}}\nloss: softmax_ce\n"
    "train: {data: 'hdf5:%s', epochs: 2, batch: 8, lr: 0.1%s}\n";

/* Each channel has a mean and a deviation of its own. */
static void write_data(const char *path)
{
    int64_t labels[N];
    nm_h5 *h5;
    nm_rng r = nm_rng_stream(1, "test", "pixels");
    for (int i = 0; i < N * SIZE; i++)
        pixels[i] = (uint8_t)(20 * (i % C) + (int)nm_rng_below(&r, (uint32_t)(2 + 5 * (i % C))));
    for (int i = 0; i < N; i++)
        labels[i] = i % 2;
    ck_assert_done(nm_h5_new(ctx, path, &h5));
    for (int split = 0; split < 2; split++) {
        const size_t dims[] = {N, SIDE, SIDE, C};
        ck_assert_done(nm_h5_write(h5, split ? "/test/x" : "/train/x", NM_H5_U8, 4, dims, pixels));
        ck_assert_done(nm_h5_write(h5, split ? "/test/y" : "/train/y", NM_H5_I64, 1, dims, labels));
    }
    ck_assert_done(nm_h5_save(h5, path, false));
    nm_h5_free(h5);
}

static nm_predictor *trained(const char *run, const char *more)
{
    char text[512];
    nm_model *model;
    nm_training how = NM_TRAINING_INIT;
    nm_predictor *p;
    snprintf(text, sizeof text, model_format, in_folder("data.h5"), more);
    ck_assert_done(nm_model_parse(ctx, text, &model));
    how.run = in_folder(run);
    ck_assert_done(nm_model_train(ctx, model, &how, NULL));
    nm_model_free(model);
    char path[64];
    snprintf(path, sizeof path, "%s/last.h5", run);
    ck_assert_done(nm_predictor_open(ctx, in_folder(path), &p));
    return p;
}

static double mean_of(int c)
{
    double sum = 0;
    for (int i = c; i < N * SIZE; i += C)
        sum += pixels[i] / 255.0;
    return sum / (N * SIDE * SIDE);
}

static double deviation_of(int c)
{
    double sum = 0;
    for (int i = c; i < N * SIZE; i += C)
        sum += pow(pixels[i] / 255.0 - mean_of(c), 2);
    return sqrt(sum / (N * SIDE * SIDE));
}

/* Pixels are normalised as they were in training: each channel, also the ninth, by its own mean and
 * deviation. */
START_TEST(ten_channels)
{
    write_data(in_folder("data.h5"));
    nm_predictor *p = trained("run", "");
    static float values[N * SIZE], by_pixels[N * 2], by_values[N * 2];
    double mean[C], deviation[C];
    for (int c = 0; c < C; c++) {
        mean[c] = mean_of(c);
        deviation[c] = deviation_of(c);
    }
    for (int i = 0; i < N * SIZE; i++)
        values[i] = (float)((pixels[i] / 255.0 - mean[i % C]) / deviation[i % C]);
    ck_assert_done(nm_predict_u8(ctx, p, N, pixels, by_pixels));
    ck_assert_done(nm_predict_f32(ctx, p, N, values, by_values));
    for (int i = 0; i < 2 * N; i++)
        ck_assert_double_eq_tol((double)by_pixels[i], (double)by_values[i], 1e-5);
    nm_score score = NM_SCORE_INIT;
    ck_assert_done(nm_predictor_score(ctx, p, NULL, &score));
    ck_assert_int_eq(score.samples, N);
    nm_score_free(&score);
    nm_predictor_free(p);
}
END_TEST

/* A checkpoint of parameters only: values are taken, pixels are refused, and with `binary` nothing
 * needs to be known.
 */
START_TEST(unknown_mean_and_deviation)
{
    static float out[2];
    write_data(in_folder("data.h5"));
    for (int binary = 0; binary < 2; binary++) {
        char text[512];
        nm_network *net;
        nm_strings none = {0};
        nm_predictor *p;
        snprintf(text, sizeof text, model_format, in_folder("data.h5"), binary ? ", binary: true" : "");
        ck_assert_done(nm_network_build(ctx, parse_model(text), &none, &net));
        nm_network_initialise(net, 1);
        ck_assert_done(nm_checkpoint_save(ctx, in_folder("bare.h5"), net, NULL));
        ck_assert_done(nm_predictor_open(ctx, in_folder("bare.h5"), &p));
        static const float values[SIZE];
        ck_assert_done(nm_predict_f32(ctx, p, 1, values, out));
        ck_assert_int_eq(nm_predict_u8(ctx, p, 1, pixels, out), binary ? NM_OK : NM_INVALID);
        if (!binary)
            assert_message(WORDS("not known", "parameters only"));
        nm_score score = NM_SCORE_INIT;
        ck_assert_int_eq(nm_predictor_score(ctx, p, NULL, &score), binary ? NM_OK : NM_INVALID);
        nm_score_free(&score);
        nm_errors_clear(ctx);
        nm_predictor_free(p);
        nm_network_free(net);
    }
}
END_TEST

SUITE_WITH("channels", with_folder, ten_channels, unknown_mean_and_deviation)
