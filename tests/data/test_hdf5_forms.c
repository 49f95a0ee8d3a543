/* HDF5 files as h5py, numpy, Keras and PyTorch users write them: read with the same pixels and
 * labels, or refused with the mend. */
#include "data_support.h"
#include "hdf5_split.h"

#include <hdf5.h>
#include <math.h>

enum { N = 6, H = 5, W = 4, C = 3, SIZE = H * W * C };

static uint8_t bytes[N * SIZE]; /* [n][h][w][c] */
static const int classes[N] = {0, 1, 2, 2, 1, 0};
static double values[N * SIZE], labels[N * H * W];

static void fill(void)
{
    for (int i = 0; i < N * SIZE; i++) {
        bytes[i] = (uint8_t)(i * 41 % 256);
        values[i] = bytes[i];
    }
    for (int i = 0; i < N; i++)
        labels[i] = classes[i];
}

/* `data` are doubles, stored as `type`. */
static void put(hid_t file, const char *path, hid_t type, int rank, const hsize_t *dims, const double *data, int filter)
{
    hid_t link = H5Pcreate(H5P_LINK_CREATE), create = H5Pcreate(H5P_DATASET_CREATE);
    H5Pset_create_intermediate_group(link, 1);
    if (filter) {
        H5Pset_chunk(create, rank, dims);
        H5Pset_filter(create, filter, H5Z_FLAG_OPTIONAL, 0, NULL);
    }
    hid_t space = H5Screate_simple(rank, dims, NULL),
          set = H5Dcreate2(file, path, type, space, link, create, H5P_DEFAULT);
    int8_t whole[N * SIZE]; /* nothing but itself converts to an enumeration */
    bool enumeration = H5Tget_class(type) == H5T_ENUM;
    for (int i = 0; enumeration && i < N * SIZE; i++)
        whole[i] = (int8_t)data[i];
    ck_assert(H5Dwrite(set, enumeration ? type : H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT,
                       enumeration ? (const void *)whole : data) >= 0);
    H5Dclose(set);
    H5Sclose(space);
    H5Pclose(create);
    H5Pclose(link);
}

typedef struct form {
    hid_t x, y;
    int x_rank, y_rank;
    hsize_t x_dims[4], y_dims[4];
    const double *images, *targets;
    int filter;
} form;

static form usual(void)
{
    fill();
    return (form){H5T_STD_U8LE, H5T_STD_I64LE, 4, 1, {N, H, W, C}, {N}, values, labels, 0};
}

static hid_t begin(const form *f)
{
    hid_t file = H5Fcreate("f.h5", H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    put(file, "/train/x", f->x, f->x_rank, f->x_dims, f->images, f->filter);
    put(file, "/train/y", f->y, f->y_rank, f->y_dims, f->targets, 0);
    return file;
}

static void write_form(const form *f)
{
    H5Fclose(begin(f));
}

static void expect_usual(const nm_data_form *wanted)
{
    nm_dataset *d;
    ck_assert_done(nm_dataset_open(ctx, "hdf5:f.h5", wanted, &d));
    ck_assert(d->train.count == N && d->train.shape.h == H && d->train.shape.w == W && d->train.shape.c == C);
    ck_assert_mem_eq(d->train.pixels, bytes, sizeof bytes);
    for (int i = 0; i < N; i++)
        ck_assert_int_eq(d->train.labels[i], classes[i]);
    nm_dataset_free(d);
}

static hid_t bool_type(void)
{
    hid_t type = H5Tenum_create(H5T_STD_I8LE);
    H5Tenum_insert(type, "FALSE", &(int8_t){0});
    H5Tenum_insert(type, "TRUE", &(int8_t){1});
    return type;
}

START_TEST(labels_of_any_number_type)
{
    const hid_t types[] = {H5T_STD_I8LE,  H5T_STD_U8LE,  H5T_STD_I16BE, H5T_STD_U16LE,  H5T_STD_I32LE,
                           H5T_STD_U32BE, H5T_STD_I64LE, H5T_STD_U64LE, H5T_IEEE_F32LE, H5T_IEEE_F64BE};
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        form f = usual();
        f.y = types[i];
        f.y_rank = i % 2 ? 2 : 1; /* (n, 1) */
        f.y_dims[1] = 1;
        write_form(&f);
        expect_usual(NULL);
    }
}
END_TEST

START_TEST(labels_that_are_none)
{
    static const double wrong[] = {0.7, -1, NAN, 70000};
    static const char *const reported[] = {"entry 1 is 0.7;", "entry 1 is -1;", "entry 1 is nan", "entry 1 is 70000"};
    nm_dataset *d;
    for (int i = 0; i < 4; i++) {
        form f = usual();
        f.y = H5T_IEEE_F64LE;
        labels[1] = wrong[i];
        write_form(&f);
        ck_assert_refused(nm_dataset_open(ctx, "hdf5:f.h5", NULL, &d), NM_INVALID, "f.h5: /train/y", reported[i],
                          "whole number");
    }
}
END_TEST

START_TEST(one_hot_labels)
{
    enum { K = 4 };
    double hot[N * K] = {0};
    form f = usual();
    for (int i = 0; i < N; i++)
        hot[i * K + classes[i]] = 1;
    f.targets = hot;
    f.y_rank = 2;
    f.y_dims[1] = K;
    write_form(&f);
    expect_usual(NULL);
    nm_dataset *d;
    ck_assert_done(nm_dataset_open(ctx, "hdf5:f.h5", NULL, &d));
    ck_assert_int_eq(d->classes, K);
    nm_dataset_free(d);
    hot[3 * K] = 1;
    write_form(&f);
    ck_assert_refused(nm_dataset_open(ctx, "hdf5:f.h5", NULL, &d), NM_INVALID, "row 3 is not one-hot");
}
END_TEST

START_TEST(images_with_channels_first)
{
    static double planes[N * SIZE];
    form f = usual();
    for (int n = 0; n < N; n++)
        for (int p = 0; p < H * W; p++)
            for (int c = 0; c < C; c++)
                planes[n * SIZE + c * H * W + p] = values[n * SIZE + p * C + c];
    f.images = planes;
    f.x_dims[1] = C;
    f.x_dims[2] = H;
    f.x_dims[3] = W;
    write_form(&f);
    expect_usual(&(nm_data_form){.height = H, .width = W, .channels = C});
    expect_usual(NULL);
    nm_dataset *d; /* a network that takes 3x5x4 has its way */
    ck_assert_done(nm_dataset_open(ctx, "hdf5:f.h5", &(nm_data_form){.height = C, .width = H, .channels = W}, &d));
    ck_assert(d->train.shape.h == C && d->train.shape.c == W);
    nm_dataset_free(d);
}
END_TEST

START_TEST(images_of_other_numbers)
{
    const hid_t types[] = {H5T_STD_I16LE, H5T_STD_U16BE, H5T_STD_I64LE, H5T_IEEE_F32LE, H5T_IEEE_F32BE, H5T_IEEE_F64LE};
    nm_dataset *d;
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        form f = usual();
        f.x = types[i];
        for (int k = 0; k < N * SIZE && i >= 4; k++)
            values[k] /= 255;
        write_form(&f);
        expect_usual(NULL);
        values[100] = i >= 4 ? 0.5 : 1000;
        write_form(&f);
        ck_assert_refused(nm_dataset_open(ctx, "hdf5:f.h5", NULL, &d), NM_INVALID,
                          "f.h5: /train/x: image 1 has the value", i >= 4 ? "astype('uint8')" : "from 0 to 255");
    }
    form f = usual();
    f.x = H5T_IEEE_F32LE;
    values[60] = -0.25; /* normalised already */
    write_form(&f);
    ck_assert_refused(nm_dataset_open(ctx, "hdf5:f.h5", NULL, &d), NM_INVALID, "-0.25", "before any normalising");
    f = usual();
    f.x = bool_type();
    for (int k = 0; k < N * SIZE; k++)
        values[k] = bytes[k] = k % 3 == 0;
    for (int k = 0; k < N * SIZE; k++)
        bytes[k] = (uint8_t)(255 * bytes[k]);
    write_form(&f);
    expect_usual(NULL);
    H5Tclose(f.x);
}
END_TEST

/* Values are converted some images at a time. The last image alone says that they are not from 0 to
 * 1. */
START_TEST(more_images_than_are_converted_at_once)
{
    enum { MANY = 9, SIDE = 1024, ALL = MANY * SIDE * SIDE, LAST = ALL - SIDE * SIDE };
    nm_h5_shape shape = {.rank = 3, .dims = {MANY, SIDE, SIDE}, .count = ALL};
    ck_assert_uint_lt(nm_hdf5_rows_at_once(&shape), MANY);
    double *images = nm_alloc(ctx, ALL, sizeof *images), targets[MANY] = {0, 1};
    nm_dataset *d;
    for (int i = 0; i < ALL; i++)
        images[i] = i < LAST ? i % 2 : i % 251;
    write_form(&(form){H5T_IEEE_F32LE, H5T_STD_I64LE, 3, 1, {MANY, SIDE, SIDE}, {MANY}, images, targets, 0});
    ck_assert_done(nm_dataset_open(ctx, "hdf5:f.h5", NULL, &d));
    int wrong = d->train.count != MANY;
    for (int i = 0; i < ALL && !wrong; i++)
        wrong = d->train.pixels[i] != images[i] ? i + 1 : 0;
    ck_assert_msg(!wrong, "pixel %d", wrong - 1);
    nm_dataset_free(d);
    nm_free(images);
}
END_TEST

/* `text`: count strings one after another, of `size` bytes each; size 0: pointers. */
static void put_strings(hid_t file, size_t size, hsize_t count, const void *text)
{
    hid_t type = H5Tcopy(H5T_C_S1), space = count ? H5Screate_simple(1, &count, NULL) : H5Screate(H5S_SCALAR);
    H5Tset_size(type, size ? size : H5T_VARIABLE);
    if (size)
        H5Tset_strpad(type, H5T_STR_NULLPAD);
    hid_t set = H5Dcreate2(file, "/classes", type, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    ck_assert(H5Dwrite(set, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, text) >= 0);
    H5Dclose(set);
    H5Tclose(type);
    H5Sclose(space);
}

START_TEST(names_of_classes_in_any_form)
{
    const char *one = "red\ngreen\nblue", *dos = "red\r\ngreen\r\nblue\r\n", *list[] = {"red", "green", "blue"};
    const struct {
        size_t size;
        hsize_t count;
        const void *text;
    } forms[] = {{0, 0, &one}, {0, 0, &dos}, {0, 1, &one}, {0, 3, list}, {5, 3, "red\0\0greenblue"}, {14, 0, one}};
    nm_dataset *d;
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        form f = usual();
        hid_t file = begin(&f);
        put_strings(file, forms[i].size, forms[i].count, forms[i].text);
        H5Fclose(file);
        ck_assert_done(nm_dataset_open(ctx, "hdf5:f.h5", NULL, &d));
        ck_assert_int_eq(d->classes, 3);
        for (int k = 0; k < 3; k++)
            ck_assert_str_eq(d->class_names[k], list[k]);
        nm_dataset_free(d);
    }
    form f = usual();
    hid_t file = begin(&f);
    put(file, "/classes", H5T_STD_I64LE, 1, (hsize_t[]){3}, labels, 0);
    H5Fclose(file);
    ck_assert_refused(nm_dataset_open(ctx, "hdf5:f.h5", NULL, &d), NM_INVALID, "/classes: expected text", "int64 of 3");
}
END_TEST

START_TEST(what_cannot_be_read_is_told)
{
    nm_dataset *d;
    const char *evil[] = {"red", "gr\xffn\x1b[2J", "blue"};
    form named = usual();
    hid_t with_names = begin(&named);
    put_strings(with_names, 0, 3, evil);
    H5Fclose(with_names);
    ck_assert_refused(nm_dataset_open(ctx, "hdf5:f.h5", NULL, &d), NM_INVALID, "class 1: a name must be of printable",
                      "found 'gr\\xffn\\x1b[2J'");
    form f = usual();
    f.filter = 32000;
    write_form(&f);
    ck_assert_refused(nm_dataset_open(ctx, "hdf5:f.h5", NULL, &d), NM_INVALID, "f.h5: /train/x: compressed with LZF",
                      "gzip");
    f = usual();
    f.x_rank = 2;
    f.x_dims[1] = SIZE;
    write_form(&f);
    ck_assert_refused(nm_dataset_open(ctx, "hdf5:f.h5", NULL, &d), NM_INVALID, "found uint8 of 6x60", "reshape");
    f = usual();
    f.y_dims[0] = N - 1;
    write_form(&f);
    ck_assert_refused(nm_dataset_open(ctx, "hdf5:f.h5", NULL, &d), NM_INVALID, "expected 6 labels", "found int64 of 5");
    hid_t file = H5Fcreate("f.h5", H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    put(file, "/x_train", H5T_STD_U8LE, 1, (hsize_t[]){N}, values, 0);
    H5Fclose(file);
    ck_assert_refused(nm_dataset_open(ctx, "hdf5:f.h5", NULL, &d), NM_INVALID, "/train/x is missing",
                      "the file has /x_train");
}
END_TEST

SUITE_WITH("forms of HDF5 files", in_own_folder, labels_of_any_number_type, labels_that_are_none, one_hot_labels,
           images_with_channels_first, images_of_other_numbers, more_images_than_are_converted_at_once,
           names_of_classes_in_any_form, what_cannot_be_read_is_told)
