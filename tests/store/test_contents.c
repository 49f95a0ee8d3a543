/* What a checkpoint holds, read without its network. */
#include "checkpoint_support.h"
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

SUITE_WITH("contents of checkpoints", with_folder, objects_and_numbers, without_memory)
