/* Evaluation: each sample weighs the same, however the samples are cut into batches. */
#include "evaluate_share.h"
#include "recalibrate.h"
#include "train_support.h"

#include <math.h>

/* No dropout and no batch norm: one sample's loss does not depend on the others. */
#define PLAIN_MODEL                                                                                                    \
    "input: {height: 28, width: 28, channels: 1}\nlayers:\n- {name: d1, dense: {units: 12}}\n- relu\n"                 \
    "- {name: logits, dense: {units: 10}}\nloss: softmax_ce\n"                                                         \
    "train: {data: mnist, batch: 199, epochs: 1, seed: 7, lr: 0}\n"

/* Each of the samples is in the matrix, those that are right on the diagonal. */
static void check_confusion(const nm_evaluation *e)
{
    int sum = 0, right = 0;
    for (int t = 0; t < 10; t++)
        for (int p = 0; p < 10; p++) {
            sum += e->confusion[10 * t + p];
            right += t == p ? e->confusion[10 * t + p] : 0;
        }
    ck_assert_int_eq(sum, e->samples);
    ck_assert(e->accuracy == (double)right / e->samples);
}

START_TEST(every_sample_weighs_the_same)
{
    nm_dataset *data;
    nm_normalisation norm;
    nm_network *net = network_and_data(PLAIN_MODEL, &data, &norm);
    static const int batches[] = {1, 7, 64, 101};
    nm_evaluation first = {0};
    for (int i = 0; i < 4; i++) { /* 101 samples: 14 batches of 7 and one of 3 */
        nm_evaluation e;
        ck_assert_done(nm_evaluate(ctx, net, &data->train, 101, batches[i], &norm, false, &e));
        ck_assert_int_eq(e.samples, 101);
        check_confusion(&e);
        if (i == 0)
            first = e;
        else {
            ck_assert_double_eq_tol(e.loss, first.loss, 1e-6 * first.loss);
            ck_assert(e.accuracy == first.accuracy);
            nm_evaluation_free(&e);
        }
    }
    nm_evaluation_free(&first);
    /* a rate of zero: the mean training loss of the epoch, with its short batch of two, is the
     * evaluation's
     */
    nm_evaluation e;
    nm_train_result r;
    ck_assert_done(nm_evaluate(ctx, net, &data->train, 0, 250, &norm, false, &e));
    ck_assert_done(train_with(PLAIN_MODEL, NULL, false, NULL, NULL, &r));
    ck_assert_uint_eq(r.step, 3); /* of 199, 199 and 2 samples */
    ck_assert_double_eq_tol(r.history[0].train_loss, e.loss, 1e-6 * e.loss);
    ck_assert(r.history[0].train_accuracy == e.accuracy);
    free_result(&r);
    nm_evaluation_free(&e);
    nm_network_free(net);
    nm_normalisation_free(&norm);
    nm_dataset_free(data);
}
END_TEST

/* A row's training loss and accuracy are of the samples since the row before: where the rate is
 * zero, those of all rows together are the epoch's. */
START_TEST(each_row_has_its_own_samples)
{
    static const int samples[] = {199, 199, 2};
    nm_train_result one, r;
    double loss = 0, accuracy = 0;
    ck_assert_done(train_with(PLAIN_MODEL, NULL, false, NULL, NULL, &one));
    ck_assert_done(train_with(PLAIN_MODEL, NULL, false, NULL, SETTINGS("train.eval_every=1"), &r));
    ck_assert(one.rows == 1 && r.rows == 3);
    for (int i = 0; i < 3; i++) {
        loss += samples[i] * r.history[i].train_loss / 400;
        accuracy += samples[i] * r.history[i].train_accuracy / 400;
    }
    ck_assert_double_eq_tol(loss, one.history[0].train_loss, 1e-6 * loss);
    ck_assert_double_eq_tol(accuracy, one.history[0].train_accuracy, 1e-9);
    free_result(&one);
    free_result(&r);
}
END_TEST

/* A process that is alone has all samples: its losses begin where the others' would. */
START_TEST(alone_from_the_first_sample_on)
{
    double loss[10], sum = 0;
    nm_evaluation_share sums = {.counted = 10, .right = 7, .culprit_at = -1};
    for (int i = 0; i < 10; i++)
        loss[i] = i;
    for (int batch = 1; batch <= 10; batch++) {
        ck_assert_uint_eq(nm_evaluation_share_first(NULL, 10, batch), 0);
        ck_assert_done(nm_evaluation_share_join(NULL, 10, batch, loss, &sums, &sum));
        ck_assert(sum == 45 && sums.counted == 10 && sums.right == 7 && sums.culprit_at == -1);
    }
}
END_TEST

/* Two heads and two losses; no batch norm. */
#define TWO_LOSSES                                                                                                     \
    "input: {height: 28, width: 28, channels: 1}\nlayers:\n- {name: d1, dense: {units: 12}}\n- relu\n"                 \
    "- {name: a, dense: {units: 10}, from: d1.relu}\n- {name: b, dense: {units: 10}, from: d1.relu}\n"                 \
    "loss: [{softmax_ce: {}, from: b}, {softmax_ce: {}, from: a, weight: 0.3}]\n"                                      \
    "train: {data: mnist, batch: 199}\n"

START_TEST(the_loss_has_the_same_bits_at_any_batch)
{
    static const char *const models[] = {PLAIN_MODEL, TWO_LOSSES};
    nm_dataset *data;
    nm_normalisation norm;
    nm_network *net = network_and_data(models[_i], &data, &norm);
    double first = 0;
    for (int batch = 1; batch <= 101; batch += 5) {
        nm_evaluation e;
        ck_assert_done(nm_evaluate(ctx, net, &data->train, 101, batch, &norm, false, &e));
        first = batch == 1 ? e.loss : first;
        ck_assert_msg(e.loss == first, "batches of %d: %.17g, of 1: %.17g", batch, e.loss, first);
        nm_evaluation_free(&e);
    }
    nm_network_free(net);
    nm_normalisation_free(&norm);
    nm_dataset_free(data);
}
END_TEST

/* Counts by class hold for any number of classes; the matrix is made for those that fit into
 * memory. */
START_TEST(many_classes)
{
    static const char *const models[] = {
        "input: {height: 28, width: 28, channels: 1}\nlayers:\n- {name: l, dense: {units: 50000}}\nloss: softmax_ce\n"
        "train: {data: mnist}\n",
        "input: {height: 28, width: 28, channels: 1}\nlayers:\n- {name: l, dense: {units: 12}}\nloss: softmax_ce\n"
        "train: {data: mnist}\n"};
    for (int m = 0; m < 2; m++) {
        nm_dataset *data;
        nm_normalisation norm;
        nm_network *net = network_and_data(models[m], &data, &norm);
        nm_evaluation e;
        ck_assert_done(nm_evaluate(ctx, net, &data->test, 100, 50, &norm, false, &e));
        ck_assert_int_eq(e.classes, m ? 12 : 50000);
        ck_assert((e.confusion != NULL) == (m == 1));
        uint64_t samples = 0, predicted = 0, right = 0;
        for (int c = 0; c < e.classes; c++) {
            samples += e.of_class[c].samples;
            predicted += e.of_class[c].predicted;
            right += e.of_class[c].right;
        }
        ck_assert(samples == 100 && predicted == 100 && e.accuracy == (double)right / 100);
        nm_evaluation_free(&e);
        nm_network_free(net);
        nm_dataset_free(data);
        nm_normalisation_free(&norm);
    }
}
END_TEST

/* A score that is NaN or infinite is no largest one, and a parameter that is names itself. */
START_TEST(no_class_of_no_number)
{
    nm_dataset *data;
    nm_normalisation norm;
    nm_evaluation e;
    nm_network *net = network_and_data(PLAIN_MODEL, &data, &norm);
    nm_param *bias = &net->param[nm_network_find_param(net, "logits/bias")];
    nm_param_values(net, bias)[3] = -INFINITY;
    ck_assert_int_eq(nm_evaluate(ctx, net, &data->test, 0, 50, &norm, false, &e), NM_DIVERGED);
    assert_message(WORDS("the network holds NaN or infinity, in logits/bias"));
    ck_assert(e.of_class == NULL && e.confusion == NULL);
    nm_param_values(net, bias)[3] = (real)3e38;
    nm_param *weight = &net->param[nm_network_find_param(net, "logits/weight")];
    for (size_t i = 3; i < weight->count; i += 10)
        nm_param_values(net, weight)[i] = (real)3e38;
    ck_assert_int_eq(nm_evaluate(ctx, net, &data->test, 0, 50, &norm, false, &e), NM_DIVERGED);
    assert_message(WORDS("yields NaN or infinity for"));
    nm_network_free(net);
    nm_dataset_free(data);
    nm_normalisation_free(&norm);
}
END_TEST

/* Labels become values once, so losses of values must agree on how many. */
START_TEST(heads_of_values_agree)
{
    nm_dataset *data;
    nm_normalisation norm;
    nm_evaluation e;
    nm_network *net = network_and_data("input: {height: 28, width: 28, channels: 1}\nlayers:\n"
                                       "- {name: a, dense: {units: 10}}\n- {name: b, dense: {units: 12}, from: input}\n"
                                       "loss: [{mse: {}, from: a}, {mse: {}, from: b}]\ntrain: {data: mnist}\n",
                                       &data, &norm);
    ck_assert_int_eq(nm_evaluate(ctx, net, &data->test, 0, 50, &norm, false, &e), NM_INVALID);
    assert_message(WORDS("'b' has 12 channels", "'a' of another loss of values has 10"));
    nm_network_free(net);
    nm_dataset_free(data);
    nm_normalisation_free(&norm);
}
END_TEST

/* With a rate of zero, training's accuracy and evaluation's are of the same samples: they must be
 * of the same head too.
 */
START_TEST(accuracy_of_the_head_that_predicts)
{
    static const char *const outputs[] = {"a", "b"};
    double accuracy[2];
    for (int i = 0; i < 2; i++) {
        char text[1024];
        snprintf(text, sizeof text,
                 "input: {height: 28, width: 28, channels: 1}\nlayers:\n- {name: a, dense: {units: 10}}\n"
                 "- {name: b, dense: {units: 10}, from: input}\noutput: %s\n"
                 "loss: [{softmax_ce: {}, from: a}, {softmax_ce: {}, from: b}]\n"
                 "train: {data: mnist, batch: 40, epochs: 1, seed: 7, lr: 0}\n",
                 outputs[i]);
        nm_dataset *data;
        nm_normalisation norm;
        nm_evaluation e;
        nm_train_result r;
        nm_network *net = network_and_data(text, &data, &norm);
        ck_assert_done(nm_evaluate(ctx, net, &data->train, 0, 40, &norm, false, &e));
        ck_assert_done(train_with(text, NULL, false, NULL, NULL, &r));
        ck_assert(r.history[0].train_accuracy == e.accuracy);
        accuracy[i] = e.accuracy;
        free_result(&r);
        nm_evaluation_free(&e);
        nm_network_free(net);
        nm_dataset_free(data);
        nm_normalisation_free(&norm);
    }
    ck_assert(accuracy[0] != accuracy[1]);
}
END_TEST

/* Running statistics that are no numbers are set anew, to the same bits as any others. */
START_TEST(recalibration_mends_statistics)
{
    nm_dataset *data;
    nm_normalisation norm;
    nm_evaluation e[2];
    nm_network *net = network_and_data(SMALL_MODEL, &data, &norm);
    nm_recalibration how = {.samples = &data->train, .normalisation = norm, .batch = 50, .seed = 1};
    for (int i = 0; i < 2; i++) {
        if (i == 1) {
            net->states[0] = NAN;
            net->states[5] = INFINITY;
            ck_assert_int_eq(nm_evaluate(ctx, net, &data->test, 0, 50, &norm, false, &e[1]), NM_DIVERGED);
            assert_message(WORDS("c1.batchnorm/running_mean", "recalibrate"));
        }
        ck_assert_done(nm_recalibrate(ctx, net, &how));
        ck_assert_done(nm_evaluate(ctx, net, &data->test, 0, 50, &norm, false, &e[i]));
    }
    ck_assert(e[0].loss == e[1].loss);
    nm_evaluation_free(&e[0]);
    nm_evaluation_free(&e[1]);
    nm_network_free(net);
    nm_dataset_free(data);
    nm_normalisation_free(&norm);
}
END_TEST

static void set_up(TCase *tcase)
{
    with_folder(tcase);
    tcase_add_loop_test(tcase, the_loss_has_the_same_bits_at_any_batch, 0, 2);
}

SUITE_WITH("evaluate", set_up, recalibration_mends_statistics, every_sample_weighs_the_same,
           each_row_has_its_own_samples, alone_from_the_first_sample_on, accuracy_of_the_head_that_predicts,
           many_classes, no_class_of_no_number, heads_of_values_agree)
