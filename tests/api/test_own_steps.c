/* The steps of training.h one by one: gradients are those of the loss, and what does not fit is
 * refused. */
#include "api_support.h"

/* ---- gradients ---- */

/* Smooth, so that differences tell the derivative. */
#define SMOOTH_MODEL                                                                                                   \
    "input: {height: 5, width: 4, channels: 2}\n"                                                                      \
    "layers: [{name: c, conv: {filters: 3, kernel: 3, pad: same}}, tanh, {name: d, dense: {units: 3}}]\n"

enum { SMOOTH_BATCH = 4, SMOOTH_SIZE = 40 };

typedef struct smooth {
    nm_network *net;
    nm_trainer *trainer;
    nm_real x[SMOOTH_BATCH * SMOOTH_SIZE];
    int32_t labels[SMOOTH_BATCH];
    nm_minibatch batch;
} smooth;

static void open_smooth(smooth *s, const char *loss)
{
    nm_trainer_options options = NM_TRAINER_OPTIONS_INIT;
    s->net = network_with(SMOOTH_MODEL, (const char *const[][2]){{"loss", loss}, {NULL}});
    options.batch = SMOOTH_BATCH;
    options.input_gradients = true;
    ck_assert_done(nm_trainer_new(ctx, s->net, &options, &s->trainer));
    s->batch = wave_batch(s->x, s->labels, SMOOTH_BATCH, SMOOTH_SIZE);
}

static void close_smooth(smooth *s)
{
    nm_trainer_free(s->trainer);
    nm_network_free(s->net);
}

static double loss_of(smooth *s)
{
    nm_step_result r = NM_STEP_RESULT_INIT;
    ck_assert_done(nm_trainer_forward(s->trainer, &s->batch));
    ck_assert_done(nm_trainer_loss(s->trainer, &r));
    return r.loss;
}

static double derivative(smooth *s, nm_real *at)
{
    nm_real kept = *at, step = (nm_real)(sizeof(nm_real) == 8 ? 1e-5 : 1e-2);
    *at = kept + step;
    double above = loss_of(s), width = (double)*at;
    *at = kept - step;
    double below = loss_of(s);
    width -= (double)*at;
    *at = kept;
    return (above - below) / width;
}

START_TEST(gradients_by_name_and_input)
{
    smooth s;
    double tolerance = sizeof(nm_real) == 8 ? 1e-8 : 1e-3;
    nm_real by_x[SMOOTH_BATCH * SMOOTH_SIZE], by_w[54];
    open_smooth(&s, "softmax_ce");
    int index = nm_network_parameter_index(s.net, "c/weight");
    nm_parameter w = parameter_at(s.net, index);
    ck_assert_str_eq(w.layout, "HWIO");
    ck_assert(w.trained && w.count == 54 && w.rank == 4 && w.dims[0] == 3 && w.dims[3] == 3);
    loss_of(&s);
    ck_assert_done(nm_trainer_backward(s.trainer));
    memcpy(by_w, nm_trainer_gradient(s.trainer, index), sizeof by_w);
    memcpy(by_x, nm_trainer_input_gradient(s.trainer, 0), sizeof by_x);
    double largest = 0;
    for (int i = 0; i < 54; i++) {
        ck_assert_double_eq_tol((double)by_w[i], derivative(&s, &w.values[i]), tolerance);
        largest = fmax(largest, fabs((double)by_w[i]));
    }
    for (int i = 0; i < SMOOTH_BATCH * SMOOTH_SIZE; i += 3)
        ck_assert_double_eq_tol((double)by_x[i], derivative(&s, &s.x[i]), tolerance);
    ck_assert(largest > 20 * tolerance);
    close_smooth(&s);
}
END_TEST

/* d sum(y * dy) / dx of a network without a loss. */
START_TEST(backward_from_a_gradient)
{
    smooth s;
    nm_real dy[SMOOTH_BATCH * 3], by_x[SMOOTH_BATCH * SMOOTH_SIZE];
    open_smooth(&s, NULL);
    for (int i = 0; i < SMOOTH_BATCH * 3; i++)
        dy[i] = (nm_real)cos(i * 1.3);
    ck_assert_done(nm_trainer_forward(s.trainer, &s.batch));
    ck_assert_done(nm_trainer_backward_from(s.trainer, dy));
    memcpy(by_x, nm_trainer_input_gradient(s.trainer, 0), sizeof by_x);
    for (int i = 0; i < SMOOTH_BATCH * SMOOTH_SIZE; i += 7) {
        double sum[2] = {0, 0};
        nm_real kept = s.x[i], step = (nm_real)1e-2;
        for (int side = 0; side < 2; side++) {
            s.x[i] = side ? kept + step : kept - step;
            ck_assert_done(nm_trainer_forward(s.trainer, &s.batch));
            const nm_real *y = nm_trainer_layer_output(s.trainer, nm_network_output(s.net));
            for (int k = 0; k < SMOOTH_BATCH * 3; k++)
                sum[side] += (double)y[k] * (double)dy[k];
        }
        s.x[i] = kept;
        ck_assert_double_eq_tol((double)by_x[i], (sum[1] - sum[0]) / 0.02, 1e-3);
    }
    close_smooth(&s);
}
END_TEST

START_TEST(gradients_accumulate)
{
    smooth s;
    open_smooth(&s, "softmax_ce");
    int index = nm_network_parameter_index(s.net, "d/bias");
    nm_real once[3];
    const nm_real *now = nm_trainer_gradient(s.trainer, index);
    loss_of(&s);
    ck_assert_int_eq(nm_trainer_accumulate(s.trainer), NM_INVALID); /* nothing to keep yet */
    ck_assert_done(nm_trainer_backward(s.trainer));
    memcpy(once, now, sizeof once);
    ck_assert_done(nm_trainer_accumulate(s.trainer));
    loss_of(&s);
    ck_assert_done(nm_trainer_backward(s.trainer));
    for (int i = 0; i < 3; i++)
        ck_assert(now[i] == once[i] + once[i] && once[i] != 0);
    loss_of(&s); /* overwritten, as nothing was kept since */
    ck_assert_done(nm_trainer_backward(s.trainer));
    ck_assert(memcmp(now, once, sizeof once) == 0);
    nm_trainer_zero_gradients(s.trainer);
    ck_assert(now[0] == 0 && now[1] == 0 && now[2] == 0);
    close_smooth(&s);
}
END_TEST

START_TEST(learning_rate_at_any_time)
{
    smooth s;
    open_smooth(&s, "softmax_ce");
    double preset = nm_trainer_lr(s.trainer);
    nm_parameter bias = parameter_at(s.net, nm_network_parameter_index(s.net, "d/bias"));
    nm_real before = bias.values[0];
    ck_assert(preset > 0);
    nm_trainer_set_lr(s.trainer, 0);
    ck_assert_done(nm_trainer_step(s.trainer, &s.batch, NULL));
    ck_assert(bias.values[0] == before && nm_trainer_lr(s.trainer) == 0);
    nm_trainer_set_lr(s.trainer, 0.25);
    ck_assert_done(nm_trainer_step(s.trainer, &s.batch, NULL));
    ck_assert(bias.values[0] != before);
    nm_trainer_set_lr(s.trainer, -1);
    ck_assert(nm_trainer_lr(s.trainer) == preset);
    close_smooth(&s);
}
END_TEST

/* ---- refusals ---- */

static void refuse_arrays(nm_arrays a, const char *words)
{
    nm_data *data;
    ck_assert_int_eq(nm_data_from_arrays(ctx, &a, NULL, 3, NULL, &data), NM_INVALID);
    ck_assert_ptr_null(data);
    assert_message(WORDS(words));
}

START_TEST(wrong_arrays)
{
    static const uint8_t pixels[2 * 4];
    static const int32_t labels[2] = {0, 3};
    nm_arrays good = NM_ARRAYS_INIT, a;
    good.count = 2;
    good.height = good.width = 2;
    good.channels = 1;
    good.images = pixels;
    a = good, a.size = 0;
    refuse_arrays(a, "NM_ARRAYS_INIT");
    a = good, a.count = 0;
    refuse_arrays(a, "found 0 of 2x2x1");
    a = good, a.images_type = NM_INT64;
    refuse_arrays(a, "NM_UINT8 or NM_FLOAT32");
    a = good, a.targets = labels;
    refuse_arrays(a, "label 1 is 3; expected 0 to 2");
    a = good, a.targets = labels, a.targets_each = 2;
    refuse_arrays(a, "targets_each 2");
}
END_TEST

static void refuse_step(smooth *s, const char *words)
{
    ck_assert_int_eq(nm_trainer_step(s->trainer, &s->batch, NULL), NM_INVALID);
    assert_message(WORDS(words));
}

START_TEST(wrong_steps)
{
    smooth s;
    open_smooth(&s, "softmax_ce");
    s.batch.n = SMOOTH_BATCH + 1;
    refuse_step(&s, "1 to 4 samples, found 5");
    s.batch.n = SMOOTH_BATCH;
    s.batch.labels = NULL;
    refuse_step(&s, "takes labels; the batch has no targets");
    s.batch.labels = s.labels;
    s.labels[2] = 3;
    refuse_step(&s, "label 2 of the batch is 3");
    s.labels[2] = 2;
    s.batch.x = NULL;
    refuse_step(&s, "the batch lacks");
    s.batch.x = s.x;
    s.batch.size = 0;
    refuse_step(&s, "NM_MINIBATCH_INIT");
    s.batch.size = sizeof s.batch;
    ck_assert_int_eq(nm_trainer_backward(s.trainer), NM_INVALID);
    assert_message(WORDS("nm_trainer_backward comes after nm_trainer_loss"));
    ck_assert_int_eq(nm_trainer_update(s.trainer), NM_INVALID);
    ck_assert_uint_eq(nm_trainer_steps(s.trainer), 0);
    close_smooth(&s);
}
END_TEST

START_TEST(data_without_targets)
{
    smooth s;
    nm_data *data;
    nm_arrays a = NM_ARRAYS_INIT;
    nm_evaluation_result e = NM_EVALUATION_RESULT_INIT;
    static const float images[2 * SMOOTH_SIZE];
    open_smooth(&s, "softmax_ce");
    a.count = a.channels = 2;
    a.height = 5;
    a.width = 4;
    a.images = images;
    a.images_type = NM_FLOAT32;
    ck_assert_done(nm_data_from_arrays(ctx, &a, NULL, 0, NULL, &data));
    ck_assert_int_eq(nm_trainer_evaluate(s.trainer, data, NM_TRAIN_SPLIT, &e), NM_INVALID);
    assert_message(WORDS("the batch has no targets"));
    nm_data_free(data);
    close_smooth(&s);
}
END_TEST

START_TEST(names_of_classes)
{
    static const float images[2];
    static const char *const names[] = {"cat", "a\nb"};
    nm_arrays a = NM_ARRAYS_INIT;
    nm_data *data;
    a.count = 2;
    a.height = a.width = a.channels = 1;
    a.images = images;
    a.images_type = NM_FLOAT32;
    ck_assert_int_eq(nm_data_from_arrays(ctx, &a, NULL, 2, names, &data), NM_INVALID);
    assert_message(WORDS("arrays: class 1: a name must be of printable characters", "found 'a\\nb'"));
}
END_TEST

START_TEST(data_of_another_shape)
{
    nm_data *data;
    nm_trainer *t;
    nm_model *model;
    nm_network *net;
    nm_trainer_options options = NM_TRAINER_OPTIONS_INIT;
    ck_assert_done(nm_data_open(ctx, "mnist", &data));
    ck_assert_done(nm_model_parse(ctx, SMOOTH_MODEL, &model));
    ck_assert_done(nm_network_new(ctx, model, &net));
    options.data = data;
    ck_assert_int_eq(nm_trainer_new(ctx, net, &options, &t), NM_INVALID);
    assert_message(WORDS("expected images of 5x4x2; the data has 28x28x1"));
    nm_network_free(net);
    nm_model_free(model);
    nm_data_free(data);
}
END_TEST

START_TEST(a_loss_that_is_no_number)
{
    smooth s;
    open_smooth(&s, "softmax_ce");
    nm_parameter bias = parameter_at(s.net, nm_network_parameter_index(s.net, "d/bias"));
    nm_real before = bias.values[0];
    nm_step_result r = NM_STEP_RESULT_INIT;
    s.x[7] = (nm_real)NAN;
    ck_assert_int_eq(nm_trainer_step(s.trainer, &s.batch, &r), NM_DIVERGED);
    ck_assert(isnan(r.loss) && bias.values[0] == before && nm_trainer_steps(s.trainer) == 0);
    close_smooth(&s);
}
END_TEST

SUITE_WITH("own steps", with_folder, gradients_by_name_and_input, backward_from_a_gradient, gradients_accumulate,
           learning_rate_at_any_time, wrong_arrays, wrong_steps, data_without_targets, names_of_classes,
           data_of_another_shape, a_loss_that_is_no_number)
