/* Data of one's own: images in folders, HDF5 files; what is wrong with them is reported. */
#include "data_support.h"
#include "h5.h"

#include <png.h>

static void write_png(const char *path, int side, bool grey, uint8_t value)
{
    uint8_t pixels[32 * 32 * 3];
    for (int i = 0; i < side * side * 3; i++)
        pixels[i] = (uint8_t)(value + (grey ? 0 : 10 * (i % 3)));
    png_image image = {.version = PNG_IMAGE_VERSION,
                       .width = (png_uint_32)side,
                       .height = (png_uint_32)side,
                       .format = PNG_FORMAT_RGB};
    ck_assert(png_image_write_to_file(&image, path, 0, pixels, 0, NULL));
}

static void write_classes(const char *root, int count, bool grey)
{
    static const char *const classes[] = {"cat", "dog"};
    char path[256];
    snprintf(path, sizeof path, "mkdir -p %s/cat %s/dog", root, root);
    ck_assert_int_eq(system(path), 0);
    for (int c = 0; c < 2; c++)
        for (int i = 0; i < count; i++) {
            snprintf(path, sizeof path, "%s/%s/%02d.png", root, classes[c], i);
            write_png(path, i == 1 ? 16 : 8, grey, (uint8_t)(100 * c + i));
        }
}

START_TEST(folders_with_splits)
{
    nm_dataset *d;
    write_classes("d/train", 3, false);
    write_classes("d/test", 2, false);
    write_bytes("d/train/cat/notes.txt", "words", 5);
    ck_assert_done(nm_dataset_open(ctx, "images:d", NULL, &d));
    ck_assert(d->train.count == 6 && d->test.count == 4 && d->classes == 2);
    ck_assert(d->train.shape.h == 8 && d->train.shape.w == 8 && d->train.shape.c == 3);
    ck_assert_str_eq(d->class_names[1], "dog");
    static const int labels[6] = {0, 0, 0, 1, 1, 1};
    for (int i = 0; i < 6; i++) {
        ck_assert_int_eq(d->train.labels[i], labels[i]);
        ck_assert_int_eq(d->train.pixels[i * 192], 100 * labels[i] + i % 3); /* the larger one was resampled */
        ck_assert_int_eq(d->train.pixels[i * 192 + 1], 100 * labels[i] + i % 3 + 10);
    }
    nm_dataset_free(d);
}
END_TEST

/* Without splits every fifth image of a class is for testing; grey images have one channel. */
START_TEST(folders_without_splits)
{
    nm_dataset *d;
    write_classes("d", 10, true);
    ck_assert_done(nm_dataset_open(ctx, "images:d", NULL, &d));
    ck_assert(d->train.count == 16 && d->test.count == 4 && d->train.shape.c == 1);
    ck_assert(d->test.pixels[0] == 4 && d->test.pixels[64] == 9 && d->test.pixels[128] == 104);
    ck_assert(d->test.labels[1] == 0 && d->test.labels[2] == 1);
    nm_dataset_free(d);
}
END_TEST

START_TEST(wrong_folders)
{
    nm_dataset *d;
    ck_assert_refused(nm_dataset_open(ctx, "images", NULL, &d), NM_INVALID, "needs a path: images:PATH");
    ck_assert_refused(nm_dataset_open(ctx, "images:nowhere", NULL, &d), NM_INVALID, "nowhere", "No such file");
    ck_assert_int_eq(system("mkdir -p e/one"), 0);
    ck_assert_refused(nm_dataset_open(ctx, "images:e", NULL, &d), NM_INVALID, "expected a folder for each class",
                      "found 1");
    ck_assert_int_eq(system("mkdir -p e/two"), 0);
    ck_assert_refused(nm_dataset_open(ctx, "images:e", NULL, &d), NM_INVALID,
                      "e/one: no PNG, JPEG, WebP, TIFF or GIF images");
    write_png("e/one/a.png", 8, true, 1);
    write_bytes("e/two/b.png", "not an image", 12);
    ck_assert_refused(nm_dataset_open(ctx, "images:e", NULL, &d), NM_INVALID, "e/two/b.png",
                      "expected a PNG, JPEG, WebP, TIFF or GIF image");
}
END_TEST

static void put(nm_h5 *h5, const char *path, nm_h5_type type, int rank, const size_t *dims, const void *data)
{
    ck_assert_done(nm_h5_write(h5, path, type, rank, dims, data));
}

static const uint8_t three_images[3 * 4 * 5 * 2] = {1, 2, 3};
static const int64_t three_labels[3] = {0, 2, 1};
static const size_t image_dims[] = {3, 4, 5, 2};

/* A file with three images of 4x5x2 in /train/x
 * and their labels in /train/y. names: of the classes, or NULL. */
static void write_three(const char *file, int rank, const int64_t *labels, const char *names, bool test_split)
{
    nm_h5 *h5;
    ck_assert_done(nm_h5_new(ctx, file, &h5));
    put(h5, "/train/x", NM_H5_U8, 4, image_dims, three_images);
    put(h5, "/train/y", NM_H5_I64, rank, image_dims, labels);
    if (test_split) {
        put(h5, "/test/x", NM_H5_U8, 4, image_dims, three_images);
        put(h5, "/test/y", NM_H5_I64, rank, image_dims, labels);
    }
    if (names)
        ck_assert_done(nm_h5_write_text(h5, "/classes", names));
    ck_assert_done(nm_h5_save(h5, file, false));
    nm_h5_free(h5);
}

START_TEST(hdf5_files)
{
    static const int64_t pixels[3 * 4 * 5] = {0, 1, 2, 255};
    nm_dataset *d;
    write_three("a.h5", 1, three_labels, "red\ngreen\nblue", true);
    ck_assert_done(nm_dataset_open(ctx, "hdf5:a.h5", NULL, &d));
    ck_assert(d->train.count == 3 && d->test.count == 3 && d->classes == 3 && d->train.shape.w == 5);
    ck_assert(d->train.labels[1] == 2 && d->train.pixels[2] == 3);
    ck_assert_str_eq(d->class_names[2], "blue");
    nm_dataset_free(d);

    write_three("b.h5", 3, pixels, NULL, false); /* a label per pixel, no test split, no names */
    ck_assert_done(nm_dataset_open(ctx, "hdf5:b.h5", NULL, &d));
    ck_assert(d->train.pixel_labels && d->train.labels[2] == 2 && d->train.labels[3] < 0 && d->test.count == 0 &&
              d->classes == 3);
    nm_dataset_free(d);
}
END_TEST

START_TEST(wrong_hdf5_files)
{
    static const int64_t wrong[3] = {0, -2, 1};
    nm_dataset *d;
    nm_h5 *h5;
    write_three("n.h5", 1, three_labels, "red\ngreen", false); /* a class without a name */
    ck_assert_refused(nm_dataset_open(ctx, "hdf5:n.h5", NULL, &d), NM_INVALID,
                      "training sample 1 has label 2; expected 0 to 1");
    write_three("c.h5", 1, wrong, NULL, false);
    ck_assert_refused(nm_dataset_open(ctx, "hdf5:c.h5", NULL, &d), NM_INVALID, "c.h5: /train/y: entry 1 is -2");
    ck_assert_done(nm_h5_new(ctx, "d.h5", &h5));
    put(h5, "/train/x", NM_H5_U8, 2, (size_t[]){3, 40}, three_images);
    ck_assert_done(nm_h5_save(h5, "d.h5", false));
    nm_h5_free(h5);
    ck_assert_refused(nm_dataset_open(ctx, "hdf5:d.h5", NULL, &d), NM_INVALID,
                      "d.h5: /train/x: expected uint8 of (n, height");
    write_bytes("e.h5", "nothing", 7);
    ck_assert_refused(nm_dataset_open(ctx, "hdf5:e.h5", NULL, &d), NM_INVALID, "e.h5");
}
END_TEST

SUITE_WITH("own data", in_own_folder, folders_with_splits, folders_without_splits, wrong_folders, hdf5_files,
           wrong_hdf5_files)
