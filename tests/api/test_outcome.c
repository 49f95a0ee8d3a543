/* What nm_model_train takes and gives: run directories by name, progress, rows; and structs of
 * callers that were compiled against other versions of the header. */
#include <norma/norma.h>

#include "train_support.h"

#include <math.h>

static nm_model *small_model(void)
{
    nm_model *model;
    ck_assert_done(nm_model_parse(ctx, SMALL_MODEL, &model));
    ck_assert_done(nm_model_set(ctx, model, "train.epochs", "3"));
    ck_assert_done(nm_model_set(ctx, model, "train.limit", "320"));
    return model;
}

typedef struct seen {
    int steps, rows, on_rows;
    uint64_t last;
} seen;

static void count_row(void *arg, const nm_metrics *row)
{
    seen *s = arg;
    ck_assert_uint_eq(row->size, sizeof *row);
    s->on_rows++;
    ck_assert_int_eq(s->on_rows, s->rows); /* on_progress comes first */
}

static void count_step(void *arg, const nm_progress *p)
{
    seen *s = arg;
    ck_assert_uint_eq(p->size, sizeof *p);
    ck_assert(p->steps == 30 && p->epochs == 3 && p->epoch == (int)(p->step + 9) / 10);
    ck_assert(p->seconds > 0 && p->seconds_left >= 0 && p->images_per_second > 0 && isfinite(p->loss));
    ck_assert(p->accuracy >= 0 && p->accuracy <= 1 && p->waited >= 0 && p->waited <= 1);
    if (p->row)
        ck_assert(p->row->step == p->step && p->row->epoch == p->epoch && p->row->seconds == p->seconds);
    else
        ck_assert_uint_eq(p->step, s->last + 1);
    s->rows += p->row != NULL;
    s->steps += p->row == NULL;
    s->last = p->step;
}

START_TEST(progress)
{
    nm_model *model = small_model();
    seen s = {0};
    nm_training how = NM_TRAINING_INIT;
    how.on_row = count_row;
    how.on_progress = count_step;
    how.arg = &s;
    ck_assert_done(nm_model_train(ctx, model, &how, NULL));
    ck_assert(s.steps == 30 && s.rows == 3 && s.on_rows == 3);
    nm_model_free(model);
}
END_TEST

static void keep_progress(void *arg, const nm_progress *p)
{
    *(nm_progress *)arg = *p;
}

/* A run that ended between two rows: on resuming it the last row is made anew, before any step. */
START_TEST(progress_without_a_step)
{
    nm_model *model = small_model();
    nm_training how = NM_TRAINING_INIT;
    how.run = in_folder("ended");
    ck_assert_done(nm_model_set(ctx, model, "train.steps", "15"));
    ck_assert_done(nm_model_train(ctx, model, &how, NULL));
    nm_progress p = {0};
    how.resume = true;
    how.on_progress = keep_progress;
    how.arg = &p;
    ck_assert_done(nm_model_train(ctx, model, &how, NULL));
    ck_assert(p.step == 15 && p.steps == 15 && p.row != NULL);
    ck_assert(p.images_per_second == 0 && p.seconds_left == 0 && isnan(p.waited));
    nm_model_free(model);
}
END_TEST

/* The rows of metrics.csv, those from before a run was resumed among them. */
START_TEST(rows)
{
    nm_model *model = small_model();
    nm_training how = NM_TRAINING_INIT;
    nm_outcome o = NM_OUTCOME_INIT;
    how.run = in_folder("run");
    ck_assert_done(nm_model_set(ctx, model, "train.epochs", "2"));
    ck_assert_done(nm_model_train(ctx, model, &how, NULL));
    ck_assert_done(nm_model_set(ctx, model, "train.epochs", "3"));
    how.resume = true;
    ck_assert_done(nm_model_train(ctx, model, &how, &o));
    ck_assert_int_eq(o.rows, 3);
    ck_assert_str_eq(o.run, how.run);
    ck_assert(o.waited >= 0 && o.waited <= 1 && o.seconds > 0);
    for (int i = 0; i < o.rows; i++) {
        ck_assert(o.row[i]->size == sizeof(nm_metrics) && o.row[i]->step == 10 * (uint64_t)(i + 1));
        ck_assert(o.row[i]->epoch == i + 1 && o.row[i]->test_accuracy <= o.best_accuracy && o.row[i]->lr > 0);
        ck_assert(i == 0 || o.row[i]->seconds > o.row[i - 1]->seconds);
    }
    ck_assert_ptr_eq(o.last, o.row[2]);
    ck_assert(o.best->test_accuracy == o.best_accuracy);
    nm_outcome_free(&o);
    ck_assert(!o.row && !o.last && !o.best && !o.run && o.rows == 0);
    nm_outcome_free(&o);
    nm_model_free(model);
}
END_TEST

/* FOLDER/NAME-1, -2, …, NAME being the model's as far as it can be a folder's name. */
START_TEST(runs_by_name)
{
    nm_model *model = small_model();
    nm_training how = NM_TRAINING_INIT;
    char expected[256];
    how.runs = in_folder("runs");
    ck_assert_done(nm_model_set(ctx, model, "name", "a/net"));
    ck_assert_done(nm_model_set(ctx, model, "train.steps", "1"));
    for (int i = 1; i <= 2; i++) {
        nm_outcome o = NM_OUTCOME_INIT;
        ck_assert_done(nm_model_train(ctx, model, &how, &o));
        snprintf(expected, sizeof expected, "%s/a_net-%d", how.runs, i);
        ck_assert_str_eq(o.run, expected);
        nm_outcome_free(&o);
    }
    nm_model_free(model);
}
END_TEST

/* Without a size there is no telling what a struct holds: nothing is trained. */
START_TEST(structs_without_size)
{
    nm_model *model = small_model();
    nm_training how = {0};
    nm_outcome o = {0};
    ck_assert_int_eq(nm_model_train(ctx, model, &how, NULL), NM_INVALID);
    assert_message(WORDS("NM_TRAINING_INIT"));
    ck_assert_int_eq(nm_model_train(ctx, model, NULL, &o), NM_INVALID);
    assert_message(WORDS("NM_OUTCOME_INIT"));
    nm_model_free(model);
}
END_TEST

/* Of a caller's struct no more is read and written than its size says. */
START_TEST(structs_of_other_sizes)
{
    nm_model *model = small_model();
    struct {
        size_t size;
        const char *run;
    } how = {sizeof how, in_folder("run")};
    struct {
        size_t size;
        uint64_t step;
        uint64_t guard;
    } o = {offsetof(nm_outcome, stopped), 0, 77};
    ck_assert_done(nm_model_set(ctx, model, "train.steps", "1"));
    ck_assert_done(nm_model_train(ctx, model, (const nm_training *)(const void *)&how, NULL));
    ck_assert_int_eq(access(in_folder("run/last.h5"), F_OK), 0);
    struct {
        nm_outcome now;
        uint64_t later;
    } large = {NM_OUTCOME_INIT, 77};
    large.now.size = sizeof large;
    ck_assert_done(nm_model_train(ctx, model, NULL, &large.now));
    ck_assert(large.now.step == 1 && large.later == 77 && large.now.size == sizeof large);
    nm_outcome_free(&large.now);
    ck_assert_int_eq(nm_model_train(ctx, model, NULL, (nm_outcome *)(void *)&o), NM_OK);
    ck_assert(o.step == 1 && o.guard == 77);
    nm_model_free(model);
}
END_TEST

START_TEST(score_without_size)
{
    nm_model *model = small_model();
    nm_training how = NM_TRAINING_INIT;
    nm_predictor *p;
    nm_score score = {0};
    how.run = in_folder("run");
    ck_assert_done(nm_model_set(ctx, model, "train.steps", "1"));
    ck_assert_done(nm_model_train(ctx, model, &how, NULL));
    ck_assert_done(nm_predictor_open(ctx, in_folder("run/last.h5"), &p));
    ck_assert_int_eq(nm_predictor_score(ctx, p, NULL, &score), NM_INVALID);
    assert_message(WORDS("NM_SCORE_INIT"));
    score.size = sizeof score;
    ck_assert_done(nm_predictor_score(ctx, p, NULL, &score));
    ck_assert(score.samples == 120 && score.confusion);
    nm_score_free(&score);
    nm_score_free(&score);
    nm_predictor_free(p);
    nm_model_free(model);
}
END_TEST

SUITE_WITH("outcome", with_folder, progress, progress_without_a_step, rows, runs_by_name, structs_without_size,
           structs_of_other_sizes, score_without_size)
