/* CIFAR-10 and CIFAR-100: folder, folder in a folder, archive; planes become pixels; wrong files.
 */
#include "data_support.h"

enum { RECORD = 3073, RECORDS = 10000 };

static const char *const files[] = {"data_batch_1.bin", "data_batch_2.bin", "data_batch_3.bin",
                                    "data_batch_4.bin", "data_batch_5.bin", "test_batch.bin"};

/* Record 0 and the last one of file `index`; all between are zero. */
static void mark(int index, int label_bytes, unsigned char *first, unsigned char *last)
{
    memset(first, 0, (size_t)label_bytes + 3072);
    memset(last, 0, (size_t)label_bytes + 3072);
    first[label_bytes - 1] = (unsigned char)index;
    first[label_bytes] = 11;            /* red of pixel 0 */
    first[label_bytes + 1024 + 1] = 22; /* green of pixel 1 */
    last[label_bytes - 1] = 9;
    last[label_bytes + 3071] = (unsigned char)(100 + index); /* blue of the last pixel */
}

/* A sparse file with its marks. */
static void write_batch(const char *path, int index, int label_bytes, int records)
{
    unsigned char first[3074], last[3074];
    size_t record = (size_t)label_bytes + 3072;
    mark(index, label_bytes, first, last);
    FILE *f = fopen(path, "wb");
    ck_assert_ptr_nonnull(f);
    ck_assert_uint_eq(fwrite(first, 1, record, f), record);
    ck_assert_int_eq(fseek(f, (long)record * (records - 1), SEEK_SET), 0);
    ck_assert_uint_eq(fwrite(last, 1, record, f), record);
    ck_assert_int_eq(fclose(f), 0);
}

static void write_folder(const char *where)
{
    char path[128];
    for (int i = 0; i < 6; i++) {
        snprintf(path, sizeof path, "%s/%s", where, files[i]);
        write_batch(path, i, 1, RECORDS);
    }
}

static void check_cifar10(const char *spec)
{
    nm_dataset *d;
    ck_assert_done(nm_dataset_open(ctx, spec, NULL, &d));
    ck_assert(d->train.count == 50000 && d->test.count == 10000 && d->classes == 10);
    const nm_shape shape = {32, 32, 3};
    ck_assert(nm_shape_same(d->train.shape, shape) && nm_shape_same(d->test.shape, shape));
    ck_assert_str_eq(d->class_names[0], "airplane");
    ck_assert_str_eq(d->class_names[9], "truck");
    for (int i = 0; i < 6; i++) {
        const nm_samples *s = i < 5 ? &d->train : &d->test;
        size_t first = i < 5 ? (size_t)i * RECORDS : 0, last = first + RECORDS - 1;
        ck_assert_int_eq(s->labels[first], i);
        ck_assert_int_eq(s->labels[last], 9);
        const uint8_t *p = s->pixels + first * 3072;
        ck_assert(p[0] == 11 && p[1] == 0 && p[3] == 0 && p[4] == 22);
        ck_assert_int_eq(s->pixels[last * 3072 + 3071], 100 + i);
    }
    nm_dataset_free(d);
}

START_TEST(folders)
{
    ck_assert(mkdir("plain", 0777) == 0 && mkdir("outer", 0777) == 0 && mkdir("outer/cifar-10-batches-bin", 0777) == 0);
    write_folder("plain");
    write_folder("outer/cifar-10-batches-bin");
    check_cifar10("cifar10:plain");
    check_cifar10("cifar10:outer");
}
END_TEST

/* By the system's own tar, in a folder and given itself; the order of its members does not matter.
 */
START_TEST(archives)
{
    ck_assert(mkdir("cifar-10-batches-bin", 0777) == 0);
    write_folder("cifar-10-batches-bin");
    write_bytes("cifar-10-batches-bin/readme.html", "words", 5);
    ck_assert_int_eq(
        system("mkdir all; tar -c --sort=name -I \"gzip -1\" -f all/cifar-10-binary.tar.gz cifar-10-batches-bin"), 0);
    check_cifar10("cifar10:all");
    check_cifar10("cifar10:all/cifar-10-binary.tar.gz");
    /* its end is cut to one empty block: nothing more is there to read */
    ck_assert_int_eq(
        system("tar -c -b 1 -f a.tar cifar-10-batches-bin; head -c -512 a.tar | gzip -1 > one.tar.gz; rm a.tar"), 0);
    check_cifar10("cifar10:one.tar.gz");

    nm_dataset *d;
    ck_assert_int_eq(system("head -c 100000 all/cifar-10-binary.tar.gz > cut.tar.gz"), 0);
    ck_assert_refused(nm_dataset_open(ctx, "cifar10:cut.tar.gz", NULL, &d), NM_INVALID, "cut.tar.gz");
    ck_assert_int_eq(system("head -c -3 all/cifar-10-binary.tar.gz > cut.tar.gz"), 0); /* in the checksum */
    ck_assert_refused(nm_dataset_open(ctx, "cifar10:cut.tar.gz", NULL, &d), NM_INVALID, "cut.tar.gz");
    ck_assert_int_eq(system("rm cifar-10-batches-bin/data_batch_3.bin; "
                            "tar -c -I \"gzip -1\" -f missing.tar.gz cifar-10-batches-bin"),
                     0);
    ck_assert_refused(nm_dataset_open(ctx, "cifar10:missing.tar.gz", NULL, &d), NM_INVALID, "missing.tar.gz",
                      "holds no data_batch_3.bin");
    write_gzip("other.gz", "not a tar archive at all", 24);
    ck_assert_refused(nm_dataset_open(ctx, "cifar10:other.gz", NULL, &d), NM_INVALID, "other.gz");
}
END_TEST

START_TEST(cifar100)
{
    nm_dataset *d;
    ck_assert(mkdir("c", 0777) == 0);
    write_batch("c/train.bin", 3, 2, 50000);
    write_batch("c/test.bin", 99, 2, 10000);
    ck_assert_done(nm_dataset_open(ctx, "cifar100:c", NULL, &d));
    ck_assert(d->classes == 100 && d->train.labels[0] == 3 && d->test.labels[0] == 99 && d->test.labels[9999] == 9);
    ck_assert_str_eq(d->class_names[0], "apple");
    ck_assert_str_eq(d->class_names[99], "worm");
    nm_dataset_free(d);
}
END_TEST

START_TEST(wrong_files)
{
    nm_dataset *d;
    ck_assert_refused(nm_dataset_open(ctx, "cifar10:nowhere", NULL, &d), NM_INVALID, "nowhere", "No such file");
    ck_assert_int_eq(mkdir("c", 0777), 0);
    ck_assert_refused(nm_dataset_open(ctx, "cifar10:c", NULL, &d), NM_INVALID, "expected data_batch_1.bin",
                      "cifar-10-binary.tar.gz");
    write_folder("c");
    ck_assert_int_eq(truncate("c/data_batch_4.bin", 1000), 0);
    ck_assert_refused(nm_dataset_open(ctx, "cifar10:c", NULL, &d), NM_INVALID, "c/data_batch_4.bin",
                      "expected 30730000 bytes", "found 1000");
    write_batch("c/data_batch_4.bin", 200, 1, RECORDS); /* a label of 200 */
    ck_assert_refused(nm_dataset_open(ctx, "cifar10:c", NULL, &d), NM_INVALID, "training sample 30000 has label 200",
                      "expected 0 to 9");
    ck_assert_int_eq(unlink("c/test_batch.bin"), 0);
    ck_assert_refused(nm_dataset_open(ctx, "cifar10:c", NULL, &d), NM_INVALID, "c/test_batch.bin", "No such file");
}
END_TEST

SUITE_WITH("CIFAR", in_own_folder, folders, archives, cifar100, wrong_files)
