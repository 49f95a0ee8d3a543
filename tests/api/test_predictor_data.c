/* The network, the data and the images of a predictor are as in its training. */
#include <norma/tools.h>
#include <norma/training.h>

#include "train_support.h"

#include <math.h>
#include <png.h>

static nm_predictor *open_trained(const char *set)
{
    nm_predictor *p;
    nm_train_result r;
    ck_assert_done(train_with(SMALL_MODEL, in_folder("run"), false, NULL, SETTINGS("train.steps=2", set), &r));
    free_result(&r);
    ck_assert_done(nm_predictor_open(ctx, in_folder("run/last.h5"), &p));
    return p;
}

/* Values are those that the predictor makes of the pixels, whatever data it is given; the network
 * is the predictor's own. */
START_TEST(data_as_it_was_trained)
{
    static const char *const settings[] = {"train.binary=false", "train.binary=true"};
    for (int binary = 0; binary < 2; binary++) {
        nm_predictor *p = open_trained(settings[binary]);
        nm_data *data;
        nm_images *images;
        int32_t label, height, width, channels, index = 7;
        double mean, deviation;
        static nm_real values[784], expected[784];
        static uint8_t pixels[784];
        static float outputs[10];
        ck_assert_done(nm_predictor_data(ctx, p, NULL, &data));
        nm_data_shape(data, &height, &width, &channels);
        ck_assert(height == 28 && width == 28 && channels == 1 && nm_data_classes(data) == 10);
        ck_assert(nm_data_count(data, NM_TRAIN_SPLIT) == 400 && nm_data_count(data, NM_TEST_SPLIT) == 120);
        ck_assert(nm_data_labels(data, NM_TRAIN_SPLIT) == 1 && nm_data_labels(data, 2) == 0);
        ck_assert_ptr_nonnull(strstr(nm_data_source(data), "data/mnist"));
        ck_assert_done(nm_images_open(ctx, p, in_folder("data/mnist/t10k-images-idx3-ubyte"), &images));
        ck_assert_done(nm_images_read(ctx, images, index, pixels));
        ck_assert_done(nm_predictor_normalise(ctx, p, 1, pixels, expected));
        ck_assert_done(nm_data_batch(ctx, data, NM_TEST_SPLIT, 1, &index, values, &label, NULL));
        ck_assert_mem_eq(values, expected, sizeof values);
        ck_assert_int_eq(nm_data_normalisation(ctx, data, &mean, &deviation), NM_OK);
        ck_assert(binary == (values[0] == 0 || values[0] == 1));
        nm_data_free(data);
        nm_images_free(images);

        nm_trainer *trainer;
        ck_assert_done(nm_predict_u8(ctx, p, 1, pixels, outputs));
        ck_assert_done(nm_trainer_new(ctx, nm_predictor_network(p), NULL, &trainer));
        ck_assert_done(nm_trainer_predict(trainer, 1, values, expected));
        int best[2] = {0, 0};
        for (int i = 1; i < 10; i++) {
            best[0] = outputs[i] > outputs[best[0]] ? i : best[0];
            best[1] = expected[i] > expected[best[1]] ? i : best[1];
        }
        ck_assert_int_eq(best[0], best[1]);
        nm_trainer_free(trainer);
        ck_assert_int_eq(nm_predictor_data(ctx, p, "no-such-data", &data), NM_INVALID);
        ck_assert(data == NULL && nm_predictor_normalise(ctx, p, 0, pixels, values) == NM_INVALID);
        nm_predictor_free(p);
        remove_tree(in_folder("run"));
    }
}
END_TEST

/* A picture of twice the size becomes the network's; what is no picture is refused in words of its
 * own. */
START_TEST(image_files)
{
    static uint8_t large[56 * 56], pixels[784];
    const char *path = in_folder("large.png"), *text = in_folder("page.png");
    nm_predictor *p = open_trained("train.epochs=1");
    memset(large, 77, sizeof large);
    png_image image = {.version = PNG_IMAGE_VERSION, .width = 56, .height = 56, .format = PNG_FORMAT_GRAY};
    ck_assert(png_image_write_to_file(&image, path, 0, large, 0, NULL));
    ck_assert_done(nm_predictor_read_image(ctx, p, path, pixels));
    ck_assert(pixels[0] == 77 && pixels[783] == 77);
    ck_assert_done(nm_write_file(ctx, text, "<html>", 6));
    ck_assert_int_eq(nm_predictor_read_image(ctx, p, text, pixels), NM_INVALID);
    ck_assert_ptr_nonnull(strstr(nm_error_message(ctx, 0), "it is a page of text"));
    ck_assert_done(nm_write_file(ctx, text, "x", 1)); /* in place of what was there */
    char *bytes;
    size_t size;
    ck_assert_done(nm_file_read(ctx, text, &bytes, &size));
    ck_assert_str_eq(bytes, "x");
    nm_free(bytes);
    ck_assert_int_eq(nm_write_file(ctx, in_folder("no/folder"), "x", 1), NM_FAILED);
    nm_predictor_free(p);
}
END_TEST

START_TEST(names_a_file_of_nan)
{
    nm_predictor *p = open_trained("train.epochs=1"), *broken;
    nm_train_state state = {.optimizer = "none"}; /* a trainer would not save it */
    nm_parameter w = NM_PARAMETER_INIT;
    const char *path = in_folder("broken.h5");
    ck_assert_done(nm_network_parameter(ctx, nm_predictor_network(p), 0, &w));
    w.values[1] = (nm_real)NAN;
    ck_assert_done(nm_checkpoint_save(ctx, path, nm_predictor_network(p), &state));
    ck_assert_int_eq(nm_predictor_open(ctx, path, &broken), NM_DIVERGED);
    ck_assert_msg(strncmp(nm_error_message(ctx, 0), path, strlen(path)) == 0, "%s", nm_error_message(ctx, 0));
    nm_predictor_free(p);
}
END_TEST

SUITE_WITH("a predictor's data", with_folder, data_as_it_was_trained, image_files, names_a_file_of_nan)
