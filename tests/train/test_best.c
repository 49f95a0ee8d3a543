/* Which row is the best, and that best.h5 is of its step. */
#include "train_support.h"

#include <math.h>

START_TEST(accuracy_then_loss_then_first)
{
    static const struct {
        double accuracy[4], loss[4];
        int best;
    } cases[] = {
        {{0.1, 0.5, 0.4, 0.5}, {3, 2, 1, 2}, 1},       {{0.5, 0.5, 0.5, 0.5}, {3, 2, 1, 1}, 2},
        {{NAN, NAN, NAN, NAN}, {3, 1, 2, 1}, 1},       {{NAN, NAN, NAN, NAN}, {NAN, NAN, NAN, NAN}, -1},
        {{NAN, 0.2, NAN, 0.2}, {1, 3, 2, 2}, 3},       {{0.5, 0.5, 0.1, NAN}, {NAN, 2, 1, NAN}, 1},
        {{0, 0, 0, 0}, {INFINITY, 3, INFINITY, 3}, 1},
    };
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        nm_history_row rows[4] = {{0}};
        for (int i = 0; i < 4; i++) {
            rows[i].test_accuracy = cases[k].accuracy[i];
            rows[i].test_loss = cases[k].loss[i];
        }
        ck_assert_msg(nm_best_row(rows, 4) == cases[k].best, "case %zu: row %d", k, nm_best_row(rows, 4));
    }
    ck_assert_int_eq(nm_best_row(NULL, 0), -1);
}
END_TEST

/* Rates so small that the accuracy stays and the loss falls. */
START_TEST(ties_are_broken_by_loss)
{
    nm_train_result r;
    ck_assert_done(train_with(
        SMALL_MODEL, in_folder("run"), false, NULL,
        SETTINGS("train.lr=1e-7", "train.without=batchnorm", "train.schedule=constant", "train.eval_every=5"), &r));
    int best = nm_best_row(r.history, r.rows);
    ck_assert(r.history[0].test_accuracy == r.history[r.rows - 1].test_accuracy);
    ck_assert_int_gt(best, 0);
    nm_checkpoint *c;
    ck_assert_done(nm_checkpoint_open(ctx, in_folder("run/best.h5"), &c));
    ck_assert_uint_eq(nm_checkpoint_step(c), r.history[best].step);
    nm_checkpoint_free(c);
    free_result(&r);
}
END_TEST

SUITE_WITH("best", with_folder, accuracy_then_loss_then_first, ties_are_broken_by_loss)
