/* tools.h: the report of an evaluation is the score's, class by class; images come from files as
 * from memory. */
#include <norma/tools.h>

#include "train_support.h"

#include <math.h>

static nm_predictor *open_small(void)
{
    nm_predictor *p;
    nm_train_result r;
    ck_assert_done(train_with(SMALL_MODEL, in_folder("run"), false, NULL, SETTINGS("train.epochs=1"), &r));
    free_result(&r);
    ck_assert_done(nm_predictor_open(ctx, in_folder("run/last.h5"), &p));
    return p;
}

START_TEST(what_it_is)
{
    nm_predictor *p = open_small();
    ck_assert_str_eq(nm_predictor_file(p), in_folder("run/last.h5"));
    ck_assert(nm_predictor_step(p) == 10 && nm_predictor_epoch(p) == 1);
    ck_assert_str_eq(nm_predictor_class_name(p, 3), "3");
    ck_assert(!nm_predictor_class_name(p, 10) && !nm_predictor_class_name(p, -1));
    ck_assert_done(nm_predictor_check_classifier(ctx, p));
    nm_predictor_free(p);
}
END_TEST

START_TEST(report_is_the_score)
{
    nm_predictor *p = open_small();
    nm_report *report, *half;
    nm_score score = NM_SCORE_INIT;
    uint64_t samples = 0, right = 0, predicted = 0;
    ck_assert_done(nm_predictor_score(ctx, p, NULL, &score));
    ck_assert_done(nm_predictor_evaluate(ctx, p, NULL, 0, 7, &report));
    ck_assert(nm_report_samples(report) == score.samples && nm_report_classes(report) == 10);
    ck_assert(fabs(nm_report_loss(report) - score.loss) < 1e-12 && nm_report_accuracy(report) == score.accuracy);
    ck_assert_int_eq(memcmp(nm_report_confusion(report), score.confusion, 100 * sizeof(int)), 0);
    ck_assert_int_ge(nm_report_most_confused(), 10);
    for (int c = 0; c < 10; c++) {
        nm_class_score one;
        nm_report_class(report, c, &one);
        ck_assert(one.right == (uint64_t)score.confusion[11 * c]);
        samples += one.samples;
        right += one.right;
        predicted += one.predicted;
    }
    ck_assert(samples == (uint64_t)score.samples && predicted == samples);
    ck_assert(nm_report_accuracy(report) == (double)right / (double)samples);
    ck_assert_str_eq(nm_report_class_name(report, 9), "9");
    ck_assert(!nm_report_class_name(report, 10) && !nm_report_class_name(report, -1));
    ck_assert_done(nm_predictor_evaluate(ctx, p, NULL, score.samples / 2, 0, &half));
    ck_assert_int_eq(nm_report_samples(half), score.samples / 2);
    nm_report_free(half);
    ck_assert_int_eq(nm_predictor_evaluate(ctx, p, "no-such-data", 0, 0, &half), NM_INVALID);
    ck_assert(half == NULL && nm_error_count(ctx) > 0);
    nm_report_free(report);
    nm_score_free(&score);
    nm_predictor_free(p);
}
END_TEST

/* An IDX file of two images of the network's size. */
START_TEST(images_of_a_file)
{
    static uint8_t file[16 + 2 * 784] = {0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 28, 0, 0, 0, 28}, pixels[784];
    const char *path = in_folder("two.idx");
    nm_predictor *p = open_small();
    nm_images *images;
    for (int i = 0; i < 2 * 784; i++)
        file[16 + i] = (uint8_t)(i * 7);
    FILE *f = fopen(path, "wb");
    ck_assert(f && fwrite(file, 1, sizeof file, f) == sizeof file && fclose(f) == 0);
    ck_assert_done(nm_images_open(ctx, p, path, &images));
    ck_assert_int_eq(nm_images_count(images), 2);
    for (int i = 0; i < 2; i++) {
        char name[1024];
        snprintf(name, sizeof name, "%s[%d]", path, i);
        ck_assert_str_eq(nm_images_name(images, i), name);
        ck_assert_done(nm_images_read(ctx, images, i, pixels));
        ck_assert_int_eq(memcmp(pixels, file + 16 + 784 * i, 784), 0);
    }
    ck_assert_int_eq(nm_images_read(ctx, images, 2, pixels), NM_INVALID);
    nm_images_free(images);
    ck_assert_int_eq(nm_images_open(ctx, p, in_folder("run/model.yaml"), &images), NM_INVALID);
    ck_assert_msg(strstr(nm_error_message(ctx, 0), nm_image_formats()), "%s", nm_error_message(ctx, 0));
    ck_assert_int_eq(nm_images_open(ctx, p, in_folder("none.png"), &images), NM_INVALID);
    nm_predictor_free(p);
}
END_TEST

SUITE_WITH("tools", with_folder, what_it_is, report_is_the_score, images_of_a_file)
