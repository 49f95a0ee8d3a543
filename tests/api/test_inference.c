/* Sessions: the bits of nm_predict_*, from any batch, any threads and many of them at once; taps;
 * what is refused; and that a call takes no memory. */
#include <norma/inference.h>

#include "count_allocations.h"
#include "predictor.h"
#include "train_support.h"

#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

/* ---- a trained network and images for it --------------------------------------------------- */

enum { IMAGES = 70, PIXELS = 784, CLASSES = 10 };
static uint8_t pixels[IMAGES * PIXELS];
static float values[IMAGES * PIXELS];
static float expected[IMAGES * CLASSES], expected_of_values[IMAGES * CLASSES];
static nm_predictor *predictor;

static void set_up_predictor(void)
{
    nm_model *model;
    nm_training how = NM_TRAINING_INIT;
    ck_assert_int_eq(nm_model_parse(ctx, SMALL_MODEL, &model), NM_OK);
    ck_assert_int_eq(nm_model_set(ctx, model, "train.steps", "20"), NM_OK);
    how.run = in_folder("run");
    ck_assert_int_eq(nm_model_train(ctx, model, &how, NULL), NM_OK);
    nm_model_free(model);
    ck_assert_int_eq(nm_predictor_open(ctx, in_folder("run/last.h5"), &predictor), NM_OK);
    for (int i = 0; i < IMAGES * PIXELS; i++) {
        pixels[i] = (uint8_t)(128 + 120 * sin(0.01 * i + 0.3 * (i % 28)));
        values[i] = (float)sin(0.02 * i);
    }
    ck_assert_int_eq(nm_predict_u8(ctx, predictor, IMAGES, pixels, expected), NM_OK);
    ck_assert_int_eq(nm_predict_f32(ctx, predictor, IMAGES, values, expected_of_values), NM_OK);
}

static void tear_down_predictor(void)
{
    nm_predictor_free(predictor);
}

static void with_predictor(TCase *tcase)
{
    with_folder(tcase);
    tcase_add_checked_fixture(tcase, set_up_predictor, tear_down_predictor);
    tcase_set_timeout(tcase, 60);
}

static nm_session *session_of(nm_context *with, int batch, int threads)
{
    nm_session *s;
    nm_session_options options = NM_SESSION_OPTIONS_INIT;
    options.batch = batch;
    options.threads = threads;
    nm_status status = nm_session_new(with, predictor, &options, &s);
    ck_assert_msg(status == NM_OK, "%s", nm_error_message(with, 0));
    return s;
}

/* ---- bits ---- */

/* All images through the session, as many at once as it takes; how many numbers differ. */
static int differences(nm_context *with, nm_session *s, int batch, bool of_values)
{
    float out[IMAGES * CLASSES];
    int wrong = 0;
    for (int first = 0; first < IMAGES; first += batch) {
        int n = IMAGES - first < batch ? IMAGES - first : batch;
        size_t in = (size_t)n * PIXELS, from = (size_t)first * PIXELS, length = (size_t)n * CLASSES;
        nm_status status = of_values ? nm_session_run_f32(with, s, n, values + from, in, out, length)
                                     : nm_session_run_u8(with, s, n, pixels + from, in, out, length);
        const float *right = (of_values ? expected_of_values : expected) + (size_t)first * CLASSES;
        for (size_t i = 0; i < length; i++)
            wrong += status != NM_OK || memcmp(&out[i], &right[i], sizeof out[i]) != 0;
    }
    return wrong;
}

START_TEST(same_bits_as_the_predictor)
{
    static const int batches[] = {1, 3, 16, 70};
    for (int b = 0; b < 4; b++)
        for (int threads = 1; threads <= 3; threads++) {
            nm_session *s = session_of(ctx, batches[b], threads);
            ck_assert_int_eq(differences(ctx, s, batches[b], false), 0);
            ck_assert_int_eq(differences(ctx, s, batches[b], true), 0);
            nm_session_free(s);
        }
}
END_TEST

enum { SERVERS = 4, ROUNDS = 20 };
static atomic_int ready;

/* A thread's part: its context, its session, made while the others make theirs. */
static void *serve(void *arg)
{
    int *wrong = arg;
    nm_context *mine = nm_context_new();
    atomic_fetch_add(&ready, 1);
    while (atomic_load(&ready) < SERVERS) {
    }
    for (int round = 0; round < ROUNDS; round++) {
        int batch = 1 + (round + *wrong) % 9;
        nm_session *s;
        nm_session_options options = NM_SESSION_OPTIONS_INIT;
        options.batch = batch;
        if (nm_session_new(mine, predictor, &options, &s) == NM_OK)
            *wrong += differences(mine, s, batch, round % 2 == 1);
        else
            *wrong += 1;
        nm_session_free(s);
    }
    nm_context_free(mine);
    return NULL;
}

START_TEST(four_threads_at_once)
{
    pthread_t thread[SERVERS];
    int wrong[SERVERS] = {0};
    atomic_store(&ready, 0);
    for (int i = 0; i < SERVERS; i++)
        ck_assert_int_eq(pthread_create(&thread[i], NULL, serve, &wrong[i]), 0);
    for (int i = 0; i < SERVERS; i++) {
        pthread_join(thread[i], NULL);
        ck_assert_int_eq(wrong[i], 0);
    }
}
END_TEST

/* ---- taps ---- */

/* Every layer's output is what a plan that keeps all of them has, and the prediction stays what it
 * is, both but for the last bits. */
START_TEST(taps_of_every_layer)
{
    const nm_network *net = predictor->net;
    const char *names[64];
    nm_plan *plan;
    nm_session *s;
    nm_session_options options = NM_SESSION_OPTIONS_INIT;
    for (int i = 0; i < net->nodes; i++)
        names[i] = net->node[i].name;
    options.batch = 5;
    options.taps = names;
    options.tap_count = net->nodes;
    ck_assert_int_eq(nm_session_new(ctx, predictor, &options, &s), NM_OK);
    float out[5 * CLASSES];
    ck_assert_int_eq(nm_session_run_f32(ctx, s, 5, values, 5 * PIXELS, out, 5 * CLASSES), NM_OK);
    for (int i = 0; i < 5 * CLASSES; i++)
        ck_assert_float_eq_tol(out[i], expected_of_values[i], 1e-5);

    nm_request request = {.mode = NM_EVAL, .batch = 5, .threads = 1, .keep_all = true};
    const real *x = values;
    ck_assert_int_eq(nm_plan_new(predictor->net, &request, &plan), NM_OK);
    nm_plan_run(plan, &(nm_batch){.n = 5, .x = &x}, NM_PHASE_FORWARD);
    for (int i = 0; i < net->nodes; i++) {
        nm_shape shape = nm_session_tap_shape(s, i);
        size_t count = 5 * nm_shape_size(shape);
        float *tap = nm_alloc(ctx, count, sizeof *tap);
        ck_assert(nm_shape_same(shape, net->node[i].out));
        ck_assert_int_eq(nm_session_tap(ctx, s, i, tap, count), NM_OK);
        const real *right = i < net->inputs ? x : nm_plan_output(plan, i);
        for (size_t k = 0; k < count; k++)
            ck_assert_msg(fabs((double)(tap[k] - right[k])) < 1e-5 * (1 + fabs((double)right[k])),
                          "%s: %zu: %g, not %g", names[i], k, (double)tap[k], (double)right[k]);
        ck_assert_int_eq(nm_session_tap(ctx, s, i, tap, count - 1), NM_INVALID);
        nm_free(tap);
    }
    nm_plan_free(plan);
    nm_session_free(s);
}
END_TEST

/* ---- memory ---- */

START_TEST(calls_take_no_memory)
{
    static const char *const taps[] = {"p1"};
    float out[8 * CLASSES], tap[8 * 6 * 6 * 4];
    nm_session *s;
    nm_session_options options = NM_SESSION_OPTIONS_INIT;
    options.batch = 8;
    options.taps = taps;
    options.tap_count = 1;
    ck_assert_int_eq(nm_session_new(ctx, predictor, &options, &s), NM_OK);
    size_t tap_length = 8 * nm_shape_size(nm_session_tap_shape(s, 0));
    ck_assert_uint_eq(tap_length, sizeof tap / sizeof *tap);
    long before = allocations;
    nm_context_free(nm_context_new()); /* the counter counts */
    ck_assert(!COUNTED || allocations > before);
    nm_alloc_fail_at(1); /* none may succeed, and none may be tried */
    before = allocations;
    int failed = 0;
    for (int i = 0; i < 50; i++) {
        int n = 1 + i % 8;
        failed += nm_session_run_u8(ctx, s, n, pixels, sizeof pixels, out, sizeof out / sizeof *out) != NM_OK;
        failed += nm_session_run_f32(ctx, s, n, values, 8 * PIXELS, out, sizeof out / sizeof *out) != NM_OK;
        failed += nm_session_tap(ctx, s, 0, tap, tap_length) != NM_OK;
    }
    long made = allocations - before, asked = nm_alloc_count();
    nm_alloc_fail_at(0);
    ck_assert_int_eq(failed, 0);
    ck_assert_int_eq(made, 0);
    ck_assert_int_eq(asked, 0);
    nm_session_free(s);
}
END_TEST

/* ---- what is refused ---- */

static void refused(nm_status status, const char *message)
{
    ck_assert_int_eq(status, NM_INVALID);
    ck_assert_str_eq(nm_error_message(ctx, 0), message);
}

START_TEST(refuses_buffers)
{
    float out[3 * CLASSES + 1];
    nm_session *s = session_of(ctx, 3, 1);
    ck_assert_int_eq(nm_session_input(s).h, 28);
    ck_assert_int_eq(nm_session_output(s).c, CLASSES);
    out[0] = 7;
    refused(nm_session_run_u8(ctx, s, 3, pixels, 3 * PIXELS - 1, out, 30),
            "session: 3 images are 2352 numbers; the input has 2351");
    refused(nm_session_run_f32(ctx, s, 3, values, 3 * PIXELS - 1, out, 30),
            "session: 3 images are 2352 numbers; the input has 2351");
    refused(nm_session_run_u8(ctx, s, 3, pixels, 3 * PIXELS, out, 29),
            "session: 3 images give 30 numbers; there is room for 29");
    refused(nm_session_run_u8(ctx, s, 4, pixels, sizeof pixels, out, 40), "session: expected 1 to 3 images; found 4");
    refused(nm_session_run_u8(ctx, s, 0, pixels, sizeof pixels, out, 40), "session: expected 1 to 3 images; found 0");
    refused(nm_session_tap(ctx, s, 0, out, 30), "session: there is no tap 0; it has 0");
    ck_assert(out[0] == 7);
    out[30] = 8;
    ck_assert_int_eq(nm_session_run_u8(ctx, s, 3, pixels, 3 * PIXELS, out, 30), NM_OK);
    ck_assert(out[30] == 8);
    nm_session_free(s);
}
END_TEST

START_TEST(refuses_options)
{
    static const char *const taps[] = {"p1", "logit"};
    nm_session *s;
    nm_session_options o = NM_SESSION_OPTIONS_INIT;
    o.batch = 0;
    refused(nm_session_new(ctx, predictor, &o, &s), "session: batch must be 1 or more; found 0");
    ck_assert_ptr_null(s);
    o.batch = 1;
    o.threads = 0;
    refused(nm_session_new(ctx, predictor, &o, &s), "session: threads must be 1 to 1024; found 0");
    o.threads = 1;
    o.taps = taps;
    o.tap_count = 2;
    refused(nm_session_new(ctx, predictor, &o, &s), "session: tap: there is no layer 'logit' (did you mean 'logits'?)");
    o.taps = NULL;
    refused(nm_session_new(ctx, predictor, &o, &s), "session: 2 taps without names");
    o = (nm_session_options){.batch = 3};
    refused(nm_session_new(ctx, predictor, &o, &s),
            "a struct whose size is not set was passed: initialise it with NM_SESSION_OPTIONS_INIT");
    o = (nm_session_options)NM_SESSION_OPTIONS_INIT;
    o.taps = taps;
    o.tap_count = 1;
    float tap[1000];
    ck_assert_int_eq(nm_session_new(ctx, predictor, &o, &s), NM_OK);
    refused(nm_session_tap(ctx, s, 0, tap, 1000), "session: a tap can be read after a call");
    nm_session_free(s);
}
END_TEST

/* A session on a network follows its parameters; pixels it cannot take. */
START_TEST(on_a_network)
{
    nm_network *net = predictor->net;
    nm_session *s;
    float out[CLASSES], changed[CLASSES];
    ck_assert_int_eq(nm_session_on_network(ctx, net, NULL, &s), NM_OK);
    refused(nm_session_run_u8(ctx, s, 1, pixels, PIXELS, out, CLASSES),
            "session: how pixels are normalised is not known: this network takes values");
    ck_assert_int_eq(nm_session_run_f32(ctx, s, 1, values, PIXELS, out, CLASSES), NM_OK);
    ck_assert_mem_eq(out, expected_of_values, sizeof out);
    real *bias = nm_param_values(net, &net->param[nm_network_find_param(net, "logits/bias")]);
    bias[3] += 5;
    ck_assert_int_eq(nm_session_run_f32(ctx, s, 1, values, PIXELS, changed, CLASSES), NM_OK);
    ck_assert(changed[3] > out[3]);
    bias[3] = (real)NAN;
    ck_assert_int_eq(nm_session_run_f32(ctx, s, 1, values, PIXELS, changed, CLASSES), NM_DIVERGED);
    ck_assert(isnan(changed[0]));
    nm_session_free(s);
}
END_TEST

SUITE_WITH("inference", with_predictor, same_bits_as_the_predictor, four_threads_at_once, taps_of_every_layer,
           calls_take_no_memory, refuses_buffers, refuses_options, on_a_network)
