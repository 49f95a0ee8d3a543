/* Element types and texts as HDF5 has them: what each is taken for, and what is read from it. */
#include "h5_support.h"

static hid_t enumeration(hid_t of, const char *first, int one, const char *second, int two)
{
    hid_t type = H5Tenum_create(of);
    int8_t values[2][2] = {{(int8_t)one, 0}, {(int8_t)two, 0}}; /* as one byte, or as two, little-endian */
    H5Tenum_insert(type, first, values[0]);
    H5Tenum_insert(type, second, values[1]);
    return type;
}

static hid_t of_size(hid_t like, size_t size)
{
    hid_t type = H5Tcopy(like);
    H5Tset_precision(type, 8 * size);
    H5Tset_size(type, size);
    return type;
}

static hid_t half(void)
{
    hid_t type = H5Tcopy(H5T_IEEE_F32LE);
    H5Tset_fields(type, 15, 10, 5, 0, 10);
    H5Tset_size(type, 2);
    H5Tset_ebias(type, 15);
    return type;
}

START_TEST(types_of_every_kind)
{
    hid_t three = enumeration(H5T_STD_I8LE, "FALSE", 0, "TRUE", 1);
    H5Tenum_insert(three, "MAYBE", &(int8_t){2});
    const struct {
        hid_t type;
        const char *name;
    } table[] = {
        {H5Tcopy(H5T_STD_I8LE), "int8"},
        {H5Tcopy(H5T_STD_U8LE), "uint8"},
        {H5Tcopy(H5T_STD_I16BE), "int16"},
        {H5Tcopy(H5T_STD_U16LE), "uint16"},
        {of_size(H5T_STD_I32LE, 3), "another type"},
        {H5Tcopy(H5T_STD_I32BE), "int32"},
        {H5Tcopy(H5T_STD_U32LE), "uint32"},
        {H5Tcopy(H5T_STD_I64LE), "int64"},
        {H5Tcopy(H5T_STD_U64LE), "uint64"},
        {half(), "float16"},
        {H5Tcopy(H5T_IEEE_F32BE), "float32"},
        {H5Tcopy(H5T_IEEE_F64LE), "float64"},
        {H5Tcopy(H5T_NATIVE_LDOUBLE), "another type"},
        {enumeration(H5T_STD_I8LE, "FALSE", 0, "TRUE", 1), "bool"},
        {enumeration(H5T_STD_I8LE, "FALSE", 1, "TRUE", 0), "another type"},
        {enumeration(H5T_STD_I8LE, "FALSE", 0, "TRUE", 2), "another type"},
        {enumeration(H5T_STD_I8LE, "FALSE", 0, "YES", 1), "another type"},
        {enumeration(H5T_STD_I8LE, "NO", 0, "TRUE", 1), "another type"},
        {enumeration(H5T_STD_I16LE, "FALSE", 0, "TRUE", 1), "another type"},
        {three, "another type"},
    };
    enum { COUNT = sizeof table / sizeof *table };
    hid_t file = create_file();
    char name[16];
    for (int i = 0; i < COUNT; i++) {
        snprintf(name, sizeof name, "/t%d", i);
        put(file, name, table[i].type, 1, (hsize_t[]){4}, NULL, H5P_DEFAULT);
        H5Tclose(table[i].type);
    }
    H5Fclose(file);
    nm_h5 *h5;
    ck_assert_int_eq(nm_h5_open(ctx, path, false, &h5), NM_OK);
    for (int i = 0; i < COUNT; i++) {
        nm_h5_shape shape;
        double values[4] = {1, 1, 1, 1};
        snprintf(name, sizeof name, "/t%d", i);
        ck_assert_int_eq(nm_h5_look(h5, name, &shape), NM_OK);
        ck_assert_str_eq(nm_h5_type_name(shape.type), table[i].name);
        bool number = strcmp(table[i].name, "another type") != 0;
        nm_status status = nm_h5_read(h5, name, NM_H5_F64, 1, (size_t[]){4}, values);
        ck_assert_msg(status == (number ? NM_OK : NM_INVALID), "%s: status %d", name, status);
        ck_assert(values[0] == (number ? 0 : 1) && values[3] == values[0]);
        bool whole = number && !strstr(table[i].name, "float") && !strstr(table[i].name, "bool");
        ck_assert(nm_h5_is_integer(shape.type) == whole);
        nm_errors_clear(ctx);
    }
    nm_h5_free(h5);
}
END_TEST

/* ---- texts --------------------------------------------------------------------------------- */

static hid_t fixed(size_t size, H5T_str_t pad)
{
    hid_t type = H5Tcopy(H5T_C_S1);
    H5Tset_size(type, size);
    H5Tset_strpad(type, pad);
    return type;
}

static void put_texts(hid_t file, const char *name, hid_t type, hsize_t count, const void *texts)
{
    hid_t space = H5Screate_simple(1, &count, NULL);
    hid_t set = H5Dcreate2(file, name, type, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    if (texts)
        ck_assert(H5Dwrite(set, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, texts) >= 0);
    H5Dclose(set);
    H5Sclose(space);
    H5Tclose(type);
}

/* A line for each string; white space at its end is none of its own. */
START_TEST(texts_as_lines)
{
    static const struct {
        const char *name, *expected; /* NULL: refused */
    } table[] = {{"/spaces", "cat\ndog"},  {"/zeros", "cat \ndog"}, {"/ends", "a\nb\nc"},
                 {"/document", "a\nb\rc"}, {"/unwritten", "\n"},    {"/several", NULL}};
    const char *ends[] = {"a\r\n", "b\n\n", "c\r"}, *document[] = {"a\r\nb\rc\r\n"}, *several[] = {"a\nb", "c"};
    hid_t file = create_file();
    put_texts(file, "/spaces", fixed(4, H5T_STR_SPACEPAD), 2, "cat dog ");
    put_texts(file, "/zeros", fixed(4, H5T_STR_NULLPAD), 2, "cat dog");
    put_texts(file, "/ends", fixed(H5T_VARIABLE, H5T_STR_NULLTERM), 3, ends);
    put_texts(file, "/document", fixed(H5T_VARIABLE, H5T_STR_NULLTERM), 1, document);
    put_texts(file, "/unwritten", fixed(H5T_VARIABLE, H5T_STR_NULLTERM), 2, NULL);
    put_texts(file, "/several", fixed(H5T_VARIABLE, H5T_STR_NULLTERM), 2, several);
    H5Fclose(file);
    nm_h5 *h5;
    ck_assert_int_eq(nm_h5_open(ctx, path, false, &h5), NM_OK);
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        char *text;
        nm_status status = nm_h5_read_lines(h5, table[i].name, &text);
        ck_assert_msg(status == (table[i].expected ? NM_OK : NM_INVALID), "%s: status %d", table[i].name, status);
        if (table[i].expected)
            ck_assert_str_eq(text, table[i].expected);
        else
            ck_assert_ptr_nonnull(strstr(nm_error_message(ctx, 0), "string 0 of the list has several lines"));
        nm_free(text);
    }
    nm_h5_free(h5);
}
END_TEST

START_TEST(more_strings_than_lines_are_read)
{
    enum { MANY = (16 << 20) + 1 };
    hid_t file = create_file(), create = chunked(1, (hsize_t[]){1 << 16});
    hid_t type = fixed(1, H5T_STR_NULLPAD);
    nm_h5 *h5;
    char *text;
    H5Pset_deflate(create, 1);
    put(file, "/many", type, 1, (hsize_t[]){MANY}, NULL, create);
    H5Tclose(type);
    H5Fclose(file);
    ck_assert_int_eq(nm_h5_open(ctx, path, false, &h5), NM_OK);
    ck_assert_int_eq(nm_h5_read_lines(h5, "/many", &text), NM_INVALID);
    ck_assert_ptr_nonnull(strstr(nm_error_message(ctx, 0), "strings, found 16777217"));
    nm_h5_free(h5);
}
END_TEST

/* What is asked of an object that is not there, or is of another kind. */
static nm_status visit_nothing(void *arg, const char *name, bool is_group)
{
    (void)arg, (void)name, (void)is_group;
    return NM_FAILED;
}

START_TEST(questions_beside_the_file)
{
    nm_h5 *h5;
    nm_h5_shape shape;
    float values[2];
    char *text;
    ck_assert_int_eq(nm_h5_new(ctx, path, &h5), NM_OK);
    ck_assert_int_eq(nm_h5_write(h5, "/x", NM_H5_F32, 1, (size_t[]){2}, (float[]){1, 2}), NM_OK);
    ck_assert_int_eq(nm_h5_save(h5, path, true), NM_OK);
    nm_h5_free(h5);
    ck_assert_int_eq(nm_h5_open(ctx, path, true, &h5), NM_OK);
    ck_assert_int_eq(nm_h5_look(h5, "/no", &shape), NM_INVALID);
    ck_assert_int_eq(nm_h5_read_lines(h5, "/no", &text), NM_INVALID);
    ck_assert_int_eq(nm_h5_read_note_text(h5, "/no", "a", &text), NM_INVALID);
    ck_assert_int_eq(nm_h5_read_rows(h5, "/no", NM_H5_F32, 0, 1, values), NM_INVALID);
    ck_assert_int_eq(nm_h5_each(h5, "/no", visit_nothing, NULL), NM_INVALID);
    for (int i = 0; i < nm_error_count(ctx); i++)
        ck_assert_ptr_nonnull(strstr(nm_error_message(ctx, i), "missing"));
    ck_assert_int_eq(nm_error_count(ctx), 2); /* the same one is kept once */
    nm_errors_clear(ctx);
    ck_assert_int_eq(nm_h5_each(h5, "/x", visit_nothing, NULL), NM_INVALID);
    ck_assert_ptr_nonnull(strstr(nm_error_message(ctx, 0), "/x: expected a group, found a dataset"));
    nm_errors_clear(ctx);
    ck_assert_int_eq(nm_h5_read_rows(h5, "/x", NM_H5_I32, 0, 1, values), NM_INVALID);
    ck_assert_ptr_nonnull(strstr(nm_error_message(ctx, 0), "/x: expected whole numbers, found float32"));
    nm_h5_free(h5);
}
END_TEST

/* Zeros, of which the file has a hole; the order of bytes is another than here. */
static void put_large(hid_t file, const char *name, hsize_t rows, hsize_t row)
{
    hid_t create = H5Pcreate(H5P_DATASET_CREATE);
    H5Pset_alloc_time(create, H5D_ALLOC_TIME_EARLY);
    H5Pset_fill_time(create, H5D_FILL_TIME_NEVER);
    put(file, name, H5T_IEEE_F32BE, 2, (hsize_t[]){rows, row}, NULL, create);
}

/* One row fills more than half of the memory that is shared, or does not fit into it. */
START_TEST(rows_as_large_as_memory)
{
    enum { MIB = 1 << 18 }; /* of float */
    hid_t file = create_file();
    put_large(file, "/large", 3, 36 * MIB);
    put_large(file, "/larger", 2, 80 * MIB);
    H5Fclose(file);
    nm_h5 *h5;
    float *values = nm_alloc(ctx, 3 * 36 * (size_t)MIB, sizeof *values);
    memset(values, 1, 3 * 36 * (size_t)MIB * sizeof *values);
    nm_context_set_max_memory(ctx, (size_t)64 << 20);
    ck_assert_int_eq(nm_h5_open(ctx, path, false, &h5), NM_OK);
    ck_assert_int_eq(nm_h5_read_rows(h5, "/large", NM_H5_F32, 0, 3, values), NM_OK);
    for (size_t i = 0; i < 3 * 36 * (size_t)MIB; i += 999)
        ck_assert(values[i] == 0);
    ck_assert_int_eq(nm_h5_read_rows(h5, "/larger", NM_H5_F32, 0, 1, values), NM_INVALID);
    ck_assert_ptr_nonnull(
        strstr(nm_error_message(ctx, 0), "/larger: an entry of 80 MiB; expected at most 64: --max-memory allows more"));
    nm_h5_free(h5);
    nm_free(values);
}
END_TEST

/* As bytes it could be addressed, as what it is read as not. */
START_TEST(more_than_can_be_addressed)
{
    for (int bits = 60; bits <= 61; bits++) {
        hid_t file = create_file();
        nm_h5 *h5;
        put(file, "/x", H5T_STD_U8LE, 1, (hsize_t[]){(hsize_t)1 << bits}, NULL, chunked(1, (hsize_t[]){1024}));
        H5Fclose(file);
        ck_assert_int_eq(nm_h5_open(ctx, path, false, &h5), NM_INVALID);
        ck_assert_ptr_nonnull(strstr(nm_error_message(ctx, 0), "is more than can be addressed"));
        nm_errors_clear(ctx);
    }
}
END_TEST

static void set_up(TCase *tcase)
{
    tcase_add_checked_fixture(tcase, set_up_path, tear_down_path);
}

SUITE_WITH("h5_types", set_up, types_of_every_kind, texts_as_lines, more_strings_than_lines_are_read,
           questions_beside_the_file, rows_as_large_as_memory, more_than_can_be_addressed)
