/* training.h: an own loop gives the bits of nm_model_train. */
#include "api_support.h"

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
    nm_training how = NM_TRAINING_INIT;
    how.run = run;
    ck_assert_done(nm_model_train(ctx, model, &how, outcome));
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

static void assert_same_parameters(const nm_network *a, const nm_network *b)
{
    ck_assert_int_eq(nm_network_parameters(a), nm_network_parameters(b));
    for (int i = 0; i < nm_network_parameters(a); i++) {
        nm_parameter p = parameter_at(a, i), q = parameter_at(b, i);
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

/* ---- the bits of nm_model_train ---- */

START_TEST(epochs_as_nm_model_train)
{
    nm_outcome outcome = NM_OUTCOME_INIT;
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
    ck_assert(e.loss == outcome.last->test_loss && e.accuracy == outcome.last->test_accuracy);
    nm_outcome_free(&outcome);
    nm_trainer_free(t);
    nm_network_free(net);
    nm_data_free(data);
}
END_TEST

/* The loss of a fresh network over the test split, evaluated some samples at a time. */
static double loss_by_batches(const nm_data *data, const char *eval_batch)
{
    nm_model *model = small_model();
    nm_network *net;
    nm_evaluation_result e = NM_EVALUATION_RESULT_INIT;
    ck_assert_done(nm_model_set(ctx, model, "train.eval_batch", eval_batch));
    ck_assert_done(nm_network_new(ctx, model, &net));
    nm_trainer *t = trainer_on(net, data);
    ck_assert_done(nm_trainer_evaluate(t, data, NM_TEST_SPLIT, &e));
    nm_trainer_free(t);
    nm_network_free(net);
    nm_model_free(model);
    return e.loss;
}

START_TEST(the_loss_has_the_same_bits_at_any_batch)
{
    static const char *const batches[] = {"1", "7", "16", "31", "64", "119"};
    nm_data *data;
    ck_assert_done(nm_data_open(ctx, "mnist", &data));
    double whole = loss_by_batches(data, "250");
    for (int i = 0; i < 6; i++) {
        double loss = loss_by_batches(data, batches[i]);
        ck_assert_msg(loss == whole, "batches of %s: %.17g, of all: %.17g", batches[i], loss, whole);
    }
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
    nm_dataset *plain;
    train_model(in_folder("run"), NULL);
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

/* ---- saving ---- */

static bool stop_at_25(void *arg, nm_trainer *trainer, const nm_step_result *result)
{
    ck_assert_ptr_eq(arg, &settings);
    ck_assert_uint_eq(nm_trainer_steps(trainer), result->step + 1);
    return result->step == 24; /* within the second epoch */
}

START_TEST(saved_and_resumed)
{
    nm_data *data;
    nm_predictor *p;
    train_model(in_folder("run"), NULL);
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

/* ---- looking ---- */

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

SUITE_WITH("own loop", with_folder, epochs_as_nm_model_train, the_loss_has_the_same_bits_at_any_batch,
           own_arrays_and_loop_as_nm_model_train, saved_and_resumed, layers_and_their_outputs)
