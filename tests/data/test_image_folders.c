/* Folders of images: the network's input says their form, and nothing in them is passed over
 * without a word. */
#include "image_support.h"

static nm_dataset *data;

/* A grey or a coloured PNG of one value. */
static void write_flat(const char *path, int height, int width, bool grey, uint8_t value)
{
    uint8_t pixels[64 * 64 * 3];
    for (int i = 0; i < height * width; i++)
        memcpy(pixels + (grey ? 1 : 3) * i, (uint8_t[]){value, (uint8_t)(value / 2), 30}, grey ? 1 : 3);
    write_png(path, height, width, grey ? PNG_FORMAT_GRAY : PNG_FORMAT_RGB, pixels);
}

static void make_folders(const char *names)
{
    char command[512];
    snprintf(command, sizeof command, "mkdir -p %s", names);
    ck_assert_int_eq(system(command), 0);
}

static void two_classes(const char *root)
{
    char path[128];
    static const char *const files[] = {"a/0.png", "a/1.png", "b/0.png"};
    snprintf(path, sizeof path, "%s/a %s/b", root, root);
    make_folders(path);
    for (int i = 0; i < 3; i++) {
        snprintf(path, sizeof path, "%s/%s", root, files[i]);
        write_flat(path, 8, 8, true, (uint8_t)(50 * (i + 1)));
    }
}

static nm_status open_folder(const nm_data_form *form)
{
    *logged = '\0';
    nm_context_set_log(ctx, keep_line, NULL);
    return nm_dataset_open(ctx, "images:d", form, &data);
}

/* The first images are 20x30 and grey; a network says otherwise. */
START_TEST(form_of_network)
{
    make_folders("d/train/a d/train/b");
    write_flat("d/train/a/0.png", 20, 30, true, 100);
    write_flat("d/train/a/1.png", 40, 10, false, 200);
    write_flat("d/train/b/0.png", 16, 16, true, 10);
    nm_data_form form = {16, 16, 3, {0}};
    ck_assert_done(open_folder(&form));
    ck_assert(data->train.shape.h == 16 && data->train.shape.w == 16 && data->train.shape.c == 3);
    ck_assert(data->train.pixels[0] == 100 && data->train.pixels[2] == 100 && data->train.pixels[769] == 100);
    ck_assert_logged("2 of 3 images: grey, made RGB; the first is d/train/a/0.png");
    ck_assert_logged("2 of 3 images: resized; the first is d/train/a/0.png");
    nm_dataset_free(data);
    form.channels = 1; /* 0.299 * 200 + 0.587 * 100 + 0.114 * 30 = 122 */
    ck_assert_done(open_folder(&form));
    ck_assert(data->train.shape.c == 1 && data->train.pixels[256] == 122);
    ck_assert_logged("1 of 3 images: in colour, made grey; the first is d/train/a/1.png");
    nm_dataset_free(data);
    form.channels = 5;
    ck_assert_refused(open_folder(&form), NM_INVALID, "images have 1 or 3 channels; the network takes 5");
    ck_assert_done(open_folder(NULL)); /* as the first ones are */
    ck_assert(data->train.shape.h == 20 && data->train.shape.w == 30 && data->train.shape.c == 1);
    ck_assert_logged(
        "one channel, as the first image of each class is grey; a network with channels: 3 keeps the colours");
    nm_dataset_free(data);
}
END_TEST

START_TEST(validation_folder)
{
    static const char *const names[] = {"val", "valid", "validation"};
    char path[64], words[128];
    for (int i = 0; i < 3; i++) {
        two_classes("d/train");
        snprintf(path, sizeof path, "d/%s", names[i]);
        two_classes(path);
        ck_assert_done(open_folder(NULL));
        ck_assert(data->test.count == 3);
        snprintf(words, sizeof words, "d: there is no test/: %s/ is used as the test split", names[i]);
        ck_assert_logged(words);
        nm_dataset_free(data);
        make_folders("d/test/a");
        write_flat("d/test/a/0.png", 8, 8, true, 7);
        ck_assert_done(open_folder(NULL));
        ck_assert(data->test.count == 1 && data->test.pixels[0] == 7);
        snprintf(words, sizeof words, "d: %s/ is not used", names[i]);
        ck_assert_logged(words);
        ck_assert_logged("1 of 2 classes have no image in the test split; the first is b");
        nm_dataset_free(data);
        ck_assert_int_eq(system("rm -r d"), 0);
    }
    two_classes("d/valid");
    ck_assert_refused(open_folder(NULL), NM_INVALID, "d: there is a folder valid, but no folder train beside it");
}
END_TEST

START_TEST(test_classes)
{
    two_classes("d/train");
    two_classes("d/test");
    make_folders("d/test/B");
    ck_assert_refused(open_folder(NULL), NM_INVALID, "d/test/B: there is no class of that name in d/train");
}
END_TEST

START_TEST(folders_that_are_no_names)
{
    two_classes("d/train");
    ck_assert_int_eq(system("mv d/train/a \"$(printf 'd/train/a\\033[2J')\""), 0);
    ck_assert_refused(open_folder(NULL), NM_INVALID, "d: class 0: a name must be of printable characters",
                      "found 'a\\x1b[2J'");
    ck_assert_int_eq(system("mv d/train/a* \"$(printf 'd/train/\\344')\""), 0);
    ck_assert_refused(open_folder(NULL), NM_INVALID, "class 1: a name", "found '\\xe4'");
}
END_TEST

START_TEST(passed_over)
{
    two_classes("d/train");
    make_folders("d/train/a/more d/extra d/train/.hidden");
    write_bytes("d/train/a/notes.txt", "x", 1);
    write_bytes("d/train/a/.0.png", "x", 1);
    write_bytes("d/train/b/x.bmp", "BM", 2);
    write_bytes("d/train/b/.DS_Store", "x", 1);
    write_bytes("d/train/b/._0.png", "x", 1);
    write_flat("d/train/stray.png", 8, 8, true, 1);
    ck_assert_done(open_folder(NULL));
    ck_assert_int_eq(data->train.count, 3);
    ck_assert_logged("6 files or folders were passed over");
    ck_assert_logged("the first is d/train/stray.png");
    ck_assert_logged("beside train/, 1 folder is not read, such as extra");
    nm_dataset_free(data);
}
END_TEST

/* A file named as an image is an image, or the data set is refused; the end of its name does not
 * say which. */
START_TEST(wrong_files)
{
    two_classes("d/train");
    ck_assert_int_eq(system("mv d/train/a/1.png d/train/a/1.JPG && ln -s ../a/0.png d/train/b/link.png"), 0);
    ck_assert_done(open_folder(NULL));
    ck_assert(data->train.count == 4 && data->train.pixels[64] == 100 && data->train.pixels[3 * 64] == 50);
    nm_dataset_free(data);
    write_bytes("d/train/b/z.gif", "", 0);
    ck_assert_refused(open_folder(NULL), NM_INVALID, "d/train/b/z.gif: the file is empty: replace or remove it");
    write_bytes("d/train/b/z.gif", "<html>", 6);
    ck_assert_refused(open_folder(NULL), NM_INVALID, "d/train/b/z.gif: expected a PNG", "page of text");
    ck_assert_int_eq(system("rm d/train/b/z.gif && ln -s nowhere d/train/b/z.png"), 0);
    ck_assert_refused(open_folder(NULL), NM_INVALID, "d/train/b/z.png: cannot open: No such file");
    ck_assert_int_eq(system("rm d/train/b/*.png && mkdir d/train/b/deeper"), 0);
    ck_assert_refused(open_folder(NULL), NM_INVALID, "d/train/b: no PNG, JPEG", "only folders");
}
END_TEST

/* Found from the headers: nothing was decoded yet. */
START_TEST(too_large)
{
    two_classes("d/train");
    ck_assert_refused(open_folder(&(nm_data_form){2000000, 1000000, 3, {0}}), NM_INVALID,
                      "3 images of 2000000x1000000x3 take", "this machine has");
}
END_TEST

/* The rules of the form reach the pixels. */
START_TEST(rules)
{
    uint8_t pixels[8 * 24 * 3] = {0};
    make_folders("d/a d/b");
    for (int i = 0; i < 8 * 24 * 3; i++)
        pixels[i] = i / 3 % 24 >= 8 && i / 3 % 24 < 16 ? 200 : 0;
    write_png("d/a/0.png", 8, 24, PNG_FORMAT_RGB, pixels);
    write_png("d/b/0.png", 8, 24, PNG_FORMAT_RGB, pixels);
    ck_assert_done(open_folder(&(nm_data_form){8, 8, 1, {.fit = NM_FIT_CROP}}));
    for (int i = 0; i < 64; i++)
        ck_assert_int_eq(data->train.pixels[i], 200);
    ck_assert_logged("2 of 2 images: resized, and cropped at the longer side");
    nm_dataset_free(data);
    ck_assert_done(open_folder(&(nm_data_form){8, 3, 1, {0}}));
    ck_assert(data->train.pixels[0] == 0 && data->train.pixels[1] == 200 && data->train.pixels[2] == 0);
    nm_dataset_free(data);
}
END_TEST

SUITE_WITH("folders of images", in_own_folder, form_of_network, validation_folder, test_classes,
           folders_that_are_no_names, passed_over, wrong_files, too_large, rules)
