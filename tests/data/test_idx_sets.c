/* Data sets in IDX files: under every name that their archives unpack to, of any classes, EMNIST
 * turned upright. */
#include "data_support.h"

enum { COUNT = 3, H = 2, W = 3 };

static char reported[2048]; /* all lines */

static void keep_told(void *arg, const char *line)
{
    (void)arg;
    size_t used = strlen(reported);
    snprintf(reported + used, sizeof reported - used, "%s\n", line);
}

static void write_file(const char *path, bool packed, const void *bytes, size_t size)
{
    char command[256];
    snprintf(command, sizeof command, "mkdir -p \"$(dirname '%s')\"", path);
    ck_assert_int_eq(system(command), 0);
    (packed ? write_gzip : write_bytes)(path, bytes, size);
}

static void write_images(const char *path, bool packed)
{
    unsigned char bytes[16 + COUNT * H * W] = {0, 0, 8, 3, 0, 0, 0, COUNT, 0, 0, 0, H, 0, 0, 0, W};
    for (int i = 0; i < COUNT * H * W; i++)
        bytes[16 + i] = (unsigned char)i;
    write_file(path, packed, bytes, sizeof bytes);
}

static void write_labels(const char *path, bool packed, int a, int b, int c)
{
    unsigned char bytes[8 + COUNT] = {0, 0, 8, 1, 0, 0, 0, COUNT, (unsigned char)a, (unsigned char)b, (unsigned char)c};
    write_file(path, packed, bytes, sizeof bytes);
}

/* Four files by a format with the split and the kind: "d/%s-%s-ubyte". */
static void write_set(const char *format, bool packed, const char *test, const char *dash, int a, int b, int c)
{
    const char *splits[] = {"train", test};
    for (int i = 0; i < 2; i++) {
        char path[256], name[64], kind[64];
        snprintf(name, sizeof name, "%s-images%sidx3-ubyte", splits[i], dash);
        snprintf(path, sizeof path, format, name, name);
        write_images(path, packed);
        snprintf(kind, sizeof kind, "%s-labels%sidx1-ubyte", splits[i], dash);
        snprintf(path, sizeof path, format, kind, kind);
        write_labels(path, packed, a, b, c);
    }
}

START_TEST(names_of_files)
{
    static const struct {
        const char *format, *dash;
        bool packed;
    } forms[] = {{"d/%s", "-", false},      {"d/%s.gz", "-", true},   {"d/%s", ".", false},
                 {"d/%s.gz", ".", true},    {"d/%s/%s", "-", false},  {"d/%s/%s", ".", false},
                 {"d/%s/%s.gz", "-", true}, {"d/raw/%s", "-", false}, {"d/MNIST/raw/%s", "-", false}};
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        nm_dataset *d;
        write_set(forms[i].format, forms[i].packed, "t10k", forms[i].dash, 7, 0, 9);
        ck_assert_done(nm_dataset_open(ctx, "mnist:d", NULL, &d));
        ck_assert(d->train.count == COUNT && d->test.labels[0] == 7 && d->train.labels[2] == 9 && d->classes == 10);
        nm_dataset_free(d);
        ck_assert_int_eq(system("rm -r d"), 0);
    }
    /* Kaggle: the folder has the dash, the file in it the dot */
    nm_dataset *d;
    write_set("d/%s", false, "t10k", ".", 7, 0, 9);
    ck_assert_int_eq(
        system("cd d; for f in *; do mv $f x; mkdir $(echo $f | tr . -); mv x $(echo $f | tr . -)/$f; done"), 0);
    ck_assert_done(nm_dataset_open(ctx, "mnist:d", NULL, &d));
    nm_dataset_free(d);
}
END_TEST

START_TEST(other_classes)
{
    nm_dataset *d;
    write_set("d/%s", false, "t10k", "-", 7, 0, 11);
    ck_assert_refused(nm_dataset_open(ctx, "mnist:d", NULL, &d), NM_INVALID, "training sample 2 has label 11",
                      "expected 0 to 9", "--data idx:d");
    ck_assert_done(nm_dataset_open(ctx, "idx:d", NULL, &d));
    ck_assert_int_eq(d->classes, 12);
    nm_dataset_free(d);
    nm_context_set_log(ctx, keep_told, NULL);
    write_set("d/%s", false, "t10k", "-", 1, 2, 3);
    ck_assert_done(nm_dataset_open(ctx, "idx:d", NULL, &d));
    ck_assert_msg(strstr(reported, "1 of 4 classes has no training sample, the first is '0': labels count from 0"),
                  "%s", reported);
    nm_dataset_free(d);
    write_set("d/%s", false, "t10k", "-", 7, 0, 9);
    ck_assert_done(nm_dataset_open(ctx, "kmnist:d", NULL, &d));
    ck_assert_str_eq(d->class_names[7], "ya");
    nm_dataset_free(d);
}
END_TEST

START_TEST(no_idx_files)
{
    nm_dataset *d;
    write_set("d/%s", false, "t10k", "-", 7, 0, 9);
    ck_assert_refused(nm_dataset_open(ctx, "mnist:d/train-images-idx3-ubyte", NULL, &d), NM_INVALID,
                      "expected a folder with train-images-idx3-ubyte", "found a file");
    write_bytes("d/train-images-idx3-ubyte", "<!DOCTYPE html>", 15);
    ck_assert_refused(nm_dataset_open(ctx, "mnist:d", NULL, &d), NM_INVALID, "expected magic 00000803", "web site");
}
END_TEST

START_TEST(gzip_ends)
{
    nm_dataset *d;
    unsigned char packed[256];
    write_set("d/%s.gz", true, "t10k", "-", 7, 0, 9);
    const char *path = "d/train-images-idx3-ubyte.gz";
    FILE *f = fopen(path, "rb");
    size_t size = fread(packed, 1, sizeof packed - 5, f);
    fclose(f);
    for (size_t cut = 1; cut < 8; cut++) { /* checksum and size take eight bytes */
        write_bytes(path, packed, size - cut);
        ck_assert_refused(nm_dataset_open(ctx, "mnist:d", NULL, &d), NM_INVALID, "all 34 bytes of content", "checksum");
    }
    memcpy(packed + size, "words", 5);
    write_bytes(path, packed, size + 5);
    nm_context_set_log(ctx, keep_told, NULL);
    ck_assert_done(nm_dataset_open(ctx, "mnist:d", NULL, &d));
    ck_assert_msg(strstr(reported, path) && strstr(reported, "ignored"), "reported: %s", reported);
    nm_dataset_free(d);
}
END_TEST

START_TEST(emnist_letters)
{
    nm_dataset *d;
    write_set("e/emnist-letters-%s", false, "test", "-", 1, 26, 14);
    ck_assert_done(nm_dataset_open(ctx, "emnist:e", NULL, &d));
    ck_assert_int_eq(d->classes, 26);
    ck_assert(d->train.labels[0] == 0 && d->train.labels[1] == 25 && d->test.labels[2] == 13);
    ck_assert_str_eq(d->class_names[13], "N");
    /* stored column by column: 2x3 in the file are 3 rows of 2 */
    static const uint8_t upright[] = {0, 3, 1, 4, 2, 5};
    ck_assert(d->train.shape.h == W && d->train.shape.w == H);
    ck_assert_mem_eq(d->train.pixels, upright, sizeof upright);
    nm_dataset_free(d);
    write_bytes("e/emnist-letters-mapping.txt", "1 97 65\r\n2 98 66\n", 17);
    ck_assert_refused(nm_dataset_open(ctx, "emnist:e", NULL, &d), NM_INVALID, "has label 25", "expected 0 to 1");
    write_bytes("e/emnist-letters-mapping.txt", "1 97\n3 98\n", 10);
    ck_assert_refused(nm_dataset_open(ctx, "emnist:e", NULL, &d), NM_INVALID, "mapping.txt: line 2", "label 2");
}
END_TEST

START_TEST(parts_of_emnist)
{
    nm_dataset *d;
    write_set("e/gzip/emnist-balanced-%s.gz", true, "test", "-", 0, 46, 36);
    ck_assert_done(nm_dataset_open(ctx, "emnist:e", NULL, &d)); /* the only part */
    ck_assert_int_eq(d->classes, 47);
    ck_assert_str_eq(d->class_names[46], "t");
    nm_dataset_free(d);
    write_set("e/gzip/emnist-byclass-%s.gz", true, "test", "-", 0, 61, 36);
    ck_assert_refused(nm_dataset_open(ctx, "emnist:e", NULL, &d), NM_INVALID, "several parts", "balanced, byclass",
                      "--data emnist:e/byclass");
    static const char *const names[] = {"emnist:e/byclass", "emnist:e/emnist-byclass",
                                        "emnist:e/gzip/emnist-byclass-train-images-idx3-ubyte.gz"};
    for (int i = 0; i < 3; i++) {
        ck_assert_done(nm_dataset_open(ctx, names[i], NULL, &d));
        ck_assert_int_eq(d->classes, 62);
        ck_assert_str_eq(d->class_names[61], "z");
        nm_dataset_free(d);
    }
    ck_assert_refused(nm_dataset_open(ctx, "emnist:e/letters", NULL, &d), NM_INVALID, "e/letters",
                      "expected the files");
}
END_TEST

START_TEST(no_such_place)
{
    nm_dataset *d;
    ck_assert_refused(nm_dataset_open(ctx, "mnist:nowhere", NULL, &d), NM_INVALID, "nowhere: No such file",
                      "relative to", folder, "--data mnist:PATH");
    ck_assert_refused(nm_dataset_open(ctx, "hdf5:/nowhere/a.h5", NULL, &d), NM_INVALID, "No such file",
                      "--data hdf5:PATH");
    char deep[6000];
    memset(deep, 'd', sizeof deep);
    memcpy(deep, "mnist:/tmp/", 11);
    deep[sizeof deep - 1] = '\0';
    ck_assert_int_eq(nm_dataset_open(ctx, deep, NULL, &d), NM_INVALID);
    setenv("NORMA_DATA", deep + 6, 1);
    ck_assert_refused(nm_dataset_open(ctx, "mnist", NULL, &d), NM_INVALID, "mnist was not found");
}
END_TEST

SUITE_WITH("data sets in IDX files", in_own_folder, names_of_files, other_classes, no_idx_files, gzip_ends,
           emnist_letters, parts_of_emnist, no_such_place)
