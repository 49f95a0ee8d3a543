/* norma verify: equal where all is well, and a difference that is planted is found. */
#include "program.h"

START_TEST(all_is_equal)
{
    expect(0, "mkdir t && ls >before");
    said s = expect(0, "TMPDIR=$PWD/t norma verify tiny.yaml --steps 20 --threads 4");
    contains(s.out, "tiny, 20 steps, 16 an epoch, a checkpoint every step\n");
    contains(s.out, "\n4 threads, stopped 3 times ");
    contains(s.out, "\n1, 2, 3, 4 threads, stopped 3 times ");
    ck_assert_ptr_null(strstr(s.out, "differs"));
    expect(0, "test -z \"$(ls t)\" && ls | diff - before"); /* nothing is left */
}
END_TEST

/* What is kept in bfloat16 has the same bits by any threads and after any interruption, too. */
START_TEST(storage_is_equal)
{
    said s = expect(0, "norma verify tiny.yaml --steps 8 --threads 3 --set train.storage=bf16");
    ck_assert_ptr_null(strstr(s.out, "differs"));
    ck_assert_ptr_null(strstr(s.err, "'storage' has no effect"));
}
END_TEST

START_TEST(a_planted_difference_is_found)
{
    said s = expect(1, "norma verify tiny.yaml --steps 12 --plant");
    contains(s.out, "  first difference: step 10, layer c1, weight (float32 of 5x5x1x8), element [0][0][0][0]: ");
    json_t *j = parse_json(expect(1, "norma verify tiny.yaml --steps 12 --plant --threads 2 --json").out);
    json_t *runs = json_object_get(j, "runs"), *planted = entry_of(runs, 5);
    ck_assert_uint_eq(json_array_size(runs), 6);
    ck_assert(json_is_false(json_object_get(j, "equal")));
    for (size_t i = 0; i < 5; i++)
        ck_assert(json_is_true(json_object_get(entry_of(runs, i), "equal")));
    ck_assert(json_is_false(json_object_get(planted, "equal")));
    contains(text_at(planted, "first_difference"), "step 10, layer c1, weight");
    ck_assert_uint_eq(json_array_size(json_object_get(planted, "stopped_at")), 3);
    json_decref(j);
}
END_TEST

START_TEST(what_it_refuses)
{
    expect(0, "mkdir t");
    contains(expect(2, "TMPDIR=$PWD/t norma verify no-such-model").err, "no-such-model");
    contains(expect(2, "TMPDIR=$PWD/t norma verify tiny.yaml --data nowhere").err, "nowhere");
    contains(expect(1, "TMPDIR=$PWD/none norma verify tiny.yaml").err, "set TMPDIR");
    contains(expect(3, "TMPDIR=$PWD/t norma verify tiny.yaml --set train.lr=1e9").err, "diverged");
    expect(2, "norma verify --steps 1");
    expect(143, "TMPDIR=$PWD/t \"$NORMA_PROGRAM\" verify tiny.yaml --steps 100000 & sleep 2; kill -TERM $!; wait $!");
    expect(0, "test -z \"$(ls t)\"");
}
END_TEST

SUITE_WITH("norma verify", in_own_folder, all_is_equal, storage_is_equal, a_planted_difference_is_found,
           what_it_refuses)
