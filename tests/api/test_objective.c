/* objective.h, and what of training.h stands beside it: losses as functions of any prediction,
 * layers that can be read, parameters that the caller changes. */
#include <norma/objective.h>

#include "api_support.h"

#define LAYERS                                                                                                         \
    "input: {height: 4, width: 3, channels: 2}\n"                                                                      \
    "name: judged\n"                                                                                                   \
    "layers: [{name: c, conv: {filters: 3, kernel: 3, pad: same}}, batchnorm, {name: t, tanh: {}},\n"                  \
    "  {name: scores, dense: {units: 3}},\n"                                                                           \
    "  {name: image, conv: {filters: 2, kernel: 3, pad: same}, from: t}]\n"
#define ONE_LOSS LAYERS "loss: {softmax_ce: {}, from: scores}\n"
#define THREE_LOSSES                                                                                                   \
    LAYERS "loss: [{softmax_ce: {}, from: scores}, {mse: {}, from: image, target: input, weight: 0.25},\n"             \
           "  {hinge: {}, from: scores, weight: 2}]\n"

enum { BATCH = 4, SIZE = 24 };

typedef struct judged_network {
    nm_network *net;
    nm_trainer *trainer;
    nm_real x[BATCH * SIZE];
    int32_t labels[BATCH];
    nm_minibatch batch;
} judged_network;

static nm_trainer_options plain_options(void)
{
    nm_trainer_options options = NM_TRAINER_OPTIONS_INIT;
    options.batch = BATCH;
    return options;
}

static void open_network(judged_network *j, const char *text, const char *train, nm_trainer_options options)
{
    j->net = network_with(text, (const char *const[][2]){{"train", train}, {NULL}});
    ck_assert_done(nm_trainer_new(ctx, j->net, &options, &j->trainer));
    j->batch = wave_batch(j->x, j->labels, BATCH, SIZE);
}

static void close_network(judged_network *j)
{
    nm_trainer_free(j->trainer);
    nm_network_free(j->net);
}

static nm_objective_info objective(const judged_network *j, int index)
{
    nm_objective_info info = NM_OBJECTIVE_INFO_INIT;
    ck_assert_done(nm_network_objective(ctx, j->net, index, &info));
    return info;
}

/* ---- what they are ---- */

START_TEST(what_the_objectives_are)
{
    judged_network j;
    nm_objective_info none = NM_OBJECTIVE_INFO_INIT;
    open_network(&j, THREE_LOSSES, "{seed: 5}", plain_options());
    ck_assert_str_eq(nm_network_name(j.net), "judged");
    ck_assert_uint_eq(nm_network_seed(j.net), 5);
    ck_assert_int_eq(nm_network_objectives(j.net), 3);
    nm_objective_info a = objective(&j, 0), b = objective(&j, 1), c = objective(&j, 2);
    ck_assert(strcmp(a.loss, "softmax_ce") == 0 && strcmp(b.loss, "mse") == 0 && strcmp(c.loss, "hinge") == 0);
    ck_assert(a.weight == 1 && b.weight == 0.25 && c.weight == 2);
    ck_assert_int_eq(a.layer, nm_network_layer_index(j.net, "scores"));
    ck_assert_int_eq(b.layer, nm_network_layer_index(j.net, "image"));
    ck_assert(a.target_layer == -1 && b.target_layer == 0 && c.target_layer == -1);
    ck_assert(a.classifies && a.soft && !b.classifies && c.classifies && !c.soft);
    ck_assert_int_eq(nm_network_objective(ctx, j.net, 3, &none), NM_INVALID);
    assert_message(WORDS("there is no objective 3: the network has 3"));
    none.size = 0;
    ck_assert_int_eq(nm_network_objective(ctx, j.net, 0, &none), NM_INVALID);
    assert_message(WORDS("NM_OBJECTIVE_INFO_INIT"));
    close_network(&j);
}
END_TEST

/* ---- what they give ---- */

static double mean_loss(const judged_network *j, int index, const nm_real *prediction, nm_real *gradient)
{
    double losses[BATCH], sum = 0;
    nm_minibatch targets = j->batch;
    if (objective(j, index).target_layer == 0)
        targets.values = j->x;
    ck_assert_done(nm_objective_run(ctx, j->net, index, prediction, &targets, losses, gradient));
    for (int i = 0; i < BATCH; i++)
        sum += losses[i];
    return sum / BATCH;
}

START_TEST(they_add_up_to_the_loss)
{
    judged_network j;
    nm_step_result r = NM_STEP_RESULT_INIT;
    nm_trainer_options options = plain_options();
    options.keep_all = true;
    open_network(&j, THREE_LOSSES, NULL, options);
    ck_assert_done(nm_trainer_forward(j.trainer, &j.batch));
    double sum = 0;
    for (int i = 0; i < 3; i++) {
        nm_objective_info info = objective(&j, i);
        double loss = mean_loss(&j, i, nm_trainer_layer_output(j.trainer, info.layer), NULL);
        ck_assert(loss > 0.01);
        sum += info.weight * loss;
    }
    ck_assert_done(nm_trainer_loss(j.trainer, &r));
    ck_assert_double_eq_tol(sum, r.loss, 1e-12);
    close_network(&j);
}
END_TEST

START_TEST(their_gradients_are_derivatives)
{
    judged_network j;
    nm_real y[BATCH * SIZE], dy[BATCH * SIZE];
    const int sizes[] = {3, SIZE, 3};
    double h = sizeof(nm_real) == 8 ? 1e-5 : 1e-2, tolerance = sizeof(nm_real) == 8 ? 1e-9 : 1e-3;
    open_network(&j, THREE_LOSSES, NULL, plain_options());
    for (int i = 0; i < 3; i++) {
        int count = BATCH * sizes[i];
        double weight = objective(&j, i).weight;
        for (int k = 0; k < count; k++)
            y[k] = (nm_real)cos(k * 1.3 + i);
        mean_loss(&j, i, y, dy);
        for (int k = 0; k < count; k++) {
            double loss[2], width = 0;
            nm_real kept = y[k];
            for (int side = 0; side < 2; side++) {
                y[k] = kept + (nm_real)(side ? h : -h);
                width += side ? (double)y[k] : -(double)y[k];
                loss[side] = mean_loss(&j, i, y, NULL);
            }
            y[k] = kept;
            ck_assert_double_eq_tol((double)dy[k], weight * (loss[1] - loss[0]) / width, tolerance);
        }
    }
    close_network(&j);
}
END_TEST

/* A loss run apart, and backward from its gradient, are the loss and backward of a trainer. */
START_TEST(backward_goes_on_from_it)
{
    judged_network j;
    nm_real dy[BATCH * 3], whole[54], apart[54];
    open_network(&j, ONE_LOSS, NULL, plain_options());
    int weight = nm_network_parameter_index(j.net, "c/weight");
    ck_assert_done(nm_trainer_forward(j.trainer, &j.batch));
    ck_assert_done(nm_trainer_loss(j.trainer, NULL));
    ck_assert_done(nm_trainer_backward(j.trainer));
    memcpy(whole, nm_trainer_gradient(j.trainer, weight), sizeof whole);
    ck_assert_done(nm_trainer_forward(j.trainer, &j.batch));
    mean_loss(&j, 0, nm_trainer_layer_output(j.trainer, objective(&j, 0).layer), dy);
    ck_assert_done(nm_trainer_backward_from(j.trainer, dy));
    memcpy(apart, nm_trainer_gradient(j.trainer, weight), sizeof apart);
    ck_assert(memcmp(whole, apart, sizeof whole) == 0 && whole[0] != 0);
    close_network(&j);
}
END_TEST

static void refuse_run(judged_network *j, int index, const char *words)
{
    double losses[BATCH];
    const nm_real y[BATCH * SIZE] = {0};
    ck_assert_int_eq(nm_objective_run(ctx, j->net, index, y, &j->batch, losses, NULL), NM_INVALID);
    assert_message(WORDS(words));
}

START_TEST(wrong_targets)
{
    judged_network j;
    open_network(&j, THREE_LOSSES, NULL, plain_options());
    refuse_run(&j, -1, "there is no objective -1");
    refuse_run(&j, 1, "takes values; there are labels");
    j.labels[1] = 3;
    refuse_run(&j, 0, "label 1 of the batch is 3; its prediction 'scores' has 3 classes");
    j.batch.labels = NULL;
    refuse_run(&j, 0, "takes labels; the batch has no targets");
    refuse_run(&j, 1, "takes values; there are no targets");
    j.batch.values = j.x;
    refuse_run(&j, 2, "takes labels; the batch has values");
    j.batch.n = 0;
    refuse_run(&j, 0, "at least 1 sample, found 0");
    j.batch.size = 0;
    refuse_run(&j, 0, "NM_MINIBATCH_INIT");
    close_network(&j);
}
END_TEST

/* ---- layers that can be read ---- */

START_TEST(kept_layers_can_be_read)
{
    judged_network j;
    int keep[2];
    nm_trainer_options options = plain_options();
    open_network(&j, THREE_LOSSES, NULL, options);
    int image = nm_network_layer_index(j.net, "image");
    ck_assert_done(nm_trainer_forward(j.trainer, &j.batch));
    ck_assert_ptr_null(nm_trainer_layer_output(j.trainer, image));
    close_network(&j);
    keep[0] = 0;
    keep[1] = image;
    options.keep = keep;
    options.keeps = 2;
    open_network(&j, THREE_LOSSES, "{micro_batch: 1, recompute: true}", options); /* would be in slices */
    keep[0] = keep[1] = -1;                                                       /* no longer looked at */
    ck_assert_done(nm_trainer_forward(j.trainer, &j.batch));
    ck_assert_ptr_eq(nm_trainer_layer_output(j.trainer, 0), j.x);
    const nm_real *y = nm_trainer_layer_output(j.trainer, image);
    ck_assert_ptr_nonnull(y);
    ck_assert(y[0] != 0 && y[BATCH * SIZE - 1] != 0);
    ck_assert_ptr_nonnull(nm_trainer_layer_output(j.trainer, nm_network_output(j.net)));
    ck_assert_ptr_null(nm_trainer_layer_output(j.trainer, nm_network_layer_index(j.net, "c")));
    close_network(&j);
}
END_TEST

START_TEST(kept_layers_that_there_are_not)
{
    judged_network j;
    nm_trainer *t;
    nm_trainer_options options = plain_options();
    int keep[] = {1, 99};
    open_network(&j, ONE_LOSS, NULL, options);
    options.keep = keep;
    options.keeps = 2;
    ck_assert_int_eq(nm_trainer_new(ctx, j.net, &options, &t), NM_INVALID);
    assert_message(WORDS("options.keep: there is no layer 99: expected 0 to"));
    close_network(&j);
}
END_TEST

SUITE_WITH("objective", with_folder, what_the_objectives_are, they_add_up_to_the_loss, their_gradients_are_derivatives,
           backward_goes_on_from_it, wrong_targets, kept_layers_can_be_read, kept_layers_that_there_are_not)
