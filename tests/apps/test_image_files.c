/* Folders of image files through the program: predict reads a file as training and evaluation
 * do, by rules that the checkpoint keeps, and what was done to the files is reported. */
#include "program.h"

#include <math.h>
#include <png.h>
#include <stdint.h>

enum { CLASSES = 3, IMAGES = 8, MOST_SIDE = 40 };

/* Class k is brightest in colour k; every third image is grey, every third has transparent
 * pixels. */
static void write_image(const char *path, int k, int i, unsigned *random)
{
    uint8_t pixels[MOST_SIDE * MOST_SIDE * 4];
    int height = 6 + rand_r(random) % (MOST_SIDE - 6), width = 6 + rand_r(random) % (MOST_SIDE - 6);
    int channels = i % 3 == 0 ? 3 : i % 3 == 1 ? 1 : 4;
    for (int p = 0; p < height * width * channels; p++)
        pixels[p] = (uint8_t)(p % channels == k ? 200 + rand_r(random) % 56 : rand_r(random) % 256);
    png_image image = {.version = PNG_IMAGE_VERSION, .width = (png_uint_32)width, .height = (png_uint_32)height};
    image.format = channels == 3 ? PNG_FORMAT_RGB : channels == 1 ? PNG_FORMAT_GRAY : PNG_FORMAT_RGBA;
    ck_assert(png_image_write_to_file(&image, path, 0, pixels, 0, NULL));
}

static void write_folders(void)
{
    unsigned random = 7;
    char path[64];
    expect(0, "mkdir -p set/train/c0 set/train/c1 set/train/c2 set/test/c0 set/test/c1 set/test/c2");
    for (int split = 0; split < 2; split++)
        for (int k = 0; k < CLASSES; k++)
            for (int i = 0; i < IMAGES; i++) {
                snprintf(path, sizeof path, "set/%s/c%d/%d.png", split ? "test" : "train", k, i);
                write_image(path, k, i, &random);
            }
    write_text("m.yaml", "name: m\ninput: {height: 12, width: 16, channels: 3}\nlayers:\n"
                         "  - {name: c1, conv: {filters: 4, kernel: 3}}\n  - relu: {}\n"
                         "  - {name: logits, dense: {units: 3}}\nloss: softmax_ce\n"
                         "train: {data: \"images:set\", epochs: 1, batch: 8, lr: 0.02}\n");
}

/* Mean loss of the test split by predict on its files, and how many of class k were taken for
 * class c. */
static double predict_all(const char *run, int confusion[CLASSES][CLASSES])
{
    char *out = expect(0, "norma predict %s --json set/test/*/*.png", run).out;
    double loss = 0;
    int lines = 0;
    for (char *line = strtok(out, "\n"); line; line = strtok(NULL, "\n"), lines++) {
        json_t *p = parse_json(line), *top = json_object_get(p, "top");
        int k = lines / IMAGES;
        char name[8];
        snprintf(name, sizeof name, "c%d", k);
        confusion[k][text_at(p, "class")[1] - '0']++;
        for (size_t i = 0; i < CLASSES; i++)
            if (strcmp(text_at(entry_of(top, i), "class"), name) == 0)
                loss -= log(number_at(entry_of(top, i), "probability"));
        json_decref(p);
    }
    ck_assert_int_eq(lines, CLASSES * IMAGES);
    return loss / lines;
}

START_TEST(predict_as_eval)
{
    static const char *const rules[] = {"", "--resize bilinear --fit crop --background white"};
    double losses[2];
    write_folders();
    for (int k = 0; k < 2; k++) {
        int confusion[CLASSES][CLASSES] = {0};
        said s = expect(0, "norma train m.yaml --run r%d %s", k, rules[k]);
        contains(s.err, k ? "transparent pixels were put over white" : "transparent pixels were put over black");
        contains(s.err, "18 of 48 images: grey, made RGB; the first is set/train/c0/1.png");
        char run[8];
        snprintf(run, sizeof run, "r%d", k);
        json_t *e = parse_json(expect(0, "norma eval r%d --json", k).out);
        losses[k] = predict_all(run, confusion);
        ck_assert(fabs(losses[k] - number_at(e, "loss")) < 1e-5);
        for (size_t i = 0; i < CLASSES * CLASSES; i++)
            ck_assert_int_eq(
                confusion[i / CLASSES][i % CLASSES],
                json_integer_value(entry_of(entry_of(json_object_get(e, "confusion"), i / CLASSES), i % CLASSES)));
        json_decref(e);
    }
    ck_assert(fabs(losses[0] - losses[1]) > 1e-4); /* the rules matter, so that keeping them does */
    contains(expect(2, "norma train m.yaml --run r2 --fit corp").err, "must be one of stretch, crop; found 'corp'");
}
END_TEST

/* The limit is the command line's, whatever a file says, and the message tells the way out. */
START_TEST(limit_of_memory)
{
    static uint8_t pixels[700 * 700 * 3];
    write_folders();
    png_image image = {.version = PNG_IMAGE_VERSION, .width = 700, .height = 700, .format = PNG_FORMAT_RGB};
    ck_assert(png_image_write_to_file(&image, "set/train/c0/large.png", 0, pixels, 0, NULL));
    static const char *const commands[] = {"data images:set", "train m.yaml --run r"};
    for (int i = 0; i < 2; i++) {
        contains(expect(2, "norma %s --max-memory 2", commands[i]).err,
                 "set/train/c0/large.png: a PNG of this kind is not read: its 700 x 700 pixels take 3 MiB; expected at "
                 "most 2: make it smaller, or allow more by --max-memory 3");
        expect(0, "norma %s --max-memory 3", commands[i]);
    }
    contains(expect(2, "norma predict r set/train/c0/large.png --max-memory 1").err, "--max-memory 3");
    expect(0, "norma predict r set/train/c0/large.png");
    expect(0, "norma eval r --max-memory 3");
    contains(expect(2, "norma data images:set --max-memory 0").err, "--max-memory");
}
END_TEST

/* Nothing waits for a pipe that stands where a file is expected. */
START_TEST(pipes)
{
    static const char *const files[] = {"last.h5", "best.h5", "model.yaml", "metrics.csv", "lock"};
    write_folders();
    expect(0, "norma train m.yaml --run r && mkfifo pipe");
    static const char *const commands[] = {"summary pipe",
                                           "train pipe",
                                           "eval pipe",
                                           "predict pipe pipe",
                                           "predict r pipe",
                                           "visualize pipe",
                                           "bench pipe",
                                           "data idx:pipe",
                                           "data cifar10:pipe",
                                           "data hdf5:pipe",
                                           "plot pipe",
                                           "data images:pipe",
                                           "gradcheck pipe",
                                           "bn-report pipe",
                                           "train m.yaml --init-from pipe --run n",
                                           "recalibrate pipe q",
                                           "trace pipe --input pipe --output x"};
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
        said s = shell("timeout 10 \"$NORMA_PROGRAM\" %s", commands[i]);
        ck_assert_msg(s.status == 2, "norma %s: exit status %d, %s", commands[i], s.status, s.err);
    }
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        expect(0, "rm -rf c && cp -r r c && rm -f c/%s && mkfifo c/%s", files[i], files[i]);
        static const char *const of_run[] = {"train --run c --resume --epochs 2", "train m.yaml --run c", "eval c",
                                             "plot c"};
        for (size_t k = 0; k < sizeof of_run / sizeof *of_run; k++) {
            said s = shell("timeout 10 \"$NORMA_PROGRAM\" %s", of_run[k]);
            ck_assert_msg(s.status <= 2, "%s a pipe: norma %s: exit status %d", files[i], of_run[k], s.status);
        }
    }
}
END_TEST

SUITE_WITH("image files", in_own_folder, predict_as_eval, limit_of_memory, pipes)
