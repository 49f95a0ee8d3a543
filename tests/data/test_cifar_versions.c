/* CIFAR-100 by its coarse labels; the Python version is refused with what to get; archives cut
 * within their checksum.
 */
#include "data_support.h"

enum { RECORD = 2 + 3072 };

/* A sparse file: the first record has labels coarse and fine. */
static void write_records(const char *path, int records, unsigned char coarse, unsigned char fine)
{
    FILE *f = fopen(path, "wb");
    ck_assert_ptr_nonnull(f);
    ck_assert(fputc(coarse, f) != EOF && fputc(fine, f) != EOF);
    ck_assert_int_eq(fclose(f), 0);
    ck_assert_int_eq(truncate(path, (off_t)RECORD * records), 0);
}

START_TEST(coarse_labels)
{
    nm_dataset *d;
    ck_assert_int_eq(system("mkdir -p n/cifar100"), 0);
    setenv("NORMA_DATA", "n", 1);
    write_records("n/cifar100/train.bin", 50000, 19, 81);
    write_records("n/cifar100/test.bin", 10000, 4, 0);
    ck_assert_done(nm_dataset_open(ctx, "cifar100-coarse", NULL, &d));
    ck_assert(d->classes == 20 && d->train.labels[0] == 19 && d->test.labels[0] == 4);
    ck_assert_str_eq(d->class_names[19], "vehicles_2");
    ck_assert_str_eq(d->class_names[4], "fruit_and_vegetables");
    nm_dataset_free(d);
    ck_assert_done(nm_dataset_open(ctx, "cifar100", NULL, &d));
    ck_assert(d->classes == 100 && d->train.labels[0] == 81);
    nm_dataset_free(d);
    write_records("n/cifar100/test.bin", 10000, 20, 0);
    ck_assert_refused(nm_dataset_open(ctx, "cifar100-coarse", NULL, &d), NM_INVALID, "has label 20",
                      "expected 0 to 19");
}
END_TEST

START_TEST(python_version)
{
    static const char *const specs[] = {"cifar10:a", "cifar10:b", "cifar10:b/cifar-10-batches-py", "cifar10:p.tar.gz",
                                        "cifar10:b/cifar-10-batches-py/data_batch_1"};
    nm_dataset *d;
    ck_assert_int_eq(system("mkdir -p a b/cifar-10-batches-py; echo words > b/cifar-10-batches-py/data_batch_1;"
                            "tar -C b -czf p.tar.gz cifar-10-batches-py; cp p.tar.gz a/cifar-10-python.tar.gz"),
                     0);
    for (size_t i = 0; i < sizeof specs / sizeof *specs; i++)
        ck_assert_refused(nm_dataset_open(ctx, specs[i], NULL, &d), NM_INVALID, "the Python version",
                          "cifar-10-binary.tar.gz", "datasets/fetch-cifar10");
    ck_assert_int_eq(system("mkdir -p c/cifar-100-python; echo words > c/cifar-100-python/train"), 0);
    ck_assert_refused(nm_dataset_open(ctx, "cifar100:c/cifar-100-python", NULL, &d), NM_INVALID, "the Python version",
                      "datasets/fetch-cifar100");
}
END_TEST

START_TEST(archives)
{
    nm_dataset *d;
    ck_assert_int_eq(mkdir("cifar-100-binary", 0777), 0);
    write_records("cifar-100-binary/train.bin", 50000, 19, 81);
    write_records("cifar-100-binary/test.bin", 10000, 4, 7);
    ck_assert_int_eq(system("tar --format=pax --pax-option=comment=words -c -I 'gzip -1' -f a.tar.gz cifar-100-binary;"
                            "head -c -3 a.tar.gz > cut.tar.gz; head -c 1000 a.tar.gz > short.tar.gz"),
                     0);
    ck_assert_done(nm_dataset_open(ctx, "cifar100:a.tar.gz", NULL, &d));
    ck_assert(d->train.labels[0] == 81 && d->test.labels[0] == 7);
    nm_dataset_free(d);
    ck_assert_refused(nm_dataset_open(ctx, "cifar100:cut.tar.gz", NULL, &d), NM_INVALID, "cut.tar.gz: cut short: all",
                      "checksum");
    ck_assert_refused(nm_dataset_open(ctx, "cifar100:short.tar.gz", NULL, &d), NM_INVALID, "short.tar.gz: cut short in",
                      "ends too early");
}
END_TEST

SUITE_WITH("versions of CIFAR", in_own_folder, coarse_labels, python_version, archives)
