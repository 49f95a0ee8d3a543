/* The public functions, used as a program that has only norma.h would. */
#include <norma/norma.h>

#include "train_support.h"

#include <math.h>

static const char *const run_settings[][2] = {{"train.epochs", "2"}, {"train.limit", "320"}};

static void count_row(void *arg, const nm_metrics *row)
{
    int *rows = arg;
    ++*rows;
    ck_assert_int_eq(row->epoch, *rows);
    ck_assert(row->test_accuracy >= 0 && row->seconds > 0);
}

static void train_small(const char *run, nm_outcome *outcome)
{
    nm_model *model;
    int rows = 0;
    ck_assert_done(nm_model_parse(ctx, SMALL_MODEL, &model));
    for (int i = 0; i < 2; i++)
        ck_assert_done(nm_model_set(ctx, model, run_settings[i][0], run_settings[i][1]));
    nm_training how = NM_TRAINING_INIT;
    how.run = run;
    how.on_row = count_row;
    how.arg = &rows;
    ck_assert_done(nm_model_train(ctx, model, &how, outcome));
    ck_assert_int_eq(rows, 2);
    nm_model_free(model);
}

/* By hand over the whole test split, against the score. */
static void check_score(nm_predictor *p, const nm_samples *test, const float *out, const nm_outcome *outcome)
{
    nm_score score = NM_SCORE_INIT;
    int right = 0, n = test->count;
    double loss = 0;
    for (int i = 0; i < n; i++) {
        int best = 0;
        double sum = 0;
        for (int k = 0; k < 10; k++) {
            sum += (double)out[10 * i + k];
            best = out[10 * i + k] > out[10 * i + best] ? k : best;
        }
        ck_assert_double_eq_tol(sum, 1, 1e-5);
        right += best == test->labels[i];
        loss -= log((double)out[10 * i + test->labels[i]]) / n;
    }
    ck_assert_done(nm_predictor_score(ctx, p, NULL, &score));
    ck_assert_int_eq(score.samples, n);
    ck_assert(score.accuracy == (double)right / n && score.accuracy == outcome->last->test_accuracy);
    ck_assert_double_eq_tol(score.loss, loss, 1e-4);
    nm_score_free(&score);
}

/* Values normalised here give the same as pixels normalised there. */
static void check_own_values(nm_predictor *p, const nm_dataset *data, const float *out)
{
    nm_normalisation norm;
    float values[784], some[10];
    ck_assert_done(nm_dataset_normalisation(ctx, &data->train, &norm));
    for (int i = 0; i < 784; i++)
        values[i] = (float)((data->test.pixels[i] / 255.0 - norm.mean[0]) / norm.deviation[0]);
    ck_assert_done(nm_predict_f32(ctx, p, 1, values, some));
    for (int k = 0; k < 10; k++)
        ck_assert_double_eq_tol((double)some[k], (double)out[k], 1e-5);
    nm_normalisation_free(&norm);
}

START_TEST(train_and_predict)
{
    nm_outcome outcome = NM_OUTCOME_INIT;
    train_small(in_folder("run"), &outcome);
    ck_assert_uint_eq(outcome.step, 20);
    ck_assert(!outcome.stopped && !outcome.diverged && outcome.last->step == 20);
    ck_assert(outcome.best_accuracy >= outcome.last->test_accuracy);

    nm_predictor *p;
    int h, w, c;
    ck_assert_done(nm_predictor_open(ctx, in_folder("run/last.h5"), &p));
    nm_predictor_input(p, &h, &w, &c);
    ck_assert(h == 28 && w == 28 && c == 1);
    ck_assert_int_eq(nm_predictor_outputs(p), 10);

    nm_dataset *data;
    ck_assert_done(nm_dataset_open(ctx, "mnist", NULL, &data));
    int n = data->test.count;
    float *out = nm_alloc(ctx, (size_t)n * 10, sizeof *out), some[50];
    ck_assert_done(nm_predict_u8(ctx, p, n, data->test.pixels, out));
    check_score(p, &data->test, out, &outcome);
    nm_outcome_free(&outcome);
    for (int i = 0; i < 5; i++) /* one by one gives the same as all at once */
        ck_assert_done(nm_predict_u8(ctx, p, 1, data->test.pixels + (size_t)i * 784, some + (size_t)i * 10));
    ck_assert_mem_eq(out, some, 50 * sizeof *out);
    check_own_values(p, data, out);
    ck_assert_int_eq(nm_predict_u8(ctx, p, 0, data->test.pixels, out), NM_INVALID);
    nm_free(out);
    nm_dataset_free(data);
    nm_predictor_free(p);
}
END_TEST

/* Trains for a step and predicts an image; whether the numbers are probabilities, and their sum. */
static double sum_of(const char *loss, const char *run, bool probabilities)
{
    nm_model *model;
    nm_training how = NM_TRAINING_INIT;
    nm_predictor *p;
    uint8_t pixels[784] = {0};
    float out[10];
    double sum = 0;
    ck_assert_done(nm_model_parse(ctx, SMALL_MODEL, &model));
    ck_assert_done(nm_model_set(ctx, model, "loss", loss));
    ck_assert_done(nm_model_set(ctx, model, "train.steps", "1"));
    how.run = run;
    ck_assert_done(nm_model_train(ctx, model, &how, NULL));
    char path[128];
    snprintf(path, sizeof path, "%s/last.h5", run);
    ck_assert_done(nm_predictor_open(ctx, path, &p));
    ck_assert_int_eq(nm_predictor_probabilities(p), probabilities);
    ck_assert_done(nm_predict_u8(ctx, p, 1, pixels, out));
    for (int k = 0; k < 10; k++) {
        ck_assert(!probabilities || (out[k] > 0 && out[k] < 1));
        sum += (double)out[k];
    }
    nm_predictor_free(p);
    nm_model_free(model);
    return sum;
}

START_TEST(probabilities_by_the_loss)
{
    ck_assert_double_eq_tol(sum_of("softmax_ce", in_folder("a"), true), 1, 1e-5);
    ck_assert_double_eq_tol(sum_of("focal", in_folder("b"), true), 1, 1e-5);
    ck_assert(fabs(sum_of("sigmoid_ce", in_folder("c"), true) - 1) > 0.01);
    sum_of("hinge", in_folder("d"), false);
    sum_of("mse", in_folder("e"), false);
}
END_TEST

START_TEST(outputs_that_are_no_numbers)
{
    nm_predictor *p;
    float values[2 * 784] = {0}, out[20];
    train_small(in_folder("run"), NULL);
    ck_assert_done(nm_predictor_open(ctx, in_folder("run/last.h5"), &p));
    for (int i = 784; i < 2 * 784; i++)
        values[i] = NAN;
    ck_assert_int_eq(nm_predict_f32(ctx, p, 2, values, out), NM_DIVERGED);
    assert_message(WORDS("NaN or infinity for 1 of 2 images"));
    for (int k = 0; k < 10; k++)
        ck_assert(!isnan(out[k]) && isnan(out[10 + k]));
    nm_predictor_free(p);
}
END_TEST

START_TEST(diverging)
{
    nm_model *model;
    nm_outcome outcome = NM_OUTCOME_INIT;
    ck_assert_done(nm_model_parse(ctx, SMALL_MODEL, &model));
    ck_assert_done(nm_model_set(ctx, model, "train.lr", "1e9"));
    ck_assert_done(nm_model_set(ctx, model, "train.without", "batchnorm"));
    ck_assert_int_eq(nm_model_train(ctx, model, NULL, &outcome), NM_DIVERGED);
    ck_assert(outcome.diverged && isnan(outcome.last->train_loss));
    ck_assert_uint_eq(outcome.step, outcome.last->step);
    assert_message(WORDS("diverged", "step"));
    nm_outcome_free(&outcome);
    nm_model_free(model);
}
END_TEST

START_TEST(wrong_calls)
{
    nm_model *model;
    nm_predictor *p;
    ck_assert_int_eq(nm_model_load(ctx, "no-such-model", &model), NM_INVALID);
    assert_message(WORDS("no model 'no-such-model'"));
    ck_assert_int_eq(nm_model_load(ctx, in_folder("x.yaml"), &model), NM_INVALID);
    assert_message(WORDS("x.yaml", "cannot open"));
    ck_assert_int_eq(nm_model_parse(ctx, "{", &model), NM_INVALID);
    assert_message(WORDS("not YAML"));
    ck_assert_int_eq(nm_predictor_open(ctx, in_folder("x.h5"), &p), NM_INVALID);
    assert_message(WORDS("x.h5"));
    ck_assert_done(nm_model_parse(ctx, SMALL_MODEL, &model));
    ck_assert_int_eq(nm_model_set(ctx, model, "nobody.filters", "3"), NM_INVALID);
    assert_message(WORDS("nobody"));
    nm_model_free(model);
    nm_model_free(NULL);
    nm_predictor_free(NULL);
}
END_TEST

/* Names are looked for where NORMA_MODELS points. */
START_TEST(models_by_name)
{
    nm_model *model;
    write_content(in_folder("tiny-net.yaml"), SMALL_MODEL, strlen(SMALL_MODEL));
    setenv("NORMA_MODELS", folder, 1);
    ck_assert_done(nm_model_load(ctx, "tiny-net", &model));
    nm_model_free(model);
    ck_assert_int_eq(nm_model_load(ctx, "tiny-nett", &model), NM_INVALID);
    assert_message(WORDS("'tiny-nett'", "did you mean 'tiny-net'?", folder));
}
END_TEST

SUITE_WITH("api", with_folder, train_and_predict, probabilities_by_the_loss, outputs_that_are_no_numbers, diverging,
           wrong_calls, models_by_name)
