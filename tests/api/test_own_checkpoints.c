/* What trainers, sessions and predictors refuse before it does harm: to save what is no number, to
 * take more memory than there is. */
#include <norma/inference.h>

#include "api_support.h"

#include "own_trainer.h"
#include "predictor.h"

#include <errno.h>

/* What cannot be gone on from is not written, and names itself. */
START_TEST(nan_is_not_saved)
{
    nm_network *net = network_with(SMALL_MODEL, NULL);
    nm_trainer *t;
    nm_parameter w = NM_PARAMETER_INIT;
    char before[65];
    ck_assert_done(nm_trainer_new(ctx, net, NULL, &t));
    ck_assert_done(nm_trainer_save(t, in_folder("own.h5")));
    strcpy(before, digest_of(in_folder("own.h5")));
    for (int i = 0; i < nm_network_parameters(net); i++) {
        ck_assert_done(nm_network_parameter(ctx, net, i, &w));
        nm_real good = w.values[1];
        w.values[1] = (nm_real)(i % 2 ? NAN : INFINITY);
        ck_assert_int_eq(nm_trainer_save(t, in_folder("own.h5")), NM_DIVERGED);
        assert_message((const char *const[]){"not saved", w.name, "NaN or infinity", NULL});
        w.values[1] = good;
    }
    nm_train_state state = {0};
    nm_optimization_state(t->optimization, &state);
    state.slot[0][3] = (real)NAN;
    ck_assert_int_eq(nm_trainer_save(t, in_folder("own.h5")), NM_DIVERGED);
    assert_message((const char *const[]){"not saved", state.slot_names[0], " of ", NULL});
    ck_assert_str_eq(digest_of(in_folder("own.h5")), before);
    nm_trainer_free(t);
    nm_network_free(net);
}
END_TEST

/* The machine has so much free memory. */
static void set_free_memory(int kib)
{
    char text[64];
    snprintf(text, sizeof text, "MemAvailable: %d kB\n", kib);
    if (mkdir(in_folder("proc"), 0777) != 0)
        ck_assert_int_eq(errno, EEXIST);
    write_content(in_folder("proc/meminfo"), text, strlen(text));
    setenv("NORMA_MEMORY_ROOT", folder, 1);
}

START_TEST(memory_is_foretold)
{
    nm_network *net = network_with(SMALL_MODEL, NULL);
    nm_trainer_options options = NM_TRAINER_OPTIONS_INIT;
    nm_trainer *t;
    float y[10], x[784] = {0};
    options.batch = 5000;
    set_free_memory(12 << 10); /* less than the batch itself, whatever the instruction set */
    ck_assert_int_eq(nm_trainer_new(ctx, net, &options, &t), NM_FAILED);
    assert_message((const char *const[]){"training on a batch of 5000 needs", "free memory leaves 12 MiB", NULL});
    options.evaluation = true;
    ck_assert_int_eq(nm_trainer_new(ctx, net, &options, &t), NM_FAILED);
    assert_message((const char *const[]){"options.batch = ", "makes it fit", NULL});
    set_free_memory(4000 << 10);
    ck_assert_done(nm_trainer_new(ctx, net, &options, &t));
    ck_assert_done(nm_trainer_save(t, in_folder("own.h5")));
    nm_trainer_free(t);
    nm_network_free(net);

    nm_predictor *p;
    nm_session_options session = NM_SESSION_OPTIONS_INIT;
    nm_session *s;
    ck_assert_done(nm_predictor_open(ctx, in_folder("own.h5"), &p));
    set_free_memory(1 << 10);
    session.batch = 5000;
    ck_assert_int_eq(nm_session_new(ctx, p, &session, &s), NM_FAILED);
    assert_message((const char *const[]){"a session's batch of ", "makes it fit", NULL});
    set_free_memory(0);
    ck_assert_int_eq(nm_predict_f32(ctx, p, 1, x, y), NM_FAILED);
    assert_message((const char *const[]){"evaluating a batch of 1 needs ", "no batch fits", NULL});
    set_free_memory(300);
    ck_assert_done(nm_predict_f32(ctx, p, 1, x, y)); /* fewer at once than where there is enough */
    ck_assert(p->at_once >= 1 && p->at_once < 64);
    nm_predictor_free(p);
    unsetenv("NORMA_MEMORY_ROOT");
}
END_TEST

SUITE_WITH("own checkpoints", with_folder, nan_is_not_saved, memory_is_foretold)
