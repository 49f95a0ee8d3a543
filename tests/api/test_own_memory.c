/* A program of one's own is told what does not fit into memory before it is ended for it. */
#include "api_support.h"

#include <norma/inference.h>
#include <norma/tools.h>

#include <errno.h>
#include <sys/stat.h>

#define MODEL                                                                                                          \
    "input: {height: 64, width: 64, channels: 3}\n"                                                                    \
    "layers: [{name: c, conv: {filters: 32, kernel: 3, pad: same}}, relu, gap, {name: d, dense: {units: 3}}]\n"        \
    "loss: softmax_ce\n"

/* norma finds so much free memory. */
static void set_free_memory(int mib)
{
    char text[64];
    int length = snprintf(text, sizeof text, "MemAvailable: %d kB\n", mib * 1024);
    ck_assert(mkdir(in_folder("root"), 0777) == 0 || errno == EEXIST);
    ck_assert(mkdir(in_folder("root/proc"), 0777) == 0 || errno == EEXIST);
    ck_assert_done(nm_write_file(ctx, in_folder("root/proc/meminfo"), text, (size_t)length));
    ck_assert_int_eq(setenv("NORMA_MEMORY_ROOT", in_folder("root"), 1), 0);
}

START_TEST(trainers)
{
    nm_network *net = network_with(MODEL, NULL);
    nm_trainer_options options = NM_TRAINER_OPTIONS_INIT;
    nm_trainer *t;
    options.batch = 64;
    set_free_memory(1000);
    ck_assert_done(nm_trainer_new(ctx, net, &options, &t));
    nm_trainer_free(t);
    set_free_memory(20);
    ck_assert_int_eq(nm_trainer_new(ctx, net, &options, &t), NM_FAILED);
    ck_assert_ptr_null(t);
    assert_message(WORDS("training on a batch of 64", "free memory", "train.micro_batch: "));
    options.keep_all = true; /* of all samples: micro-batches are no way out */
    ck_assert_int_eq(nm_trainer_new(ctx, net, &options, &t), NM_FAILED);
    assert_message(WORDS("a smaller batch or network"));
    nm_network_free(net);
}
END_TEST

START_TEST(sessions)
{
    nm_network *net = network_with(MODEL, NULL);
    nm_session_options options = NM_SESSION_OPTIONS_INIT;
    nm_session *session;
    options.batch = 512;
    set_free_memory(20);
    ck_assert_int_eq(nm_session_on_network(ctx, net, &options, &session), NM_FAILED);
    const char *way = strstr(nm_error_message(ctx, 0), "options.batch = ");
    ck_assert_msg(way != NULL, "%s", nm_error_message(ctx, 0));
    options.batch = atoi(way + strlen("options.batch = "));
    assert_message(WORDS("evaluating a batch of 512"));
    ck_assert(options.batch >= 1 && options.batch < 512);
    ck_assert_done(nm_session_on_network(ctx, net, &options, &session));
    nm_session_free(session);
    nm_network_free(net);
}
END_TEST

START_TEST(predictors)
{
    nm_network *net = network_with(MODEL, NULL);
    nm_trainer_options options = NM_TRAINER_OPTIONS_INIT;
    nm_trainer *t;
    nm_predictor *p;
    static float x[64 * 64 * 3], y[3];
    options.batch = 1;
    set_free_memory(1000);
    ck_assert_done(nm_trainer_new(ctx, net, &options, &t));
    ck_assert_done(nm_trainer_save(t, in_folder("p.h5")));
    ck_assert_done(nm_predictor_open(ctx, in_folder("p.h5"), &p));
    set_free_memory(1);
    ck_assert_int_eq(nm_predict_f32(ctx, p, 1, x, y), NM_FAILED);
    assert_message(WORDS("evaluating", "free memory", "a smaller batch or network"));
    nm_predictor_free(p);
    nm_trainer_free(t);
    nm_network_free(net);
}
END_TEST

SUITE_WITH("own memory", with_folder, trainers, sessions, predictors)
