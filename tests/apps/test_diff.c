/* norma diff: what is planted is found and named. */
#include "changed_checkpoint.h"

#include "error.h"

static nm_context *ctx;

enum { KERNEL = 5 * 5 * 1 * 8 };

static void read_array(const char *file, const char *path, size_t count, float *to)
{
    nm_h5 *h5;
    nm_h5_shape s;
    ck_assert_int_eq(nm_h5_open(ctx, file, true, &h5), NM_OK);
    ck_assert_int_eq(nm_h5_look(h5, path, &s), NM_OK);
    ck_assert_uint_eq(s.count, count);
    ck_assert_int_eq(nm_h5_read(h5, path, NM_H5_F32, s.rank, s.dims, to), NM_OK);
    nm_h5_free(h5);
}

/* Copies a checkpoint, with number `index` of an array moved by so many units in the last place. */
static void change(const char *from, const char *to, const char *path, size_t count, size_t index, int ulps)
{
    float values[KERNEL];
    uint32_t bits;
    size_t size;
    char *bytes = bytes_of(from, &size);
    ck_assert_uint_le(count, KERNEL);
    read_array(from, path, count, values);
    char *at = place_of(bytes, size, values, count * sizeof *values) + index * sizeof *values;
    memcpy(&bits, at, sizeof bits);
    bits += (uint32_t)ulps;
    memcpy(at, &bits, sizeof bits);
    sign(bytes, size);
    write_bytes(to, bytes, size);
    free(bytes);
}

START_TEST(one_unit_in_the_last_place)
{
    ctx = nm_context_new();
    expect(0, "norma train tiny.yaml --run r --steps 8");
    change("r/last.h5", "b.h5", "/model/c1/weight", KERNEL, 1 * 40 + 3 * 8 + 6, 1);
    expect(0, "norma eval b.h5");
    said s = expect(1, "norma diff r/last.h5 b.h5");
    contains(s.out, "first difference: step 8, layer c1, weight (float32 of 5x5x1x8), element [1][3][0][6]: ");
    json_t *j = parse_json(expect(1, "norma diff r/last.h5 b.h5 --json").out);
    json_t *list = json_object_get(j, "differences"), *one = entry_of(list, 0);
    ck_assert_uint_eq(json_array_size(list), 1);
    ck_assert(json_is_false(json_object_get(j, "equal")));
    ck_assert_str_eq(text_at(one, "path"), "/model/c1/weight");
    ck_assert(number_at(one, "different") == 1 && number_at(one, "ulps") == 1 && number_at(one, "largest") > 0);
    json_decref(j);
    /* the order is the network's: layer by layer, then the optimizer's memory */
    change("b.h5", "c.h5", "/optimizer/c1/weight/momentum", KERNEL, 5, 7);
    change("c.h5", "d.h5", "/model/logits/bias", 10, 2, 1);
    j = parse_json(expect(1, "norma diff r/last.h5 d.h5 --json").out);
    list = json_object_get(j, "differences");
    ck_assert_uint_eq(json_array_size(list), 3);
    ck_assert_str_eq(text_at(entry_of(list, 0), "path"), "/model/c1/weight");
    ck_assert_str_eq(text_at(entry_of(list, 1), "path"), "/model/logits/bias");
    ck_assert_str_eq(text_at(entry_of(list, 2), "path"), "/optimizer/c1/weight/momentum");
    ck_assert(number_at(entry_of(list, 2), "ulps") == 7);
    json_decref(j);
    nm_context_free(ctx);
}
END_TEST

START_TEST(equal_ones)
{
    expect(0, "norma train tiny.yaml --run a --steps 20 --threads 1 && norma train tiny.yaml --run b --steps 20");
    contains(expect(0, "norma diff a b").out, "equal: 2 rows");
    contains(expect(0, "norma diff a/last.h5 b/last.h5").out, "equal: ");
    json_t *j = parse_json(expect(0, "norma diff a b --json").out);
    ck_assert(json_is_true(json_object_get(j, "equal")));
    json_decref(j);
}
END_TEST

/* The settings are told apart from what they led to, and the first step is that of the checkpoints.
 */
START_TEST(runs)
{
    expect(0, "norma train tiny.yaml --run a --steps 6 --save-every 1s --keep 9 --schedule constant");
    expect(0, "norma train tiny.yaml --run b --steps 3 --save-every 1s --keep 9 --schedule constant && "
              "norma train --run b --resume --steps 6 --l2 0.1");
    said s = expect(1, "norma diff a b");
    contains(s.out, "setting train.l2: none and 0.1\n");
    contains(s.out, "first row that differs: row 1 of metrics.csv (step 6), ");
    contains(s.out, "first checkpoint that differs: step-00000004.h5\nfirst difference: step 4, layer c1, weight");
    expect(0, "norma train tiny.yaml --run c --seed 5 --steps 6 --set c1.filters=4");
    s = expect(1, "norma diff a/last.h5 c/last.h5");
    contains(s.out, "setting layers.[c1].conv.filters: 8 and 4\n");
    contains(s.out, "first difference: step 6, layer c1, weight: float32 of 5x5x1x8, and float32 of 5x5x1x4\n");
    expect(0, "norma train tiny.yaml --run d --steps 6 --optimizer adam");
    contains(expect(1, "norma diff a/last.h5 d/last.h5 --all").out,
             "\n/optimizer/c1.batchnorm/scale/momentum  only in A\n");
}
END_TEST

START_TEST(trouble)
{
    expect(0, "norma train tiny.yaml --run a --steps 2 && cp a/last.h5 x.h5");
    expect(0, "printf x | dd of=x.h5 bs=1 seek=3000 conv=notrunc");
    contains(expect(2, "norma diff a/last.h5 x.h5").err, "x.h5: damaged");
    contains(expect(2, "norma diff a/last.h5 nothing.h5").err, "nothing.h5: No such file");
    contains(expect(2, "norma diff a a/last.h5").err, "expected two runs or two checkpoints");
    contains(expect(2, "mkdir e && norma diff a e").err, "e/model.yaml: No such file");
    contains(expect(2, "norma diff a/last.h5 tiny.yaml").err, "tiny.yaml: not a file that norma wrote");
    contains(expect(2, "norma diff a").err, "which two?");
    contains(expect(2, "norma diff a b c").err, "two are compared");
    contains(expect(2, "mkfifo f && timeout 5 \"$NORMA_PROGRAM\" diff a/last.h5 f").err, "f: expected a checkpoint");
    /* a run with a checkpoint less */
    expect(0, "cp -r a b && rm b/last.h5");
    contains(expect(1, "norma diff a b").out, "last.h5: not in B\n");
    /* a line that one run alone has watched */
    expect(0, "norma train tiny.yaml --run c --steps 4 --watch c1/0 --watch-every 1 && cp -r c d");
    contains(expect(0, "norma diff c d").out, "equal: ");
    expect(0, "sed -i '3s/$/1/' d/watch.csv");
    contains(expect(1, "norma diff c d").out, "watch.csv: line 3 is the first that differs\n");
}
END_TEST

SUITE_WITH("norma diff", in_own_folder, one_unit_in_the_last_place, equal_ones, runs, trouble)
