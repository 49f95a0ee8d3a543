/* What the commands of the table of settings find: a model, data as HDF5, a folder of images, a
 * batch. */
#ifndef SETTINGS_FILES_H
#define SETTINGS_FILES_H

#include "changed_checkpoint.h"
#include "grey_png.h"

#include <hdf5.h>
#include <zlib.h>

enum { SIDE = 28, SAMPLES = 2000, WIDTH = 40, HEIGHT = 24, BATCH = 4 };

/* The settings of the model file; a key that is not among them may be added to them. */
static const char *const settings[][2] = {{"data", "hdf5:own.h5"}, {"epochs", "1"}, {"batch", "32"},
                                          {"limit", "160"},        {"lr", "0.05"},  {"momentum", "0.9"}};

static inline void write_model(const char *path, const char *key, const char *value)
{
    FILE *f = fopen(path, "w");
    ck_assert_ptr_nonnull(f);
    fprintf(f,
            "name: m\ninput: {height: %d, width: %d, channels: 1}\nlayers:\n"
            "- {name: c1, conv: {filters: 16, kernel: 3, stride: 2, bias: false}}\n- batchnorm: {}\n- relu: {}\n"
            "- {name: c2, conv: {filters: 16, kernel: 3, bias: false}}\n- batchnorm: {}\n- relu: {}\n"
            "- {name: p1, maxpool: {size: 2}}\n- {name: logits, dense: {units: 10}}\nloss: softmax_ce\ntrain:\n",
            SIDE, SIDE);
    bool there = !key;
    for (size_t i = 0; i < sizeof settings / sizeof *settings; i++) {
        bool same = key && strcmp(settings[i][0], key) == 0;
        there = there || same;
        fprintf(f, "  %s: %s\n", settings[i][0], same ? value : settings[i][1]);
    }
    if (!there)
        fprintf(f, "  %s: %s\n", key, value);
    fclose(f);
}

/* Lying, to be shown standing, with another brightness in each class, half transparent. */
static inline void write_image(const char *path, int label, unsigned *random)
{
    enum { AFTER_HEADER = 33 }; /* the mark and IHDR */
    static const char exif[] = "\0\0\0\32eXIfMM\0*\0\0\0\10\0\1\1\22\0\3\0\0\0\1\0\6\0\0\0\0\0\0";
    static uint8_t pixels[HEIGHT * WIDTH * 4], file[sizeof pixels + 4096];
    for (int i = 0; i < HEIGHT * WIDTH * 4; i++)
        pixels[i] = (uint8_t)(i % 4 == 3 ? 128 : rand_r(random) % 128 + 128 * label);
    png_image image = {.version = PNG_IMAGE_VERSION, .width = WIDTH, .height = HEIGHT, .format = PNG_FORMAT_RGBA};
    png_alloc_size_t size = sizeof file;
    ck_assert(png_image_write_to_memory(&image, file, &size, 0, pixels, 0, NULL));
    uint32_t sum = (uint32_t)crc32(0, (const Bytef *)exif + 4, sizeof exif - 5);
    const uint8_t check[4] = {(uint8_t)(sum >> 24), (uint8_t)(sum >> 16), (uint8_t)(sum >> 8), (uint8_t)sum};
    FILE *f = fopen(path, "wb");
    ck_assert_ptr_nonnull(f);
    fwrite(file, 1, AFTER_HEADER, f);
    fwrite(exif, 1, sizeof exif - 1, f);
    fwrite(check, 1, sizeof check, f);
    fwrite(file + AFTER_HEADER, 1, size - AFTER_HEADER, f);
    ck_assert_int_eq(fclose(f), 0);
}

/* Two of the classes of the data. */
static inline void write_images(void)
{
    unsigned random = 3;
    char path[64];
    ck_assert(mkdir("pics", 0777) == 0 && mkdir("pics/0", 0777) == 0 && mkdir("pics/1", 0777) == 0);
    for (int label = 0; label < 2; label++)
        for (int i = 0; i < 40; i++) { /* 64 to train with */
            snprintf(path, sizeof path, "pics/%d/%d.png", label, i);
            write_image(path, label, &random);
        }
}

/* Images of more than 1 MiB each, of few bytes: large/CLASS/NUMBER.png. */
static inline void write_large_images(void)
{
    enum { LARGE_SIDE = 640, OF_CLASS = 6 };
    static uint8_t pixels[LARGE_SIDE * LARGE_SIDE];
    char path[64];
    ck_assert(mkdir("large", 0777) == 0 && mkdir("large/0", 0777) == 0 && mkdir("large/1", 0777) == 0);
    for (int i = 0; i < 2 * OF_CLASS; i++) {
        for (int p = 0; p < LARGE_SIDE * LARGE_SIDE; p++)
            pixels[p] = (uint8_t)(100 * (i % 2) + 10 * (p / (LARGE_SIDE * 100)) + i);
        snprintf(path, sizeof path, "large/%d/%d.png", i % 2, i / 2);
        write_grey_png(path, LARGE_SIDE, pixels);
    }
}

static inline nm_h5 *new_file(nm_context *ctx, const char *path)
{
    nm_h5 *h5;
    ck_assert_int_eq(nm_h5_new(ctx, path, &h5), NM_OK);
    return h5;
}

static inline void save_file(nm_h5 *h5, const char *path)
{
    ck_assert_int_eq(nm_h5_save(h5, path, false), NM_OK);
    nm_h5_free(h5);
}

/* The classes differ in where an image is bright. */
static inline void write_data(const char *path)
{
    static uint8_t x[SAMPLES * SIDE * SIDE], y[SAMPLES];
    const size_t dims[] = {SAMPLES, SIDE, SIDE, 1};
    unsigned random = 5;
    nm_context *ctx = nm_context_new();
    nm_h5 *h5 = new_file(ctx, path);
    for (int split = 0; split < 2; split++) {
        for (int i = 0; i < SAMPLES; i++) {
            y[i] = (uint8_t)(rand_r(&random) % 10);
            for (int p = 0; p < SIDE * SIDE; p++)
                x[i * SIDE * SIDE + p] = (uint8_t)(rand_r(&random) % 128 + 127 * (p * 10 / (SIDE * SIDE) == y[i]));
        }
        ck_assert_int_eq(nm_h5_write(h5, split ? "/test/x" : "/train/x", NM_H5_U8, 4, dims, x), NM_OK);
        ck_assert_int_eq(nm_h5_write(h5, split ? "/test/y" : "/train/y", NM_H5_U8, 1, dims, y), NM_OK);
    }
    save_file(h5, path);
    nm_context_free(ctx);
}

static inline void write_batch(const char *path, unsigned random)
{
    static float x[BATCH * SIDE * SIDE];
    static const int64_t labels[BATCH] = {3, 1, 4, 1};
    for (size_t i = 0; i < sizeof x / sizeof *x; i++)
        x[i] = (float)(rand_r(&random) % 256) / 256 - 0.5f;
    nm_context *ctx = nm_context_new();
    nm_h5 *h5 = new_file(ctx, path);
    ck_assert_int_eq(nm_h5_write(h5, "/x", NM_H5_F32, 4, (const size_t[]){BATCH, SIDE, SIDE, 1}, x), NM_OK);
    ck_assert_int_eq(nm_h5_write(h5, "/labels", NM_H5_I64, 1, (const size_t[]){BATCH}, labels), NM_OK);
    save_file(h5, path);
    nm_context_free(ctx);
}

/* A dataset of zeros that takes more than 1 MiB and of which the file has nothing. */
static inline void add_unwritten(hid_t file, const char *path, int rank, const hsize_t *dims)
{
    const hsize_t chunk[] = {64, SIDE, SIDE, 1};
    hid_t space = H5Screate_simple(rank, dims, NULL), creation = H5Pcreate(H5P_DATASET_CREATE);
    hid_t links = H5Pcreate(H5P_LINK_CREATE);
    H5Pset_create_intermediate_group(links, 1);
    H5Pset_chunk(creation, rank, chunk);
    hid_t set = H5Dcreate2(file, path, H5T_NATIVE_FLOAT, space, links, creation, H5P_DEFAULT);
    ck_assert_int_ge(set, 0);
    H5Dclose(set);
    H5Pclose(links);
    H5Pclose(creation);
    H5Sclose(space);
}

static inline void write_large_batch(const char *path)
{
    enum { MANY = 400 };
    static int64_t labels[MANY];
    const hsize_t dims[] = {MANY, SIDE, SIDE, 1};
    nm_context *ctx = nm_context_new();
    nm_h5 *h5 = new_file(ctx, path);
    ck_assert_int_eq(nm_h5_write(h5, "/labels", NM_H5_I64, 1, (const size_t[]){MANY}, labels), NM_OK);
    save_file(h5, path);
    nm_context_free(ctx);
    hid_t file = H5Fopen(path, H5F_ACC_RDWR, H5P_DEFAULT);
    add_unwritten(file, "/x", 4, dims);
    H5Fclose(file);
}

/* A checkpoint, and an array beside what it had. */
static inline void write_large_checkpoint(const char *path, const char *from)
{
    size_t size;
    char *bytes = bytes_of(from, &size);
    write_bytes(path, bytes, size);
    free(bytes);
    hid_t file = H5Fopen(path, H5F_ACC_RDWR, H5P_DEFAULT);
    add_unwritten(file, "/model/large/weight", 1, (const hsize_t[]){400000});
    H5Fclose(file);
    bytes = bytes_of(path, &size);
    sign(bytes, size);
    write_bytes(path, bytes, size);
    free(bytes);
}

#endif
