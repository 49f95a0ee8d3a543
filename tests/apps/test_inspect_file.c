/* norma inspect: what whole, damaged and hostile files hold. */
#include "changed_checkpoint.h"

#include "error.h"
#include "sanitized.h"

#include <hdf5.h>

START_TEST(a_whole_checkpoint)
{
    expect(0, "norma train tiny.yaml --run r --steps 20");
    said s = expect(0, "norma inspect r/last.h5");
    contains(s.out, "norma checkpoint, format version 1, written by norma 0.");
    contains(s.out, "network tiny, step 20, 1 whole epochs of 16 steps, seed 1\n");
    contains(s.out, "\ndigest right\n");
    contains(s.out, "\nc1/weight                  float32  5x5x1x8       HWIO    weight ");
    json_t *j = parse_json(expect(0, "norma inspect r/last.h5 --json").out), *one;
    ck_assert_str_eq(text_at(j, "network"), "tiny");
    ck_assert_str_eq(text_at(j, "digest"), "right");
    ck_assert(number_at(j, "step") == 20);
    size_t i, found = 0;
    json_array_foreach(json_object_get(j, "objects"), i, one)
    {
        found += strcmp(text_at(one, "path"), "/history/step") == 0 && number_at(one, "largest") == 16;
        found += strcmp(text_at(one, "path"), "/optimizer/logits/bias/momentum") == 0;
    }
    ck_assert_uint_eq(found, 2);
    json_decref(j);
    expect(0, "norma inspect r/last.h5 --model >m.yaml && norma summary m.yaml && diff m.yaml r/model.yaml");
}
END_TEST

START_TEST(numbers)
{
    float values[] = {1, -2, 0, 3, 0, 0};
    nm_h5 *h5;
    nm_context *ctx = nm_context_new();
    values[4] = strtof("nan", NULL);
    values[5] = strtof("-inf", NULL);
    ck_assert_int_eq(nm_h5_new(ctx, "x", &h5), NM_OK);
    ck_assert_int_eq(nm_h5_write(h5, "/model/a/weight", NM_H5_F32, 2, (size_t[]){2, 3}, values), NM_OK);
    ck_assert_int_eq(nm_h5_write(h5, "/model/a/none", NM_H5_F32, 2, (size_t[]){0, 3}, values), NM_OK);
    ck_assert_int_eq(nm_h5_save(h5, "n.h5", true), NM_OK);
    nm_h5_free(h5);
    json_t *j = parse_json(expect(0, "norma inspect n.h5 --json").out),
           *one = entry_of(json_object_get(j, "objects"), 1);
    ck_assert(number_at(one, "least") == -2 && number_at(one, "largest") == 3 && number_at(one, "mean") == 0.5);
    ck_assert(number_at(one, "not_finite") == 2);
    ck_assert(json_is_null(json_object_get(entry_of(json_object_get(j, "objects"), 0), "least")));
    json_decref(j);
    contains(expect(0, "norma inspect n.h5").out, "2 not finite\n");
    nm_context_free(ctx);
}
END_TEST

/* What can be read is told, and what is wrong; nothing crashes it. */
START_TEST(damaged_checkpoints)
{
    expect(0, "norma train tiny.yaml --run r --steps 4 && cp r/last.h5 x.h5");
    size_t size;
    char *bytes = bytes_of("r/last.h5", &size);
    static const size_t lengths[] = {0, 20, 512, 700, 5000};
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        write_bytes("x.h5", bytes, lengths[i]);
        contains(expect(2, "norma inspect x.h5").err, i < 1 ? "not a file that norma wrote" : "cut");
    }
    bytes[6000] = (char)(bytes[6000] ^ 4);
    write_bytes("x.h5", bytes, size);
    said s = expect(2, "norma inspect x.h5");
    contains(s.out, "digest wrong: x.h5: damaged: expected SHA-256 ");
    contains(s.out, "\nc1/weight  ");
    bytes[6000] = (char)(bytes[6000] ^ 4);
    for (size_t k = 0; k < 60; k++) { /* with a digest that is right */
        size_t at = NM_H5_USER_BLOCK + (k * 7919 + 13) % (k < 40 ? 3000 : size - NM_H5_USER_BLOCK);
        char was = bytes[at];
        bytes[at] = (char)(was ^ (1 << k % 8));
        sign(bytes, size);
        write_bytes("x.h5", bytes, size);
        bytes[at] = was;
        s = shell("timeout 20 \"$NORMA_PROGRAM\" inspect x.h5; code=$?; rm -f core*; exit $code");
        bool theirs = SANITIZED && strstr(s.err, "libhdf5"); /* a fault of the library ends the process there */
        ck_assert_msg(s.status == 0 || s.status == 2 || theirs, "byte %zu: exit status %d: %s", at, s.status, s.err);
    }
    free(bytes);
    contains(expect(2, "norma inspect nothing.h5").err, "nothing.h5: cannot open: No such file");
    contains(expect(2, "norma inspect r").err, "r: expected a checkpoint, found a folder");
    contains(expect(2, "norma inspect tiny.yaml").err, "tiny.yaml: not a file that norma wrote");
    contains(expect(2, "mkfifo f && timeout 5 \"$NORMA_PROGRAM\" inspect f").err, "f: expected a checkpoint, found no");
    contains(expect(2, "norma inspect").err, "which FILE?");
}
END_TEST

/* ---- files that other programs make --------------------------------------------------------- */

/* Chunked, with nothing in it: small on the disk, and as large as it says in memory. */
static void write_sparse(hid_t file, const char *name)
{
    hsize_t dims[] = {40000, 300, 300}, chunk[] = {1, 300, 300};
    hid_t space = H5Screate_simple(3, dims, NULL), how = H5Pcreate(H5P_DATASET_CREATE);
    H5Pset_chunk(how, 3, chunk);
    H5Pset_deflate(how, 9);
    ck_assert_int_ge(H5Dclose(H5Dcreate2(file, name, H5T_STD_U8LE, space, H5P_DEFAULT, how, H5P_DEFAULT)), 0);
    H5Pclose(how);
    H5Sclose(space);
}

/* Its numbers lie in another file, which everyone may read. */
static void write_external(hid_t file, const char *name)
{
    hsize_t dims[] = {16};
    hid_t space = H5Screate_simple(1, dims, NULL), how = H5Pcreate(H5P_DATASET_CREATE);
    H5Pset_external(how, "/etc/passwd", 0, 64);
    ck_assert_int_ge(H5Dclose(H5Dcreate2(file, name, H5T_IEEE_F32LE, space, H5P_DEFAULT, how, H5P_DEFAULT)), 0);
    H5Pclose(how);
    H5Sclose(space);
}

static hid_t new_file(void)
{
    hid_t file = H5Fcreate("h.h5", H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    ck_assert_int_ge(file, 0);
    return file;
}

static said inspect_hostile(hid_t file)
{
    H5Fclose(file);
    /* the sanitizers map terabytes */
    return expect(2, "%s timeout 20 \"$NORMA_PROGRAM\" inspect h.h5", SANITIZED ? "" : "ulimit -v 2000000;");
}

START_TEST(hostile_structures)
{
    hid_t file = new_file(), group;
    write_sparse(file, "sparse");
    contains(inspect_hostile(file).err, "/sparse: it takes 3434 MiB, of which the file holds 0 bytes");
    file = new_file();
    write_external(file, "weight");
    contains(inspect_hostile(file).err, "/weight: its values are stored in another file");
    file = new_file();
    write_external(file, "weight");
    H5Lcreate_external("/etc/passwd", "/", file, "elsewhere", H5P_DEFAULT, H5P_DEFAULT);
    contains(inspect_hostile(file).err, "/elsewhere: found an external link");
    file = new_file(); /* a group that is in itself */
    group = H5Gcreate2(file, "g", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    H5Lcreate_hard(file, "/", group, "again", H5P_DEFAULT, H5P_DEFAULT);
    H5Gclose(group);
    contains(inspect_hostile(file).err, "/g/again: a group that holds itself");
    file = new_file();
    for (int i = 0; i < 5000; i++) {
        char name[16];
        snprintf(name, sizeof name, "g%d", i);
        H5Gclose(H5Gcreate2(file, name, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
    }
    contains(inspect_hostile(file).err, "found more than 4096 groups and datasets");
}
END_TEST

START_TEST(hostile_names)
{
    nm_h5 *h5;
    nm_context *ctx = nm_context_new();
    float x = 1;
    ck_assert_int_eq(nm_h5_new(ctx, "x", &h5), NM_OK);
    ck_assert_int_eq(nm_h5_note_text(h5, "/", "format", "norma\x1b]0;owned\a\xc2\x9b \xe2\x80\xae"), NM_OK);
    ck_assert_int_eq(nm_h5_write(h5, "/model/\x1b[31mred\n\r\x7f\xff/weight", NM_H5_F32, 0, NULL, &x), NM_OK);
    ck_assert_int_eq(nm_h5_note_text(h5, "/model/\x1b[31mred\n\r\x7f\xff/weight", "layout", "\x1b[2J"), NM_OK);
    ck_assert_int_eq(nm_h5_write_text(h5, "/model_yaml", "name: \x1b[1m\nb: `id` $(id)\n"), NM_OK);
    ck_assert_int_eq(nm_h5_save(h5, "n.h5", true), NM_OK);
    nm_h5_free(h5);
    static const char *const flags[] = {"", "--json", "--model"};
    for (size_t i = 0; i < 3; i++) {
        said s = expect(0, "norma inspect n.h5 %s", flags[i]);
        for (const unsigned char *c = (const unsigned char *)s.out; *c; c++)
            ck_assert_msg((*c >= ' ' && *c < 0x7f) || *c == '\n', "byte %d in: %s", *c, s.out);
    }
    said s = expect(0, "norma inspect n.h5");
    contains(s.out, "\n\\x1b[31mred\\n\\x0d\\x7f\\xff/weight ");
    contains(s.out, "norma\\x1b]0;owned\\x07\\u009b \\u202e, ");
    nm_context_free(ctx);
}
END_TEST

SUITE_WITH("norma inspect", in_own_folder, a_whole_checkpoint, numbers, damaged_checkpoints, hostile_structures,
           hostile_names)
