/* Looking into a network: what its layers read, gradients by their outputs, trainers in evaluation
 * mode and of a part of the network. */
#include "api_support.h"

/* ---- layers ---- */

static int layer_of(const nm_network *net, const char *name)
{
    int layer = nm_network_layer_index(net, name);
    ck_assert_int_ge(layer, 0);
    return layer;
}

START_TEST(layers_and_their_fields)
{
    nm_network *net = network_with("input: {height: 16, width: 16, channels: 1}\n"
                                   "layers:\n- {name: c, conv: {filters: 2, kernel: [3, 5], stride: [1, 2]}}\n- relu\n"
                                   "- {name: p, maxpool: {size: 2}}\n"
                                   "- {name: gaps, conv: {filters: 2, kernel: 2, dilation: 2}}\n"
                                   "- {name: d, dense: {units: 3}}\n- {name: b, dense: {units: 3}}\n"
                                   "- {name: s, dense: {units: 3}, share: b}\n",
                                   NULL);
    nm_receptive_field field[8];
    nm_layer_info info = NM_LAYER_INFO_INIT;
    nm_parameter p = NM_PARAMETER_INIT;
    int c = layer_of(net, "c"), pool = layer_of(net, "p"), gaps = layer_of(net, "gaps"), d = layer_of(net, "d");
    ck_assert_int_eq(nm_network_layers(net), 8);
    ck_assert_done(nm_network_receptive_fields(ctx, net, field));
    ck_assert(field[c].extent[0] == 3 && field[c].extent[1] == 5 && field[c].jump[0] == 1 && field[c].jump[1] == 2);
    ck_assert(field[c].start[0] == 1 && field[c].start[1] == 2 && !field[c].whole && !field[c].gaps);
    ck_assert(field[pool].extent[0] == 4 && field[pool].extent[1] == 7 && field[pool].jump[1] == 4);
    ck_assert(field[gaps].extent[0] == 8 && field[d].whole && !field[0].whole && field[0].extent[0] == 1);

    ck_assert_done(nm_network_layer(ctx, net, pool, &info));
    ck_assert(info.window && info.parameters == 0);
    ck_assert_done(nm_network_layer(ctx, net, c + 1, &info));
    ck_assert(!info.window); /* relu */
    ck_assert_done(nm_network_layer(ctx, net, d, &info));
    ck_assert(info.window && info.parameters == 2);
    ck_assert_done(nm_network_parameter(ctx, net, info.first_parameter, &p));
    ck_assert(p.layer == d && p.weight);
    ck_assert_done(nm_network_parameter(ctx, net, info.first_parameter + 1, &p));
    ck_assert(p.layer == d && !p.weight);
    ck_assert_done(nm_network_layer(ctx, net, layer_of(net, "s"), &info));
    ck_assert_done(nm_network_parameter(ctx, net, info.first_parameter, &p));
    ck_assert(info.parameters == 2 && p.layer == layer_of(net, "b")); /* shared: they are that one's */
    nm_network_free(net);
}
END_TEST

/* ---- gradients ---- */

/* Smooth, so that differences tell the derivative; in evaluation another function than in training.
 */
#define NORMALISED                                                                                                     \
    "input: {height: 5, width: 4, channels: 2}\n"                                                                      \
    "layers:\n- {name: c, conv: {filters: 3, kernel: 3, pad: same}}\n- {name: n, batchnorm: {}}\n- tanh\n"             \
    "- {name: drop, dropout: {rate: 0.5}}\n- {name: d, dense: {units: 3}}\n"                                           \
    "loss: softmax_ce\ntrain: {seed: 5}\n"

enum { COUNT = 4, SIZE = 40, PLACES = 20, FILTERS = 3 };

static nm_real x[COUNT * SIZE];
static int32_t labels[COUNT];

static nm_minibatch batch_of(void)
{
    return wave_batch(x, labels, COUNT, SIZE);
}

static nm_trainer *trainer_of(nm_network *net, nm_trainer_options options)
{
    nm_trainer *trainer;
    options.batch = COUNT;
    ck_assert_done(nm_trainer_new(ctx, net, &options, &trainer));
    return trainer;
}

static nm_real *gradient_of(nm_trainer *trainer, const nm_network *net, const char *name)
{
    return nm_trainer_gradient(trainer, nm_network_parameter_index(net, name));
}

static double run_backward(nm_trainer *trainer)
{
    nm_minibatch batch = batch_of();
    nm_step_result result = NM_STEP_RESULT_INIT;
    ck_assert_done(nm_trainer_forward(trainer, &batch));
    ck_assert_done(nm_trainer_loss(trainer, &result));
    ck_assert_done(nm_trainer_backward(trainer));
    return result.loss;
}

/* That by the prediction is softmax less the labels; a bias has the sum of that by its layer's
 * output. */
static void check_layer_gradients(nm_trainer *trainer, const nm_network *net)
{
    int d = layer_of(net, "d"), c = layer_of(net, "c");
    const nm_real *y = nm_trainer_layer_output(trainer, d), *dy = nm_trainer_layer_gradient(trainer, d);
    ck_assert(y && dy);
    for (int i = 0; i < COUNT; i++) {
        double sum = 0;
        for (int k = 0; k < 3; k++)
            sum += exp((double)y[3 * i + k]);
        for (int k = 0; k < 3; k++) {
            double expected = (exp((double)y[3 * i + k]) / sum - (labels[i] == k)) / COUNT;
            ck_assert_double_eq_tol((double)dy[3 * i + k], expected, 1e-6);
        }
    }
    const nm_real *dc = nm_trainer_layer_gradient(trainer, c), *bias = gradient_of(trainer, net, "c/bias");
    ck_assert(dc && bias);
    for (int k = 0; k < FILTERS; k++) {
        double sum = 0, size = 0;
        for (int i = 0; i < COUNT * PLACES; i++) {
            sum += (double)dc[FILTERS * i + k];
            size += fabs((double)dc[FILTERS * i + k]);
        }
        ck_assert(size > 1e-3);
        ck_assert_double_eq_tol((double)bias[k], sum, 1e-5 * size);
    }
    ck_assert(!nm_trainer_layer_gradient(trainer, -1) && !nm_trainer_layer_gradient(trainer, 99));
}

START_TEST(gradients_by_outputs)
{
    nm_network *net =
        network_with("input: {height: 5, width: 4, channels: 2}\n"
                     "layers:\n- {name: c, conv: {filters: 3, kernel: 3, pad: same, bias: true}}\n- tanh\n"
                     "- {name: d, dense: {units: 3}}\n- {name: aside, dense: {units: 2}, from: c}\n"
                     "loss: {softmax_ce: {}, from: d}\n",
                     NULL);
    nm_trainer *trainer = trainer_of(net, (nm_trainer_options){.size = sizeof(nm_trainer_options), .keep_all = true});
    run_backward(trainer);
    check_layer_gradients(trainer, net);
    ck_assert_ptr_null(nm_trainer_layer_gradient(trainer, layer_of(net, "aside"))); /* the loss does not depend on it */
    nm_trainer_free(trainer);
    trainer = trainer_of(net, (nm_trainer_options)NM_TRAINER_OPTIONS_INIT);
    run_backward(trainer);
    ck_assert_ptr_null(nm_trainer_layer_gradient(trainer, layer_of(net, "c")));
    nm_trainer_free(trainer);
    nm_network_free(net);
}
END_TEST

START_TEST(gradients_that_are_not_there)
{
    nm_network *net = network_with(NORMALISED, NULL);
    nm_trainer_options options = NM_TRAINER_OPTIONS_INIT;
    nm_trainer *trainer = trainer_of(net, options);
    run_backward(trainer);
    ck_assert_ptr_nonnull(gradient_of(trainer, net, "c/weight"));
    ck_assert_ptr_null(gradient_of(trainer, net, "n/running_mean")); /* nothing is learned there */
    ck_assert(!nm_trainer_gradient(trainer, -1) && !nm_trainer_gradient(trainer, nm_network_parameters(net)));
    ck_assert_ptr_null(nm_trainer_input_gradient(trainer, 0)); /* not asked for */
    nm_trainer_free(trainer);
    options.input_gradients = options.keep_all = true; /* a layer's is there, which is no input */
    trainer = trainer_of(net, options);
    run_backward(trainer);
    ck_assert_ptr_nonnull(nm_trainer_input_gradient(trainer, 0));
    ck_assert(!nm_trainer_input_gradient(trainer, -1) && !nm_trainer_input_gradient(trainer, 1));
    nm_trainer_free(trainer);
    nm_network_free(net);
}
END_TEST

/* Against differences of the loss; the running statistics stay, and predictions are the prediction.
 */
START_TEST(evaluation_mode)
{
    nm_network *net = network_with(NORMALISED, NULL);
    nm_trainer_options options = NM_TRAINER_OPTIONS_INIT;
    options.evaluation = options.keep_all = true;
    nm_trainer *trainer = trainer_of(net, options);
    nm_parameter w = parameter_named(net, "c/weight"), mean = parameter_named(net, "n/running_mean");
    mean.values[1] = (nm_real)0.5;
    double loss = run_backward(trainer);
    ck_assert(loss == run_backward(trainer) && mean.values[1] == (nm_real)0.5 && mean.values[0] == 0);
    static nm_real predicted[COUNT * 3], gradients[FILTERS * 18];
    memcpy(gradients, gradient_of(trainer, net, "c/weight"), sizeof gradients);
    ck_assert_mem_eq(nm_trainer_layer_output(trainer, layer_of(net, "drop")),
                     nm_trainer_layer_output(trainer, layer_of(net, "drop") - 1),
                     COUNT * PLACES * FILTERS * sizeof(nm_real));
    ck_assert_done(nm_trainer_predict(trainer, COUNT, x, predicted));
    for (int i = 0; i < COUNT * 3; i++)
        ck_assert_double_eq_tol((double)predicted[i],
                                (double)nm_trainer_layer_output(trainer, nm_network_output(net))[i], 1e-5);
    for (size_t i = 0; i < w.count; i++) {
        nm_real at = w.values[i];
        double side[2], h = 1.0 / 64;
        for (int k = 0; k < 2; k++) {
            w.values[i] = at + (nm_real)(k ? h : -h);
            side[k] = run_backward(trainer);
        }
        w.values[i] = at;
        ck_assert_double_eq_tol((double)gradients[i], (side[1] - side[0]) / (2 * h), 1e-3);
    }
    nm_trainer *training = trainer_of(net, (nm_trainer_options)NM_TRAINER_OPTIONS_INIT);
    ck_assert(run_backward(training) != loss); /* statistics of the batch, dropout */
    ck_assert(mean.values[1] != (nm_real)0.5);
    nm_trainer_free(training);
    nm_trainer_free(trainer);
    nm_network_free(net);
}
END_TEST

/* Of a part of the network: backward from a layer in the middle, and the rest is as it was. */
START_TEST(backward_from_a_layer)
{
    nm_network *net = network_with(NORMALISED, NULL);
    nm_trainer_options options = NM_TRAINER_OPTIONS_INIT;
    options.evaluation = options.input_gradients = options.no_optimizer = true;
    nm_trainer *whole = trainer_of(net, options);
    double loss = run_backward(whole);
    options.output = layer_of(net, "n") + 1; /* tanh */
    nm_trainer *part = trainer_of(net, options);
    nm_minibatch batch = batch_of();
    static nm_real dy[COUNT * PLACES * FILTERS], dx[COUNT * SIZE];
    for (int i = 0; i < COUNT * PLACES * FILTERS; i++)
        dy[i] = (nm_real)cos(i * 1.3);
    ck_assert_done(nm_trainer_forward(part, &batch));
    ck_assert_int_eq(nm_trainer_loss(part, NULL), NM_INVALID);
    ck_assert_done(nm_trainer_backward_from(part, dy));
    memcpy(dx, nm_trainer_input_gradient(part, 0), sizeof dx);
    for (int i = 0; i < COUNT * SIZE; i += 7) {
        nm_real at = x[i];
        double sum[2] = {0, 0}, h = 1.0 / 64;
        for (int k = 0; k < 2; k++) {
            x[i] = at + (nm_real)(k ? h : -h);
            ck_assert_done(nm_trainer_forward(part, &batch));
            const nm_real *y = nm_trainer_layer_output(part, options.output);
            for (int j = 0; j < COUNT * PLACES * FILTERS; j++)
                sum[k] += (double)y[j] * (double)dy[j];
        }
        x[i] = at;
        ck_assert_double_eq_tol((double)dx[i], (sum[1] - sum[0]) / (2 * h), 2e-3);
    }
    ck_assert(run_backward(whole) == loss && nm_network_output(net) == layer_of(net, "d"));
    nm_trainer_free(part);
    nm_trainer_free(whole);
    nm_network_free(net);
}
END_TEST

START_TEST(refuses_outputs)
{
    nm_network *net = network_with(NORMALISED, NULL);
    nm_trainer_options options = NM_TRAINER_OPTIONS_INIT;
    nm_trainer *trainer;
    static const int wrong[] = {-1, 99};
    for (int i = 0; i < 2; i++) {
        options.output = wrong[i];
        ck_assert_int_eq(nm_trainer_new(ctx, net, &options, &trainer), NM_INVALID);
        ck_assert_ptr_nonnull(strstr(nm_error_message(ctx, 0), "expected a layer from 1 to 5"));
    }
    nm_network_free(net);
}
END_TEST

START_TEST(draws_by_the_seed)
{
    nm_network *net = network_with(NORMALISED, NULL);
    double loss[3];
    for (int i = 0; i < 3; i++) {
        nm_trainer_options options = NM_TRAINER_OPTIONS_INIT;
        options.seed = (uint64_t[]){0, 5, 6}[i]; /* the model's is 5 */
        nm_trainer *trainer = trainer_of(net, options);
        loss[i] = run_backward(trainer);
        nm_trainer_free(trainer);
    }
    ck_assert(loss[0] == loss[1] && loss[0] != loss[2]);
    nm_network_free(net);
}
END_TEST

SUITE_WITH("inspection", with_folder, layers_and_their_fields, gradients_by_outputs, gradients_that_are_not_there,
           evaluation_mode, backward_from_a_layer, refuses_outputs, draws_by_the_seed)
