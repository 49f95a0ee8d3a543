/* HDF5 files as other programs write them: rows of every storage are the right ones; what cannot be
 * read is refused where it is asked for. */
#include "h5_support.h"

static size_t no_filter(unsigned flags, size_t n, const unsigned *values, size_t bytes, size_t *size, void **buffer)
{
    (void)flags, (void)n, (void)values, (void)size, (void)buffer;
    return bytes;
}

static void put_through_unknown_filter(hid_t file)
{
    H5Z_class2_t filter = {H5Z_CLASS_T_VERS, 307, 1, 1, "bzip2", NULL, NULL, no_filter};
    H5Zregister(&filter);
    hid_t create = chunked(1, (hsize_t[]){4});
    H5Pset_filter(create, 307, 0, 0, NULL);
    hid_t space = H5Screate_simple(1, (hsize_t[]){4}, NULL);
    hid_t set = H5Dcreate2(file, "/filter", H5T_NATIVE_UINT8, space, H5P_DEFAULT, create, H5P_DEFAULT);
    H5Dwrite(set, H5T_NATIVE_UINT8, H5S_ALL, H5S_ALL, H5P_DEFAULT, "abcd");
    H5Dclose(set);
    H5Sclose(space);
    H5Pclose(create);
    H5Fflush(file, H5F_SCOPE_GLOBAL);
}

static void assert_read(nm_h5 *h5, const char *name, nm_h5_type type, const char *words)
{
    double values[8];
    ck_assert_int_eq(nm_h5_read(h5, name, type, 1, (size_t[]){4}, values), NM_INVALID);
    ck_assert_msg(strstr(nm_error_message(ctx, 0), words), "%s", nm_error_message(ctx, 0));
    nm_errors_clear(ctx);
}

/* What is refused between two reads of a dataset leaves the second as the first. */
START_TEST(refused_between_reads)
{
    static const uint8_t written[4] = {3, 1, 4, 2};
    hid_t file = create_file(), space = H5Screate_simple(1, (hsize_t[]){4}, NULL);
    hid_t create = chunked(1, (hsize_t[]){2});
    hid_t set = H5Dcreate2(file, "/good", H5T_NATIVE_UINT8, space, H5P_DEFAULT, create, H5P_DEFAULT);
    H5Dwrite(set, H5T_NATIVE_UINT8, H5S_ALL, H5S_ALL, H5P_DEFAULT, written);
    H5Dclose(set);
    H5Pclose(create);
    H5Sclose(space);
    put_through_unknown_filter(file);
    H5Fclose(file);
    H5Zunregister(307);
    nm_h5 *h5;
    ck_assert_int_eq(nm_h5_open(ctx, path, false, &h5), NM_OK);
    for (int i = 0; i < 3; i++) {
        uint8_t values[4] = {0};
        ck_assert_int_eq(nm_h5_read(h5, "/good", NM_H5_U8, 1, (size_t[]){4}, values), NM_OK);
        ck_assert_mem_eq(values, written, 4);
        assert_read(h5, "/filter", NM_H5_U8, "filter 307");
    }
    nm_h5_free(h5);
}
END_TEST

START_TEST(wrong_types)
{
    hid_t file = create_file(), compound = H5Tcreate(H5T_COMPOUND, 8), list = H5Tvlen_create(H5T_NATIVE_INT32);
    hid_t reference = H5Tcopy(H5T_STD_REF_OBJ);
    H5Tinsert(compound, "a", 0, H5T_NATIVE_DOUBLE);
    put(file, "/compound", compound, 1, (hsize_t[]){4}, NULL, H5P_DEFAULT);
    put(file, "/list", list, 1, (hsize_t[]){4}, NULL, H5P_DEFAULT);
    put(file, "/reference", reference, 1, (hsize_t[]){4}, NULL, H5P_DEFAULT);
    put(file, "/unwritten", H5T_NATIVE_INT32, 1, (hsize_t[]){4}, NULL, H5P_DEFAULT);
    put_through_unknown_filter(file);
    H5Fclose(file);
    H5Zunregister(307);
    nm_h5 *h5;
    int32_t values[4] = {1, 1, 1, 1};
    char *text;
    ck_assert_int_eq(nm_h5_open(ctx, path, false, &h5), NM_OK);
    assert_read(h5, "/compound", NM_H5_F64, "/compound: expected numbers, found another type");
    assert_read(h5, "/list", NM_H5_F64, "/list: expected numbers, found another type");
    assert_read(h5, "/reference", NM_H5_I64, "/reference: expected numbers, found another type");
    assert_read(h5, "/filter", NM_H5_U8, "/filter: compressed with bzip2 (filter 307)");
    ck_assert_int_eq(nm_h5_read_text(h5, "/list", &text), NM_INVALID);
    ck_assert_int_eq(nm_h5_read_lines(h5, "/list", &text), NM_INVALID);
    ck_assert_int_eq(nm_h5_read(h5, "/unwritten", NM_H5_I32, 1, (size_t[]){4}, values), NM_OK);
    ck_assert(values[0] == 0 && values[3] == 0);
    nm_h5_free(h5);
    H5Tclose(compound);
    H5Tclose(list);
    H5Tclose(reference);
}
END_TEST

static void write_long_text(nm_h5 *h5, const char *name, size_t length)
{
    char *text = nm_alloc(ctx, length + 1, 1);
    memset(text, 't', length);
    ck_assert_int_eq(nm_h5_write_text(h5, name, text), NM_OK);
    nm_free(text);
}

START_TEST(long_texts)
{
    nm_h5 *h5;
    char *text;
    ck_assert_int_eq(nm_h5_new(ctx, path, &h5), NM_OK);
    write_long_text(h5, "/a", 1 << 20);
    write_long_text(h5, "/b", (1 << 20) + 1);
    write_long_text(h5, "/c", (16 << 20) + 1);
    write_long_text(h5, "/d", 0);
    ck_assert_int_eq(nm_h5_save(h5, path, true), NM_OK);
    nm_h5_free(h5);
    ck_assert_int_eq(nm_h5_open(ctx, path, true, &h5), NM_OK);
    ck_assert_int_eq(nm_h5_read_text(h5, "/a", &text), NM_OK);
    ck_assert_uint_eq(strlen(text), 1 << 20);
    nm_free(text);
    ck_assert_int_eq(nm_h5_read_text(h5, "/b", &text), NM_INVALID);
    ck_assert_int_eq(nm_h5_read_lines(h5, "/b", &text), NM_OK);
    ck_assert_uint_eq(strlen(text), (1 << 20) + 1);
    nm_free(text);
    ck_assert_int_eq(nm_h5_read_text(h5, "/d", &text), NM_OK);
    ck_assert_str_eq(text, "");
    nm_free(text);
    ck_assert_int_eq(nm_h5_read_lines(h5, "/c", &text), NM_INVALID);
    nm_h5_free(h5);
}
END_TEST

/* ---- rows of every storage are the right ones -------------------------------------------- */

enum { ROWS = 1000, LINE = 37 };

static void put_rows(hid_t file, const char *name, hid_t type, hid_t create, const double *values)
{
    hid_t space = H5Screate_simple(2, (hsize_t[]){ROWS, LINE}, NULL);
    hid_t set = H5Dcreate2(file, name, type, space, H5P_DEFAULT, create, H5P_DEFAULT);
    ck_assert(H5Dwrite(set, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, values) >= 0);
    H5Dclose(set);
    H5Sclose(space);
}

START_TEST(rows_of_every_storage)
{
    static double values[ROWS * LINE], found[ROWS * LINE];
    static const char *const names[] = {"/plain",  "/other_order", "/packed", "/one_chunk",
                                        "/narrow", "/lines",       "/tiles"};
    hid_t file = create_file_behind(_i ? 1024 : 0), packed = chunked(2, (hsize_t[]){7, 10}),
          one = chunked(2, (hsize_t[]){ROWS, LINE});
    hid_t lines = chunked(2, (hsize_t[]){30, LINE}), tiles = chunked(2, (hsize_t[]){7, 10});
    H5Pset_shuffle(packed);
    H5Pset_deflate(packed, 1);
    H5Pset_fletcher32(packed);
    for (int i = 0; i < ROWS * LINE; i++)
        values[i] = i;
    put_rows(file, names[0], H5T_IEEE_F64LE, H5P_DEFAULT, values);
    put_rows(file, names[1], H5T_IEEE_F64BE, H5P_DEFAULT, values);
    put_rows(file, names[2], H5T_IEEE_F32LE, packed, values);
    put_rows(file, names[3], H5T_STD_U64BE, one, values);
    put_rows(file, names[4], H5T_STD_I32LE, H5P_DEFAULT, values);
    put_rows(file, names[5], H5T_IEEE_F64LE, lines, values);
    put_rows(file, names[6], H5T_IEEE_F64LE, tiles, values);
    H5Lcreate_hard(file, names[0], file, "/same", H5P_DEFAULT, H5P_DEFAULT);
    H5Fclose(file);
    nm_h5 *h5;
    ck_assert_int_eq(nm_h5_open(ctx, path, false, &h5), NM_OK);
    for (int i = 0; i < 7; i++) {
        memset(found, 0, sizeof found);
        ck_assert_int_eq(nm_h5_read(h5, names[i], NM_H5_F64, 2, (size_t[]){ROWS, LINE}, found), NM_OK);
        ck_assert_msg(memcmp(values, found, sizeof found) == 0, "%s", names[i]);
        memset(found, 0, sizeof found);
        ck_assert_int_eq(nm_h5_read_rows(h5, names[i], NM_H5_F64, 13, 600, found), NM_OK);
        ck_assert_msg(memcmp(values + 13 * LINE, found, sizeof(double) * 600 * LINE) == 0, "%s", names[i]);
        ck_assert_int_eq(nm_h5_read_rows(h5, names[i], NM_H5_F64, ROWS, 0, found), NM_OK);
        ck_assert_int_eq(nm_h5_read_rows(h5, names[i], NM_H5_F64, SIZE_MAX, 2, found), NM_INVALID);
        nm_errors_clear(ctx);
    }
    ck_assert_int_eq(nm_h5_read(h5, "/same", NM_H5_F64, 2, (size_t[]){ROWS, LINE}, found), NM_OK);
    ck_assert(memcmp(values, found, sizeof found) == 0);
    nm_h5_free(h5);
    H5Pclose(packed);
    H5Pclose(one);
    H5Pclose(lines);
    H5Pclose(tiles);
}
END_TEST

/* Chunks that were never written hold the fill value. */
START_TEST(rows_that_were_never_written)
{
    enum { WRITTEN = 14, FIRST = 21, ALL = 60 };
    hid_t file = create_file(), lines = chunked(2, (hsize_t[]){7, LINE});
    hid_t space = H5Screate_simple(2, (hsize_t[]){ALL, LINE}, NULL), part;
    double fill = 0.5, values[WRITTEN * LINE], found[ALL * LINE];
    H5Pset_fill_value(lines, H5T_NATIVE_DOUBLE, &fill);
    for (int i = 0; i < WRITTEN * LINE; i++)
        values[i] = i;
    hid_t set = H5Dcreate2(file, "/x", H5T_IEEE_F64LE, space, H5P_DEFAULT, lines, H5P_DEFAULT);
    part = H5Screate_simple(2, (hsize_t[]){WRITTEN, LINE}, NULL);
    H5Sselect_hyperslab(space, H5S_SELECT_SET, (hsize_t[]){FIRST, 0}, NULL, (hsize_t[]){WRITTEN, LINE}, NULL);
    ck_assert(H5Dwrite(set, H5T_NATIVE_DOUBLE, part, space, H5P_DEFAULT, values) >= 0);
    H5Dclose(set);
    H5Sclose(space);
    H5Sclose(part);
    H5Pclose(lines);
    H5Fclose(file);
    nm_h5 *h5;
    ck_assert_int_eq(nm_h5_open(ctx, path, false, &h5), NM_OK);
    ck_assert_int_eq(nm_h5_read(h5, "/x", NM_H5_F64, 2, (size_t[]){ALL, LINE}, found), NM_OK);
    for (int i = 0; i < ALL * LINE; i++) {
        bool written = i / LINE >= FIRST && i / LINE < FIRST + WRITTEN;
        ck_assert(found[i] == (written ? values[i - FIRST * LINE] : fill));
    }
    nm_h5_free(h5);
}
END_TEST

enum { BOX_SETS = 60, BOX = 11 * 5 * 7 * 3 };
static const hsize_t box[] = {11, 5, 7, 3};

/* Values in [from, 11) of the first dimension are never written: some chunks are not there. */
static void put_box(hid_t file, const char *name, hid_t type, const hsize_t *chunk, hsize_t rows, const double *values)
{
    const hsize_t most[] = {H5S_UNLIMITED, 5, 7, 3}, extent[] = {rows, 5, 7, 3};
    const double fill = 9;
    hid_t create = chunked(4, chunk), space = H5Screate_simple(4, box, most), part = H5Screate_simple(4, extent, NULL);
    H5Pset_fill_value(create, H5T_NATIVE_DOUBLE, &fill);
    hid_t set = H5Dcreate2(file, name, type, space, H5P_DEFAULT, create, H5P_DEFAULT);
    H5Sselect_hyperslab(space, H5S_SELECT_SET, (hsize_t[]){0, 0, 0, 0}, NULL, extent, NULL);
    ck_assert(H5Dwrite(set, H5T_NATIVE_DOUBLE, part, space, H5P_DEFAULT, values) >= 0);
    H5Dclose(set);
    H5Sclose(part);
    H5Sclose(space);
    H5Pclose(create);
}

/* Chunks that are narrower than the rows, of any shape. */
START_TEST(chunks_of_every_shape)
{
    enum { ROW = 5 * 7 * 3 };
    static double values[BOX], found[BOX];
    hid_t file = create_file();
    unsigned random = 11;
    for (int i = 0; i < BOX; i++)
        values[i] = i % 200;
    hsize_t rows[BOX_SETS];
    char name[16];
    for (int k = 0; k < BOX_SETS; k++) {
        hsize_t chunk[4];
        for (int i = 0; i < 4; i++)
            chunk[i] = 1 + (hsize_t)rand_r(&random) % (i == 0 ? 14 : box[i]);
        rows[k] = 1 + (hsize_t)rand_r(&random) % 11;
        snprintf(name, sizeof name, "/box%d", k);
        put_box(file, name,
                k % 3 == 0   ? H5T_STD_U8LE
                : k % 3 == 1 ? H5T_STD_I16BE
                             : H5T_IEEE_F32LE,
                chunk, rows[k], values);
    }
    H5Fclose(file);
    nm_h5 *h5;
    ck_assert_int_eq(nm_h5_open(ctx, path, false, &h5), NM_OK);
    for (int k = 0; k < BOX_SETS; k++) {
        size_t first = (size_t)rand_r(&random) % 11, count = 1 + (size_t)rand_r(&random) % (11 - first);
        snprintf(name, sizeof name, "/box%d", k);
        ck_assert_int_eq(nm_h5_read_rows(h5, name, NM_H5_F64, first, count, found), NM_OK);
        for (size_t i = 0; i < count * ROW; i++) {
            double expected = first + i / ROW < rows[k] ? values[first * ROW + i] : 9;
            ck_assert_msg(found[i] == expected, "%s: number %zu: %g, expected %g", name, i, found[i], expected);
        }
        uint8_t bytes[BOX];
        if (k % 3 != 0)
            continue;
        ck_assert_int_eq(nm_h5_read(h5, name, NM_H5_U8, 4, (size_t[]){11, 5, 7, 3}, bytes), NM_OK);
        for (size_t i = 0; i < BOX; i++)
            ck_assert(bytes[i] == (i / ROW < rows[k] ? values[i] : 9));
    }
    nm_h5_free(h5);
}
END_TEST

/* The library finds a chunk by going through all: it is not asked for so many. */
START_TEST(many_small_chunks)
{
    enum { MANY = 20000, WIDTH = 4 };
    static uint8_t values[MANY * WIDTH], found[MANY * WIDTH];
    hid_t file = create_file(), create = chunked(2, (hsize_t[]){1, WIDTH});
    for (int i = 0; i < MANY * WIDTH; i++)
        values[i] = (uint8_t)(i * 7);
    hid_t space = H5Screate_simple(2, (hsize_t[]){MANY, WIDTH}, NULL);
    hid_t set = H5Dcreate2(file, "/x", H5T_NATIVE_UINT8, space, H5P_DEFAULT, create, H5P_DEFAULT);
    ck_assert(H5Dwrite(set, H5T_NATIVE_UINT8, H5S_ALL, H5S_ALL, H5P_DEFAULT, values) >= 0);
    H5Dclose(set);
    H5Sclose(space);
    H5Pclose(create);
    H5Fclose(file);
    nm_h5 *h5;
    ck_assert_int_eq(nm_h5_open(ctx, path, false, &h5), NM_OK);
    nm_status status = nm_h5_read(h5, "/x", NM_H5_U8, 2, (size_t[]){MANY, WIDTH}, found);
    ck_assert_msg(status == NM_OK, "%s", nm_error_message(ctx, 0));
    ck_assert(memcmp(found, values, sizeof values) == 0);
    nm_h5_free(h5);
}
END_TEST

static void set_up(TCase *tcase)
{
    tcase_add_checked_fixture(tcase, set_up_path, tear_down_path);
    tcase_add_loop_test(tcase, rows_of_every_storage, 0, 2); /* from the file's beginning, and behind a user block */
}

SUITE_WITH("h5_reading", set_up, wrong_types, refused_between_reads, long_texts, rows_that_were_never_written,
           chunks_of_every_shape, many_small_chunks)
