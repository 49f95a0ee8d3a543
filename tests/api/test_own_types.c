/* Types of a caller's own: the library does with them all that it does with its own. */
#include "own_types.h"
#include "train_support.h"

#include <math.h>
#include <string.h>

static void register_all(nm_context *to)
{
    ck_assert_int_eq(nm_register_layer(to, &affine_type), NM_OK);
    ck_assert_int_eq(nm_register_loss(to, &loss_type), NM_OK);
    ck_assert_int_eq(nm_register_optimizer(to, &optimizer_type), NM_OK);
    ck_assert_int_eq(nm_register_schedule(to, &schedule_type), NM_OK);
}

static const char model_text[] = "input: {height: 28, width: 28, channels: 1}\n"
                                 "defaults: {own-affine: {factor: 3}}\n"
                                 "layers:\n"
                                 "- {name: c, conv: {filters: 4, kernel: 3, stride: 4}}\n"
                                 "- {name: a, own_affine: {}}\n"
                                 "- relu\n"
                                 "- {name: d, dense: {units: 10}}\n"
                                 "loss: own_loss\n"
                                 "train: {data: digits, limit: 320, batch: 32, epochs: 2, save_every: 10s,\n"
                                 "  optimizer: own_sign, schedule: own_half}\n";

static nm_network *build(nm_context *with)
{
    nm_yaml *document;
    nm_network *net = NULL;
    ck_assert_int_eq(nm_yaml_parse(with, "t", model_text, strlen(model_text), &document), NM_OK);
    nm_status status = nm_network_build(with, document, NULL, &net);
    ck_assert_msg(status == NM_OK, "%s", nm_error_message(with, 0));
    return net;
}

START_TEST(a_network_has_it)
{
    register_all(ctx);
    nm_network *net = build(ctx);
    int node = nm_network_find(net, "a"), param = nm_network_find_param(net, "a/offset");
    nm_receptive *fields = nm_alloc(ctx, (size_t)net->nodes, sizeof *fields);
    ck_assert_int_ge(node, 0);
    ck_assert(((const affine *)net->node[node].self)->factor == 3);
    ck_assert_int_eq(net->param[param].dims[0], 4);
    ck_assert_int_eq(nm_network_receptive(net, fields), NM_OK);
    ck_assert(fields[node].size[0] == 3 && fields[node].jump[1] == 4);
    nm_network_initialise(net, 1);
    ck_assert(nm_param_values(net, &net->param[param])[3] == (real)0.5);
    nm_free(fields);
    nm_network_free(net);
}
END_TEST

/* The gradients of the whole network, by every parameter of the own layer, against differences. */
START_TEST(its_gradients_arrive)
{
    register_all(ctx);
    nm_network *net = build(ctx);
    nm_network_initialise(net, 1);
    nm_plan *plan;
    nm_request request = {.mode = NM_TRAIN, .batch = 3, .threads = 2};
    static real pixels[3 * 784];
    for (int i = 0; i < 3 * 784; i++)
        pixels[i] = (real)sin(0.37 * i);
    const real *x = pixels;
    nm_batch batch = {.n = 3, .x = &x, .targets = {.labels = (int32_t[]){1, 7, 3}}};
    ck_assert_int_eq(nm_plan_new(net, &request, &plan), NM_OK);
    const nm_param *param = &net->param[nm_network_find_param(net, "a/offset")];
    real *values = nm_param_values(net, param);
    for (int i = 0; i < 4; i++) {
        double loss[2], h = 1.0 / 256;
        real at = values[i];
        for (int side = 0; side < 2; side++) {
            values[i] = at + (real)(side ? h : -h);
            loss[side] = nm_plan_run(plan, &batch, NM_PHASE_ALL).loss;
        }
        values[i] = at;
        nm_plan_run(plan, &batch, NM_PHASE_ALL);
        double numeric = (loss[1] - loss[0]) / (2 * h),
               found = (double)nm_plan_gradients(plan)[param->offset + (size_t)i];
        ck_assert_msg(fabs(found - numeric) < 2e-3 * (1 + fabs(numeric)), "offset %d: %g, by differences %g", i, found,
                      numeric);
        ck_assert(fabs(numeric) > 0.01);
    }
    nm_plan_free(plan);
    nm_network_free(net);
}
END_TEST

static volatile int stop;

static void stop_after_a_row(void *arg, const nm_metrics *row)
{
    (void)arg;
    (void)row;
    nm_request_stop(&stop);
}

static void train(nm_context *with, const char *run, bool stopped, bool resume, int threads)
{
    nm_model *model;
    nm_outcome outcome = NM_OUTCOME_INIT;
    stop = 0;
    nm_context_set_threads(with, threads);
    nm_training how = NM_TRAINING_INIT;
    how.run = run;
    how.resume = resume;
    how.on_row = stopped ? stop_after_a_row : NULL;
    how.stop = &stop;
    ck_assert_int_eq(nm_model_parse(with, model_text, &model), NM_OK);
    nm_status status = nm_model_train(with, model, &how, &outcome);
    ck_assert_msg(status == NM_OK, "%s", nm_error_message(with, 0));
    ck_assert_int_eq(outcome.stopped, stopped);
    nm_outcome_free(&outcome);
    nm_model_free(model);
}

/* What a network gives, of a checkpoint, for one image. */
static void predict(nm_context *with, const char *checkpoint, float out[10])
{
    nm_predictor *p;
    static uint8_t image[784];
    for (int i = 0; i < 784; i++)
        image[i] = (uint8_t)(i * 7);
    nm_status status = nm_predictor_open(with, checkpoint, &p);
    ck_assert_msg(status == NM_OK, "%s", nm_error_message(with, 0));
    ck_assert_int_eq(nm_predict_u8(with, p, 1, image, out), NM_OK);
    nm_predictor_free(p);
}

/* A run of any number of threads, stopped and resumed or not, has the same checkpoint, which a
 * context that knows the types opens and another one refuses. */
START_TEST(trains_resumes_predicts)
{
    float whole[10], resumed[10];
    nm_predictor *p;
    nm_context *other = nm_context_new(), *plain = nm_context_new();
    register_all(ctx);
    register_all(other);
    train(ctx, in_folder("whole"), false, false, 1);
    train(other, in_folder("parts"), true, false, 2);
    train(other, in_folder("parts"), false, true, 2);
    predict(ctx, in_folder("whole/last.h5"), whole);
    predict(other, in_folder("parts/last.h5"), resumed);
    ck_assert_int_eq(nm_predictor_open(plain, in_folder("whole/last.h5"), &p), NM_INVALID);
    ck_assert_ptr_nonnull(strstr(nm_error_message(plain, 0), "defaults for an unknown layer type 'own-affine'"));
    ck_assert_ptr_nonnull(strstr(nm_error_message(plain, 1), "unknown layer type 'own_affine'"));
    ck_assert_ptr_nonnull(strstr(nm_error_message(plain, 2), "unknown loss 'own_loss'"));
    nm_context_free(plain);
    nm_context_free(other);
    ck_assert_mem_eq(whole, resumed, sizeof whole);
    assert_same_runs(in_folder("whole"), in_folder("parts"));
    ck_assert(whole[0] != whole[1]);
}
END_TEST

SUITE_WITH("own types", with_folder, a_network_has_it, its_gradients_arrive, trains_resumes_predicts)
