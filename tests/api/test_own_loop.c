/* training.h: an own loop gives the bits of nm_model_train, gradients are those of the loss, and
 * what does not fit is refused. */
#include <norma/training.h>

#include "train_support.h"

#include <math.h>

/* 400 samples in batches of 21 leave a single one. */
static const char *const settings[][2] = {{"train.limit", "0"}, {"train.batch", "21"}, {"train.epochs", "2"}};

static nm_model *small_model(void)
{
    nm_model *model;
    ck_assert_done(nm_model_parse(ctx, SMALL_MODEL, &model));
    for (int i = 0; i < 3; i++)
        ck_assert_done(nm_model_set(ctx, model, settings[i][0], settings[i][1]));
    return model;
}

static void train_model(const char *run, nm_outcome *outcome)
{
    nm_model *model = small_model();
    ck_assert_done(nm_model_train(ctx, model, &(nm_training){.run = run}, outcome));
    nm_model_free(model);
}

static nm_network *small_network(void)
{
    nm_model *model = small_model();
    nm_network *net;
    ck_assert_done(nm_network_new(ctx, model, &net));
    nm_model_free(model);
    return net;
}

static nm_trainer *trainer_on(nm_network *net, const nm_data *data)
{
    nm_trainer_options options = NM_TRAINER_OPTIONS_INIT;
    nm_trainer *t;
    options.data = data;
    ck_assert_done(nm_trainer_new(ctx, net, &options, &t));
    return t;
}

static nm_parameter parameter(const nm_network *net, int index)
{
    nm_parameter p = NM_PARAMETER_INIT;
    ck_assert_done(nm_network_parameter(ctx, net, index, &p));
    return p;
}

static void assert_same_parameters(const nm_network *a, const nm_network *b)
{
    ck_assert_int_eq(nm_network_parameters(a), nm_network_parameters(b));
    for (int i = 0; i < nm_network_parameters(a); i++) {
        nm_parameter p = parameter(a, i), q = parameter(b, i);
        ck_assert_str_eq(p.name, q.name);
        ck_assert_uint_eq(p.count, q.count);
        ck_assert_msg(memcmp(p.values, q.values, p.count * sizeof *p.values) == 0, "%s differs", p.name);
    }
}

static void assert_as_in_run(const char *checkpoint, const nm_network *net)
{
    nm_network *trained;
    ck_assert_done(nm_network_load(ctx, checkpoint, &trained));
    assert_same_parameters(trained, net);
    nm_network_free(trained);
}

/* ---- the bits of nm_model_train
 * ------------------------------------------------------------------ */

START_TEST(epochs_as_nm_model_train)
{
    nm_outcome outcome;
    nm_data *data;
    nm_evaluation_result e = NM_EVALUATION_RESULT_INIT;
    train_model(in_folder("run"), &outcome);
    nm_network *net = small_network();
    ck_assert_done(nm_data_open(ctx, "mnist", &data));
    ck_assert(nm_data_count(data, NM_TRAIN_SPLIT) == 400 && nm_data_count(data, NM_TEST_SPLIT) == 120);
    nm_trainer *t = trainer_on(net, data);
    ck_assert_done(nm_trainer_fit(t, 2, NULL, NULL, NULL));
    ck_assert_uint_eq(nm_trainer_steps(t), outcome.step);
    assert_as_in_run(in_folder("run/last.h5"), net);
    ck_assert_done(nm_trainer_evaluate(t, data, NM_TEST_SPLIT, &e));
    ck_assert_int_eq(e.samples, 120);
    ck_assert(e.loss == outcome.last.test_loss && e.accuracy == outcome.last.test_accuracy);
    nm_trainer_free(t);
    nm_network_free(net);
    nm_data_free(data);
}
END_TEST

/* Each sample turned upside down and mirrored, to be read by negative strides. */
static nm_data *turned_arrays(const nm_samples *samples, uint8_t *pixels, int64_t *labels)
{
    nm_arrays a = NM_ARRAYS_INIT;
    nm_data *data;
    for (int i = 0; i < samples->count * 784; i++)
        pixels[i / 784 * 784 + 783 - i % 784] = samples->pixels[i];
    for (int i = 0; i < samples->count; i++)
        labels[i] = samples->labels[i];
    a.count = samples->count;
    a.height = a.width = 28;
    a.channels = 1;
    a.images = pixels + 783;
    a.borrow = true;
    memcpy(a.strides, (const ptrdiff_t[4]){784, -28, -1, 1}, sizeof a.strides);
    a.targets = labels;
    a.targets_type = NM_INT64;
    ck_assert_done(nm_data_from_arrays(ctx, &a, NULL, 0, NULL, &data));
    return data;
}

static void own_step(nm_trainer *t, const nm_minibatch *batch)
{
    nm_step_result r = NM_STEP_RESULT_INIT;
    ck_assert_done(nm_trainer_forward(t, batch));
    ck_assert_done(nm_trainer_loss(t, &r));
    ck_assert(r.loss > 0 && r.counted == batch->n);
    ck_assert_done(nm_trainer_backward(t));
    ck_assert_done(nm_trainer_update(t));
}

/* All that nm_trainer_fit does, by hand. */
static void own_epochs(nm_trainer *t, const nm_data *data)
{
    int order[400];
    nm_real x[21 * 784];
    int32_t labels[21];
    nm_minibatch batch = NM_MINIBATCH_INIT;
    for (uint32_t epoch = 0; epoch < 2; epoch++) {
        nm_data_shuffle(data, 7, epoch, order);
        for (int first = 0; first + 1 < 400; first += 21) {
            batch.n = 400 - first < 21 ? 400 - first : 21;
            batch.x = x;
            batch.labels = labels;
            ck_assert_done(nm_data_batch(ctx, data, NM_TRAIN_SPLIT, batch.n, order + first, x, labels, NULL));
            own_step(t, &batch);
        }
    }
}

START_TEST(own_arrays_and_loop_as_nm_model_train)
{
    nm_outcome outcome;
    nm_dataset *plain;
    train_model(in_folder("run"), &outcome);
    ck_assert_done(nm_dataset_open(ctx, "mnist", NULL, &plain));
    uint8_t *pixels = malloc(400 * 784);
    int64_t labels[400];
    nm_data *data = turned_arrays(&plain->train, pixels, labels);
    ck_assert_int_eq(nm_data_classes(data), 10);
    ck_assert_str_eq(nm_data_class_name(data, 3), "3");
    nm_network *net = small_network();
    nm_trainer *t = trainer_on(net, data);
    own_epochs(t, data);
    assert_as_in_run(in_folder("run/last.h5"), net);
    nm_trainer_free(t);
    nm_network_free(net);
    nm_data_free(data);
    nm_dataset_free(plain);
    free(pixels);
}
END_TEST

/* ---- saving
 * -------------------------------------------------------------------------------------- */

static bool stop_at_25(void *arg, nm_trainer *trainer, const nm_step_result *result)
{
    ck_assert_ptr_eq(arg, &settings);
    ck_assert_uint_eq(nm_trainer_steps(trainer), result->step + 1);
    return result->step == 24; /* within the second epoch */
}

START_TEST(saved_and_resumed)
{
    nm_outcome outcome;
    nm_data *data;
    nm_predictor *p;
    train_model(in_folder("run"), &outcome);
    ck_assert_done(nm_data_open(ctx, "mnist", &data));
    nm_network *net = small_network();
    nm_trainer *t = trainer_on(net, data);
    ck_assert_done(nm_trainer_fit(t, 2, stop_at_25, NULL, (void *)&settings));
    ck_assert_uint_eq(nm_trainer_steps(t), 25);
    ck_assert_done(nm_trainer_save(t, in_folder("own.h5")));
    nm_trainer_free(t);
    nm_network_free(net);

    net = small_network();
    t = trainer_on(net, data);
    ck_assert_done(nm_trainer_resume(t, in_folder("own.h5")));
    ck_assert_uint_eq(nm_trainer_steps(t), 25);
    ck_assert_done(nm_trainer_fit(t, 2, NULL, NULL, NULL));
    assert_as_in_run(in_folder("run/last.h5"), net);
    ck_assert_done(nm_predictor_open(ctx, in_folder("own.h5"), &p)); /* with normalisation and classes */
    nm_predictor_free(p);
    ck_assert_int_eq(nm_trainer_resume(t, in_folder("none.h5")), NM_INVALID);
    nm_trainer_free(t);
    nm_network_free(net);
    nm_data_free(data);
}
END_TEST

/* ---- gradients
 * ----------------------------------------------------------------------------------- */

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
    nm_model *model;
    nm_trainer_options options = NM_TRAINER_OPTIONS_INIT;
    ck_assert_done(nm_model_parse(ctx, SMOOTH_MODEL, &model));
    if (loss)
        ck_assert_done(nm_model_set(ctx, model, "loss", loss));
    ck_assert_done(nm_network_new(ctx, model, &s->net));
    nm_model_free(model);
    options.batch = SMOOTH_BATCH;
    options.input_gradients = true;
    ck_assert_done(nm_trainer_new(ctx, s->net, &options, &s->trainer));
    for (int i = 0; i < SMOOTH_BATCH * SMOOTH_SIZE; i++)
        s->x[i] = (nm_real)sin(i * 0.7);
    for (int i = 0; i < SMOOTH_BATCH; i++)
        s->labels[i] = i % 3;
    s->batch = (nm_minibatch)NM_MINIBATCH_INIT;
    s->batch.n = SMOOTH_BATCH;
    s->batch.x = s->x;
    s->batch.labels = s->labels;
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
    nm_parameter w = parameter(s.net, index);
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
    nm_parameter bias = parameter(s.net, nm_network_parameter_index(s.net, "d/bias"));
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

/* ---- looking
 * ------------------------------------------------------------------------------------- */

START_TEST(layers_and_their_outputs)
{
    nm_network *net = small_network();
    nm_trainer_options options = NM_TRAINER_OPTIONS_INIT;
    nm_trainer *t;
    nm_layer_info info = NM_LAYER_INFO_INIT;
    static nm_real x[2 * 784];
    nm_minibatch batch = NM_MINIBATCH_INIT;
    options.keep_all = true;
    ck_assert_done(nm_trainer_new(ctx, net, &options, &t));
    int p1 = nm_network_layer_index(net, "p1"), c1 = nm_network_layer_index(net, "c1");
    ck_assert_done(nm_network_layer(ctx, net, p1, &info));
    ck_assert_str_eq(info.type, "maxpool");
    ck_assert(info.channels == 4 && info.inputs == 1 && nm_network_inputs(net) == 1);
    ck_assert_int_eq(nm_network_layer_index(net, "nowhere"), -1);
    ck_assert_int_eq(nm_network_layer(ctx, net, nm_network_layers(net), &info), NM_INVALID);
    batch.n = 2;
    batch.x = x;
    ck_assert_ptr_null(nm_trainer_layer_output(t, c1));
    ck_assert_done(nm_trainer_forward(t, &batch));
    ck_assert_ptr_nonnull(nm_trainer_layer_output(t, c1));
    ck_assert_ptr_eq(nm_trainer_layer_output(t, 0), x);
    nm_trainer_free(t);
    nm_network_free(net);
}
END_TEST

/* ---- refusals
 * ------------------------------------------------------------------------------------ */

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
    nm_parameter bias = parameter(s.net, nm_network_parameter_index(s.net, "d/bias"));
    nm_real before = bias.values[0];
    nm_step_result r = NM_STEP_RESULT_INIT;
    s.x[7] = (nm_real)NAN;
    ck_assert_int_eq(nm_trainer_step(s.trainer, &s.batch, &r), NM_DIVERGED);
    ck_assert(isnan(r.loss) && bias.values[0] == before && nm_trainer_steps(s.trainer) == 0);
    close_smooth(&s);
}
END_TEST

SUITE_WITH("own loop", with_folder, epochs_as_nm_model_train, own_arrays_and_loop_as_nm_model_train, saved_and_resumed,
           gradients_by_name_and_input, backward_from_a_gradient, gradients_accumulate, learning_rate_at_any_time,
           layers_and_their_outputs, wrong_arrays, wrong_steps, data_of_another_shape, a_loss_that_is_no_number)
