/* Memory is foretold: a run that would be ended by the system halfway is refused before it starts,
 * with the number of samples at once that fits. */
#include "grey_png.h"

#include "h5.h"

/* The program finds so much free memory. */
static void set_free_memory(int mib)
{
    char text[64];
    snprintf(text, sizeof text, "MemAvailable: %d kB\n", mib * 1024);
    ck_assert_int_eq(system("mkdir -p root/proc"), 0);
    write_text("root/proc/meminfo", text);
    ck_assert_int_eq(setenv("NORMA_MEMORY_ROOT", "root", 1), 0);
}

/* The number behind the flag in what was said. */
static int number_behind(const char *text, const char *flag)
{
    const char *at = strstr(text, flag);
    ck_assert_msg(at != NULL, "expected '%s' in:\n%.1000s", flag, text);
    return atoi(at + strlen(flag));
}

/* Batch norm would need the whole batch at once. */
#define WIDE "--set c1.filters=64 --set c1.stride=1 --without batchnorm --batch 500"

START_TEST(training)
{
    set_free_memory(4000);
    expect(0, "norma train tiny.yaml " WIDE " --steps 1 --run enough");
    set_free_memory(60);
    said s = expect(1, "norma train tiny.yaml " WIDE " --steps 1 --run r --eval-batch 16");
    contains(s.err, "training on a batch of 500 needs ");
    contains(s.err, "the machine's free memory leaves ");
    expect(0, "test ! -e r");
    int fit = number_behind(s.err, "--micro-batch ");
    ck_assert(fit >= 1 && fit < 500);
    expect(0, "norma train tiny.yaml " WIDE " --steps 1 --run r --eval-batch 16 --micro-batch %d", fit);
    contains(
        expect(1, "norma train tiny.yaml " WIDE " --steps 1 --run c --eval-batch 16 --micro-batch %d", 3 * fit).err,
        "in micro-batches of ");
    contains(expect(1, "norma train tiny.yaml --set c1.filters=64 --set c1.stride=1 --batch 500 --steps 1 --run b "
                       "--eval-batch 16")
                 .err,
             "no micro-batch fits");
    s = expect(1, "norma train tiny.yaml " WIDE " --shards 5 --steps 1 --run s --eval-batch 16");
    contains(s.err, "take a smaller batch or network"); /* shards go with no micro-batches */
    ck_assert_ptr_null(strchr(strchr(s.err, '\n') + 1, '\n'));
}
END_TEST

START_TEST(evaluation)
{
    set_free_memory(4000);
    expect(0, "norma train tiny.yaml " WIDE " --limit 32 --steps 1 --run r");
    set_free_memory(7);
    int fit = number_behind(expect(1, "norma eval r --batch 500").err, "--batch ");
    expect(0, "norma eval r --batch %d", fit);
    number_behind(expect(1, "norma train tiny.yaml " WIDE " --steps 1 --eval-batch 500").err, "--eval-batch ");
}
END_TEST

/* As many images at once as fit; where not one does, that is said. */
START_TEST(predictions_and_traces)
{
    expect(0, "norma train tiny.yaml " WIDE " --limit 32 --steps 1 --run r");
    write_grey_png("x.png", 28, (const uint8_t[784]){0});
    said all = expect(0, "norma predict r x.png");
    set_free_memory(6);
    ck_assert_str_eq(expect(0, "norma predict r x.png").out, all.out);
    set_free_memory(0);
    contains(expect(1, "norma predict r x.png").err, "no batch fits; give it more memory");
    nm_context *ctx = nm_context_new();
    nm_h5 *h5;
    static float x[500 * 784];
    ck_assert_int_eq(nm_h5_new(ctx, "in.h5", &h5), NM_OK);
    ck_assert_int_eq(nm_h5_write(h5, "/x", NM_H5_F32, 4, (const size_t[]){500, 28, 28, 1}, x), NM_OK);
    ck_assert_int_eq(nm_h5_write(h5, "/labels", NM_H5_I32, 1, (const size_t[]){500}, x), NM_OK);
    ck_assert_int_eq(nm_h5_save(h5, "in.h5", false), NM_OK);
    nm_h5_free(h5);
    nm_context_free(ctx);
    set_free_memory(20);
    contains(expect(1, "norma trace r --input in.h5 --output o.h5").err, "an --input of ");
    expect(0, "test ! -e o.h5");
}
END_TEST

/* Before any variant is trained. */
START_TEST(comparisons_and_measurements)
{
    set_free_memory(40);
    number_behind(expect(1, "norma compare tiny.yaml " WIDE " --eval-batch 16 --vary lr=0.1,0.2 --run c").err,
                  "--micro-batch ");
    expect(0, "test ! -e c");
    number_behind(
        expect(
            1,
            "norma bench tiny.yaml --set c1.filters=64 --set c1.stride=1 --batch 500 --set train.without=[batchnorm]")
            .err,
        "--set train.micro_batch=");
}
END_TEST

SUITE_WITH("memory", in_own_folder, training, evaluation, predictions_and_traces, comparisons_and_measurements)
