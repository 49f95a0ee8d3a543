/* norma eval and norma predict: of the right classes, in the right words, of the file that was
 * meant. */
#include "program.h"

#include <math.h>
#include <png.h>

/* An image of 8x8 with a bright bar: at the top, on the left, in the middle. Three classes that are
 * learnt in a few steps. */
static void write_bar(const char *path, int place, int number)
{
    uint8_t pixels[64];
    for (int i = 0; i < 64; i++) {
        int y = i / 8, x = i % 8;
        bool on = place == 0 ? y < 3 : place == 1 ? x < 3 : y >= 3 && y < 6 && x >= 3 && x < 6;
        pixels[i] = (uint8_t)(on ? 255 : (i * 7 + number * 13) % 60);
    }
    png_image image = {.version = PNG_IMAGE_VERSION, .width = 8, .height = 8, .format = PNG_FORMAT_GRAY};
    ck_assert(png_image_write_to_file(&image, path, 0, pixels, 0, NULL));
}

static void write_class(const char *set, const char *name, int place)
{
    static const char *const splits[] = {"train", "test"};
    for (int s = 0; s < 2; s++) {
        char path[256];
        shell("mkdir -p %s/%s/%s", set, splits[s], name);
        for (int i = 0; i < (s ? 4 : 12); i++) {
            snprintf(path, sizeof path, "%s/%s/%s/%02d.png", set, splits[s], name, i);
            write_bar(path, place, i + 20 * s);
        }
    }
}

static void write_set(void)
{
    write_class("set", "bird", 0);
    write_class("set", "cat", 1);
    write_class("set", "dog", 2);
}

#define HEAD                                                                                                           \
    "name: bars\ninput: {height: 8, width: 8, channels: 1}\nlayers:\n- {name: c1, conv: {filters: 4, kernel: 3, pad: " \
    "same}}\n- relu\n- {name: logits, dense: {units: 3}}\n"
#define TRAIN "train: {data: \"images:set\", epochs: 8, batch: 6, lr: 0.1}\n"

static void train_bars_with(const char *run, const char *rest, const char *flags)
{
    char text[2048];
    snprintf(text, sizeof text, HEAD "%s" TRAIN, rest);
    write_text("m.yaml", text);
    expect(0, "norma train m.yaml --run %s %s", run, flags);
}
static void train_bars(const char *run, const char *rest)
{
    train_bars_with(run, rest, "");
}

static double accuracy_of(const char *how)
{
    json_t *e = parse_json(expect(0, "norma eval r --json %s", how).out);
    double accuracy = number_at(e, "accuracy");
    json_decref(e);
    return accuracy;
}

/* A folder that lacks the first class, and one that has them in another order by an uncommon name.
 */
START_TEST(classes_match_by_name)
{
    write_set();
    train_bars("r", "loss: softmax_ce\n");
    ck_assert(accuracy_of("") == 1);
    write_class("fewer", "cat", 1);
    write_class("fewer", "dog", 2);
    ck_assert(accuracy_of("--data images:fewer") == 1);
    json_t *e = parse_json(expect(0, "norma eval r --json --data images:fewer").out),
           *classes = json_object_get(e, "per_class");
    ck_assert_uint_eq(json_array_size(classes), 3);
    ck_assert_str_eq(text_at(entry_of(classes, 1), "class"), "cat");
    ck_assert(number_at(entry_of(classes, 1), "samples") == 4 && number_at(entry_of(classes, 0), "samples") == 0);
    json_decref(e);
    write_class("more", "ape", 1);
    write_class("more", "cat", 1);
    write_class("more", "yak", 2);
    said s = expect(2, "norma eval r --data images:more");
    contains(
        s.err,
        "2 classes that the network was not trained on: 'ape', 'yak'; the network's 3 classes: 'bird', 'cat', 'dog'");
    ck_assert_str_eq(s.out, "");
    contains(expect(2, "norma eval r --data digits").err, "not trained on");
}
END_TEST

START_TEST(statistics_match_classes_too)
{
    write_set();
    train_bars("r", "- batchnorm\nloss: softmax_ce\n");
    write_class("more", "ape", 1);
    write_class("more", "cat", 1);
    contains(expect(2, "norma bn-report r --data images:more").err, "not trained on: 'ape'");
    contains(expect(2, "norma recalibrate r --data images:more").err, "not trained on: 'ape'");
    contains(expect(2, "norma visualize r --data images:more").err, "not trained on: 'ape'");
    said s = expect(0, "norma bn-report r");
    contains(s.err, "norma: r/best.h5, step ");
    json_t *j = parse_json(expect(0, "norma recalibrate r/last.h5 --json").out);
    ck_assert_str_eq(text_at(j, "checkpoint"), "r/last.h5");
    ck_assert(number_at(j, "step") == 48);
    json_decref(j);
}
END_TEST

/* What is reported of the three classes of one image, in the order bird, cat, dog. */
static void predict_bird(const char *key, double reported[3])
{
    static const char *const names[] = {"bird", "cat", "dog"};
    json_t *p = parse_json(expect(0, "norma predict r set/test/bird/00.png --json").out),
           *top = json_object_get(p, "top");
    ck_assert_uint_eq(json_array_size(top), 3);
    for (size_t i = 0; i < 3; i++)
        for (int c = 0; c < 3; c++)
            if (strcmp(text_at(entry_of(top, i), "class"), names[c]) == 0)
                reported[c] = number_at(entry_of(top, i), key);
    json_decref(p);
}

START_TEST(probabilities_or_scores)
{
    double plain[3], twice[3], p[3];
    write_set();
    train_bars("r", "loss: softmax_ce\n");
    predict_bird("probability", plain);
    ck_assert_double_eq_tol(plain[0] + plain[1] + plain[2], 1, 1e-5);
    said s = expect(0, "norma predict r set/test/bird/00.png");
    contains(s.out, "set/test/bird/00.png: bird 0.");
    ck_assert(!strstr(s.out, "score"));

    expect(0, "rm -r r");
    train_bars("r", "- {name: p, softmax: {}}\nloss: {softmax_ce: {}, from: logits}\noutput: p\n");
    predict_bird("probability", twice);
    for (int c = 0; c < 3; c++)
        ck_assert_double_eq_tol(plain[c], twice[c], 1e-5);
    ck_assert(accuracy_of("") == 1);

    static const char *const applied[] = {"focal", "sigmoid_ce"};
    for (int i = 0; i < 2; i++) {
        expect(0, "rm -r r");
        char loss[64];
        snprintf(loss, sizeof loss, "loss: %s\n", applied[i]);
        train_bars("r", loss);
        predict_bird("probability", p);
        for (int c = 0; c < 3; c++)
            ck_assert(p[c] > 0 && p[c] < 1);
        if (i == 0)
            ck_assert_double_eq_tol(p[0] + p[1] + p[2], 1, 1e-5);
    }
    static const char *const values[] = {"hinge", "mse", "l1", "smooth_l1"};
    for (int i = 0; i < 4; i++) {
        expect(0, "rm -r r");
        char loss[64];
        snprintf(loss, sizeof loss, "loss: %s\n", values[i]);
        train_bars_with("r", loss, "--lr 0.01"); /* squared errors of 256 inputs diverge at 0.1 */
        predict_bird("score", p);
        contains(expect(0, "norma predict r set/test/bird/00.png").out, " score ");
    }
}
END_TEST

/* Features are no scores of classes, whether they are as many or not. */
START_TEST(output_that_no_loss_judges)
{
    write_set();
    static const char *const outputs[] = {"c1", "f", "input"};
    for (int i = 0; i < 3; i++) {
        char rest[256];
        snprintf(rest, sizeof rest,
                 "- {name: f, dense: {units: 3}, from: c1}\nloss: {softmax_ce: {}, from: logits}\noutput: %s\n",
                 outputs[i]);
        train_bars("r", rest);
        contains(read_text("r/metrics.csv"), ",nan,");
        said s = expect(0, "norma eval r");
        contains(s.out, "12 samples: loss ");
        ck_assert(!strstr(s.out, "accuracy"));
        contains(s.err, "no loss judges it, so no accuracy is counted");
        json_t *e = parse_json(expect(0, "norma eval r --json").out);
        ck_assert(json_is_null(json_object_get(e, "accuracy")));
        json_decref(e);
        contains(expect(2, "norma predict r set/test/bird/00.png").err, "is not a score for each class");
        expect(0, "rm -r r");
    }
}
END_TEST

START_TEST(says_what_it_reads)
{
    write_set();
    train_bars("r", "loss: softmax_ce\n");
    said s = expect(0, "norma eval r/last.h5");
    ck_assert_str_eq(s.err, "norma: r/last.h5, step 48 (epoch 8)\n");
    s = expect(0, "norma predict r set/test/bird/00.png");
    contains(s.err, "norma: r/best.h5, step ");
    s = expect(0, "norma predict r/last.h5 set/test/bird/00.png --json");
    ck_assert_str_eq(s.err, "");
    json_t *p = parse_json(s.out);
    ck_assert_str_eq(text_at(p, "checkpoint"), "r/last.h5");
    ck_assert(number_at(p, "step") == 48);
    json_decref(p);
    json_t *e = parse_json(expect(0, "norma eval r/last.h5 --json").out);
    ck_assert_str_eq(text_at(e, "checkpoint"), "r/last.h5");
    ck_assert(number_at(e, "step") == 48);
    json_decref(e);
}
END_TEST

/* 0 of 0 is no number. */
START_TEST(nothing_to_divide_by)
{
    write_set();
    train_bars("r", "loss: softmax_ce\n");
    write_class("one", "cat", 1);
    write_class("one", "dog", 1); /* cats, to the network */
    said s = expect(0, "norma eval r --data images:one");
    ck_assert_msg(!strstr(s.out, "nan"), "%s", s.out);
    contains(s.out, "bird                    0          -          -");
    contains(s.out, "dog                     4     0.00 %          -");
}
END_TEST

START_TEST(paths_of_the_run)
{
    expect(0, "mkdir a");
    ck_assert_int_eq(chdir("a"), 0);
    write_set();
    train_bars("r", "loss: softmax_ce\n");
    ck_assert_int_eq(chdir(".."), 0);
    said s = expect(2, "norma eval a/r");
    contains(
        s.err,
        "images:set: the network was trained on it; the path is relative to the folder that training was started in");
    contains(s.err, "--data images:PATH");
    expect(0, "norma eval a/r --data images:a/set");
}
END_TEST

/* Finite weights whose outputs overflow: the first loss is not finite, and last.h5 holds the start.
 */
START_TEST(no_class_of_what_is_no_number)
{
    write_set();
    write_text("m.yaml", HEAD
               "- {name: big, dense: {units: 3, init: normal, init_value: 1.0e+30}}\n"
               "- {name: bigger, dense: {units: 3, init: normal, init_value: 1.0e+30}}\nloss: {hinge: {}}\n" TRAIN);
    expect(3, "norma train m.yaml --run big");
    said s = expect(3, "norma eval big/last.h5");
    contains(s.err, "the network yields NaN or infinity for 12 of 12 samples");
    ck_assert_str_eq(s.out, "");
    s = expect(3, "norma predict big/last.h5 set/test/bird/00.png set/test/cat/00.png --json");
    contains(s.err, "set/test/cat/00.png: the network yields NaN or infinity");
    contains(s.out, "\"class\":null");
    contains(s.out, "\"score\":null");
    contains(expect(3, "norma predict big/last.h5 set/test/bird/00.png").out, "set/test/bird/00.png: no class");
}
END_TEST

START_TEST(newcomers)
{
    write_set();
    train_bars("r", "loss: softmax_ce\n");
    expect(0, "mkdir empty");
    contains(expect(2, "norma eval empty").err,
             "empty: a folder without best.h5 or last.h5: expected a checkpoint or the folder of a run");
    contains(expect(2, "norma eval nothere").err, "nothere: No such file or directory: expected a checkpoint");
    contains(expect(2, "norma eval m.yaml").err, "m.yaml: a model file, which holds no trained weights");
    contains(expect(2, "norma recalibrate r --output empty").err, "--output empty: a folder");
    contains(expect(2, "norma recalibrate r --output no/x.h5").err, "--output no/x.h5: no/: No such file");
    contains(expect(2, "norma predict r ''").err, "a FILE without a name");
    contains(expect(2, "norma predict r set").err, "set: a folder; name the images in it, as set/*");
    contains(expect(2, "norma predict r -").err, "not from standard input");
    contains(expect(2, "norma predict r").err, "which FILEs?");
    contains(expect(0, "norma predict r set/test/cat/00.png --top 9").err, "--top 9: the network has 3 classes");
    /* one bad file does not hide the others */
    said s = expect(2, "norma predict r set/test/cat/00.png m.yaml set/test/dog/00.png");
    contains(s.out, "set/test/cat/00.png: cat");
    contains(s.out, "set/test/dog/00.png: dog");
    contains(s.err, "m.yaml: expected a PNG");
}
END_TEST

SUITE_WITH("predict", in_own_folder, classes_match_by_name, statistics_match_classes_too, probabilities_or_scores,
           output_that_no_loss_judges, says_what_it_reads, nothing_to_divide_by, paths_of_the_run,
           no_class_of_what_is_no_number, newcomers)
