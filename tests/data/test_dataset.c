/* Finding data sets, the generated digits, exact means and deviations. */
#include "data_support.h"
#include "digest.h"

#include <math.h>

static void write_set(const char *where)
{
    static const char *const stems[] = {"train", "t10k"};
    unsigned char images[16 + 8] = {0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 2, 0, 0, 0, 2, 1, 2, 3, 4};
    unsigned char labels[8 + 2] = {0, 0, 8, 1, 0, 0, 0, 2, 3, 9};
    char path[256];
    ck_assert_int_eq(mkdir(where, 0777), 0);
    for (int i = 0; i < 2; i++) {
        snprintf(path, sizeof path, "%s/%s-images-idx3-ubyte", where, stems[i]);
        write_bytes(path, images, sizeof images);
        snprintf(path, sizeof path, "%s/%s-labels-idx1-ubyte", where, stems[i]);
        write_bytes(path, labels, sizeof labels);
    }
}

START_TEST(places)
{
    nm_dataset *d;
    ck_assert_refused(nm_dataset_open(ctx, "mnist", NULL, &d), NM_INVALID, "data set mnist was not found",
                      "$NORMA_DATA (not set)", "/.local/share/norma/mnist", "/usr/share/datasets/mnist",
                      "datasets/fetch-mnist");
    ck_assert_int_eq(system("mkdir -p .local/share/norma x/norma n"), 0);
    static const char *const where[] = {".local/share/norma/mnist", "x/norma/mnist", "n/mnist"};
    for (int i = 0; i < 3; i++) { /* each stands before the one before */
        write_set(where[i]);
        if (i == 1)
            setenv("XDG_DATA_HOME", "x", 1);
        if (i == 2)
            setenv("NORMA_DATA", "n", 1);
        ck_assert_done(nm_dataset_open(ctx, "mnist", NULL, &d));
        ck_assert_msg(strstr(d->found, where[i]) != NULL, "found %s, expected %s", d->found, where[i]);
        ck_assert_int_eq(d->train.labels[1], 9);
        nm_dataset_free(d);
    }
    write_set("own");
    ck_assert_done(nm_dataset_open(ctx, "fashion-mnist:own", NULL, &d));
    ck_assert_str_eq(d->class_names[9], "Ankle boot");
    nm_dataset_free(d);
    ck_assert_refused(nm_dataset_open(ctx, "mnits", NULL, &d), NM_INVALID, "unknown data set 'mnits'", "mnist");
    write_bytes("own/t10k-labels-idx1-ubyte", "\0\0\10\1\0\0\0\2\3\12", 10);
    ck_assert_refused(nm_dataset_open(ctx, "mnist:own", NULL, &d), NM_INVALID, "test sample 1 has label 10",
                      "expected 0 to 9");
    write_bytes("own/t10k-images-idx3-ubyte", "\0\0\10\3\0\0\0\2\0\0\0\1\0\0\0\2\1\2\3\4", 20);
    ck_assert_refused(nm_dataset_open(ctx, "mnist:own", NULL, &d), NM_INVALID, "training images are", "test images");
}
END_TEST

/* The generated digits are the same on every machine: their digest stands here. */
START_TEST(digits)
{
    nm_dataset *d;
    char text[NM_DIGEST_SIZE];
    int count[10] = {0};
    ck_assert_done(nm_dataset_open(ctx, "digits", NULL, &d));
    ck_assert(d->train.count == 10000 && d->test.count == 2000 && d->classes == 10);
    for (int i = 0; i < d->train.count; i++)
        count[d->train.labels[i]]++;
    for (int k = 0; k < 10; k++)
        ck_assert_msg(count[k] > 850 && count[k] < 1150, "class %d: %d samples", k, count[k]);
    nm_bytes blocks[] = {{d->train.pixels, 10000 * 784}, {d->test.pixels, 2000 * 784}};
    nm_digest(blocks, 2, text);
    ck_assert_str_eq(text, "2607dec2dcd96849fd63922630d7a0d03c2e586621573b171f9d310dfb5edcd8");
    nm_dataset_free(d);
}
END_TEST

/* Every digit appears, most pixels are background, bright pixels belong to digits; the same ones on
 * every machine. */
START_TEST(digit_scenes)
{
    nm_dataset *d;
    char text[NM_DIGEST_SIZE];
    int count[11] = {0};
    ck_assert_done(nm_dataset_open(ctx, "digit-scenes", NULL, &d));
    ck_assert(d->train.pixel_labels && d->classes == 11 && d->train.count == 3000 && d->test.count == 500);
    ck_assert_str_eq(d->class_names[10], "9");
    for (int i = 0; i < 500 * 48 * 48; i++) {
        count[d->test.labels[i]]++;
        ck_assert(d->test.labels[i] > 0 || d->test.pixels[i] < 160);
    }
    ck_assert_int_gt(count[0], 500 * 48 * 48 / 2);
    for (int k = 1; k < 11; k++)
        ck_assert_int_gt(count[k], 5000);
    nm_digest((nm_bytes[]){{d->test.pixels, 500 * 48 * 48}, {d->test.labels, 500 * 48 * 48 * sizeof(int32_t)}}, 2,
              text);
    ck_assert_str_eq(text, "62ec620ff524e245b7a1759fd27457250b665cbcb41342c3684a2643c78e64a5");
    nm_dataset_free(d);
}
END_TEST

START_TEST(mean_and_deviation)
{
    enum { COUNT = 5, H = 3, W = 2, C = 3 };
    uint8_t pixels[COUNT * H * W * C];
    double mean[C] = {0}, deviation[C] = {0};
    nm_rng r = nm_rng_stream(1, "test", "pixels");
    for (size_t i = 0; i < sizeof pixels; i++)
        pixels[i] = i % C == 1 ? 77 : (uint8_t)nm_rng_below(&r, 256); /* the second channel is constant */
    for (size_t i = 0; i < sizeof pixels; i++)
        mean[i % C] += pixels[i] / 255.0 / (COUNT * H * W);
    for (size_t i = 0; i < sizeof pixels; i++)
        deviation[i % C] += pow(pixels[i] / 255.0 - mean[i % C], 2) / (COUNT * H * W);
    nm_normalisation n;
    ck_assert_done(nm_dataset_normalisation(ctx, &(nm_samples){COUNT, {H, W, C}, pixels, NULL}, &n));
    ck_assert_int_eq(n.channels, C);
    for (int c = 0; c < C; c++) {
        ck_assert_double_eq_tol(n.mean[c], mean[c], 1e-14);
        ck_assert_double_eq_tol(n.deviation[c], c == 1 ? 1 : sqrt(deviation[c]), 1e-13);
    }
    nm_normalisation_free(&n);
}
END_TEST

/* The sums of many pixels are exact: as of one value at a time, for any number of channels and of
 * pixels. */
START_TEST(mean_and_deviation_of_many)
{
    static const nm_shape shapes[] = {{64, 64, 1}, {5, 3, 2},  {32, 32, 3}, {1, 1, 4},  {7, 1, 8},
                                      {3, 3, 9},   {1, 1, 40}, {2, 2, 128}, {1, 2, 200}};
    static const int counts[] = {300, 77, 40, 15, 33, 20, 5, 30, 3}; /* the first: more than one block of 2^20 pixels */
    nm_rng r = nm_rng_stream(1, "test", "pixels");
    for (size_t k = 0; k < sizeof shapes / sizeof *shapes; k++) {
        nm_samples samples = {.count = counts[k], .shape = shapes[k]};
        size_t pixels = (size_t)counts[k] * (size_t)(shapes[k].h * shapes[k].w), size = pixels * (size_t)shapes[k].c;
        samples.pixels = malloc(size); /* its own, so that reading beyond is seen */
        for (size_t i = 0; i < size; i++)
            samples.pixels[i] = k == 0 && i % 50 ? 255 : (uint8_t)nm_rng_bits(&r);
        nm_normalisation n;
        ck_assert_done(nm_dataset_normalisation(ctx, &samples, &n));
        ck_assert_int_eq(n.channels, shapes[k].c);
        for (int c = 0; c < n.channels; c++) {
            uint64_t sum = 0, squares = 0;
            for (size_t i = (size_t)c; i < size; i += (size_t)shapes[k].c) {
                sum += samples.pixels[i];
                squares += (uint64_t)samples.pixels[i] * samples.pixels[i];
            }
            double mean = (double)sum / (double)pixels, square = (double)squares - (double)sum * mean;
            ck_assert(n.mean[c] == mean / 255);
            ck_assert(n.deviation[c] == sqrt(square / (double)pixels) / 255);
        }
        nm_normalisation_free(&n);
        free(samples.pixels);
    }
}
END_TEST

SUITE_WITH("data sets", in_own_folder, places, digits, digit_scenes, mean_and_deviation, mean_and_deviation_of_many)
