/* What a checkpoint holds, read without its network. */
#include "checkpoint_changes.h"
#include "contents.h"

static void save(const char *name)
{
    saved s = make_saved();
    ck_assert_done(nm_checkpoint_save(ctx, in_folder(name), s.net, &s.state));
    free_saved(&s);
}

START_TEST(objects_and_numbers)
{
    nm_contents *c;
    int64_t step;
    uint64_t steps[2];
    save("a.h5");
    ck_assert_done(nm_contents_open(ctx, in_folder("a.h5"), true, &c));
    ck_assert_done(nm_contents_list(c));
    ck_assert_ptr_null(c->problem);
    ck_assert_ptr_null(c->digest_problem);
    ck_assert(nm_contents_whole(c, "/train/step", NULL, &step) && step == 12);
    ck_assert(!nm_contents_whole(c, "/train/nothing", NULL, &step) && nm_error_count(ctx) == 0);
    const nm_stored *o = nm_contents_find(c, "/history/step"), *w = nm_contents_find(c, "/model/c1/weight");
    ck_assert_ptr_nonnull(o);
    ck_assert_ptr_nonnull(w);
    ck_assert_str_eq(w->layout, "HWIO");
    ck_assert_str_eq(w->kind, "weight");
    ck_assert_int_eq(nm_stored_wide(o), NM_H5_U64);
    ck_assert_uint_eq(nm_stored_rows(o), 2);
    ck_assert_done(nm_contents_rows(c, o, 0, 2, steps));
    ck_assert(steps[0] == 5 && steps[1] == 10);
    for (int i = 0; i < c->count; i++)
        ck_assert_ptr_null(c->object[i].problem);
    nm_contents_free(c);
}
END_TEST

/* Without memory for one of its steps it fails as such, and keeps nothing. */
START_TEST(without_memory)
{
    nm_contents *c;
    save("a.h5");
    for (int verified = 0; verified < 2; verified++)
        for (long k = 1;; k++) {
            nm_alloc_fail_at(k);
            nm_status status = nm_contents_open(ctx, in_folder("a.h5"), verified, &c);
            if (status == NM_OK) {
                status = nm_contents_list(c);
                nm_contents_free(c);
            } else
                ck_assert_ptr_null(c);
            bool enough = nm_alloc_count() < k;
            nm_alloc_fail_at(0);
            nm_errors_clear(ctx);
            ck_assert_int_eq(status, enough ? NM_OK : NM_FAILED);
            if (enough)
                break;
        }
}
END_TEST

/* Numbers of every width that HDF5 has, and what is none, in a file of others. */
START_TEST(numbers_of_every_width)
{
    const hid_t types[] = {H5T_STD_I8LE,  H5T_STD_U8LE,  H5T_STD_I16BE,  H5T_STD_U16LE, H5T_STD_I32LE,
                           H5T_STD_U32BE, H5T_STD_I64LE, H5T_IEEE_F32BE, H5T_IEEE_F64LE};
    static const char values[24];
    hid_t file = H5Fcreate(in_folder("b.h5"), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    for (int i = 0; i < 9; i++) {
        char name[16];
        snprintf(name, sizeof name, "/n%d", i);
        put(file, name, types[i], 1, (hsize_t[]){3}, values);
    }
    hid_t compound = H5Tcreate(H5T_COMPOUND, 8);
    H5Tinsert(compound, "a", 0, H5T_NATIVE_DOUBLE);
    put(file, "/z", compound, 1, (hsize_t[]){3}, values);
    H5Tclose(compound);
    H5Fclose(file);
    nm_contents *c;
    ck_assert_int_eq(nm_contents_open(ctx, in_folder("b.h5"), true, &c), NM_INVALID); /* it has no digest */
    nm_errors_clear(ctx);
    ck_assert_done(nm_contents_open(ctx, in_folder("b.h5"), false, &c));
    ck_assert_done(nm_contents_list(c));
    ck_assert_ptr_nonnull(c->digest_problem);
    ck_assert_int_eq(c->count, 10);
    for (int i = 0; i < 9; i++) {
        int64_t numbers[3] = {1, 1, 1};
        ck_assert_done(nm_contents_rows(c, &c->object[i], 0, 3, numbers));
        ck_assert(numbers[0] == 0 && numbers[2] == 0);
    }
    int64_t numbers[3];
    ck_assert_ptr_nonnull(strstr(c->object[9].problem, "expected numbers or text, found another type of 3"));
    ck_assert_int_eq(nm_contents_rows(c, &c->object[9], 0, 3, numbers), NM_INVALID);
    assert_message(WORDS("/z: expected numbers or text"));
    nm_contents_free(c);
}
END_TEST

/* More objects than a first guess, rows longer than a block, and arrays that together are larger
 * than their file. */
START_TEST(many_and_large_arrays)
{
    enum { MANY = 100, WIDE = 1 << 17, LARGE = 1 << 20 };
    static const char bytes[2 * WIDE];
    hid_t file = H5Fcreate(in_folder("b.h5"), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    hid_t create = H5Pcreate(H5P_DATASET_CREATE), space = H5Screate_simple(1, (hsize_t[]){LARGE}, NULL);
    for (int i = 0; i < MANY; i++) {
        char name[16];
        snprintf(name, sizeof name, "/n%d", i);
        put(file, name, H5T_STD_U8LE, 1, (hsize_t[]){1}, bytes);
    }
    put(file, "/wide", H5T_STD_U8LE, 2, (hsize_t[]){2, WIDE}, bytes);
    H5Pset_chunk(create, 1, (hsize_t[]){1 << 16});
    H5Dclose(H5Dcreate2(file, "/zz", H5T_STD_U8LE, space, H5P_DEFAULT, create, H5P_DEFAULT));
    H5Pclose(create);
    H5Sclose(space);
    H5Fclose(file);
    nm_contents *c;
    ck_assert_done(nm_contents_open(ctx, in_folder("b.h5"), false, &c));
    ck_assert_done(nm_contents_list(c));
    ck_assert_int_eq(c->count, MANY + 2);
    const nm_stored *wide = nm_contents_find(c, "/wide"), *large = nm_contents_find(c, "/zz");
    ck_assert(nm_stored_block(wide) == 1 && nm_stored_row(wide) == WIDE && wide->problem == NULL);
    ck_assert_ptr_nonnull(strstr(large->problem, "expected arrays that are not larger than the file"));
    nm_contents_free(c);
}
END_TEST

/* Why it is no whole file of norma's, and why HDF5 cannot read it. */
START_TEST(what_is_no_checkpoint)
{
    nm_contents *c;
    write_content(in_folder("text"), "no HDF5", 7);
    ck_assert_int_eq(nm_contents_open(ctx, in_folder("text"), false, &c), NM_INVALID);
    assert_message(WORDS("text", "; ", "not a readable HDF5 file"));
    ck_assert_int_eq(nm_contents_open(ctx, in_folder("text"), true, &c), NM_INVALID);
    ck_assert_int_eq(nm_contents_open(ctx, folder, false, &c), NM_INVALID);
    assert_message(WORDS("expected a checkpoint, found a folder"));
    ck_assert_int_eq(mkfifo(in_folder("pipe"), 0600), 0);
    ck_assert_int_eq(nm_contents_open(ctx, in_folder("pipe"), false, &c), NM_INVALID);
    assert_message(WORDS("expected a checkpoint, found no regular file"));
    ck_assert_int_eq(nm_contents_open(ctx, in_folder("nothing"), false, &c), NM_INVALID);
    ck_assert_ptr_null(c);
}
END_TEST

SUITE_WITH("contents of checkpoints", with_folder, objects_and_numbers, without_memory, numbers_of_every_width,
           many_and_large_arrays, what_is_no_checkpoint)
