/* Divergence: what a run leaves can be gone on from, and the layer to blame is named. */
#include "train_support.h"

#include "finite.h"
#include "training_step.h"

#include <math.h>

/* No tensor of a checkpoint holds NaN or infinity, and the network predicts numbers. */
static void assert_good(const char *path, uint64_t before)
{
    nm_checkpoint *c;
    nm_network *net;
    nm_train_state state = {.optimizer = "sgd", .slots = 1, .slot_names = (const char *const[]){"momentum"}};
    ck_assert_done(nm_checkpoint_open(ctx, path, &c));
    ck_assert_done(nm_checkpoint_network(ctx, c, &net));
    state.slot[0] = nm_alloc(ctx, net->weight_count, sizeof(real));
    ck_assert_done(nm_checkpoint_load_state(ctx, c, net, &state));
    ck_assert_done(nm_check_finite(ctx, net));
    ck_assert_msg(nm_all_finite(state.slot[0], net->weight_count), "%s", path);
    ck_assert_uint_lt(nm_checkpoint_step(c), before);
    nm_free(state.history);
    nm_free(state.slot[0]);
    nm_network_free(net);
    nm_checkpoint_free(c);
}

static void assert_all_good(const char *run, uint64_t before)
{
    DIR *d = opendir(run);
    ck_assert_ptr_nonnull(d);
    for (struct dirent *e; (e = readdir(d));)
        if (strstr(e->d_name, ".h5")) {
            char path[512];
            snprintf(path, sizeof path, "%s/%s", run, e->d_name);
            assert_good(path, before);
        }
    closedir(d);
}

typedef struct divergence_case {
    const char *const *settings;
    const char *cause; /* a part of it */
} divergence_case;

#define EACH_STEP "train.schedule=constant", "train.save_every=1s"

static const divergence_case cases[] = {
    /* finite weights whose evaluation overflows, at the last step of all */
    {SETTINGS("train.lr=1e9", "train.steps=1", EACH_STEP), "and so the loss on the test split"},
    {SETTINGS("train.lr=1e9", "train.steps=1", "train.momentum=0", EACH_STEP), "the output of"},
    {SETTINGS("train.lr=1e9", "train.steps=6", EACH_STEP), ""},
    {SETTINGS("train.lr=1e9", "train.steps=6", "train.without=batchnorm", EACH_STEP), "the output of"},
    {SETTINGS("train.lr=1e9", "train.steps=6", "train.without=batchnorm", "train.save_every=2s"), ""},
    {SETTINGS("train.lr=1e9", "train.steps=9", "train.l2=1e9", EACH_STEP), ""},
    {SETTINGS("train.lr=1e4", "train.steps=20", "train.without=batchnorm", "train.micro_batch=8", EACH_STEP), ""},
    {SETTINGS("train.lr=1e9", "train.steps=6", "train.eval_every=1", "train.save_every=2s"), ""},
};

/* What a run that diverged leaves is a state from before, from which a smaller rate goes on. */
START_TEST(a_smaller_rate_goes_on)
{
    const divergence_case *c = &cases[_i];
    const char *again[16] = {"train.lr=1e-4", "train.l2=0", "train.steps=12", "train.schedule=constant"};
    int count = 4;
    nm_train_result r;
    for (const char *const *s = c->settings; *s; s++)
        if (strstr(*s, "without") || strstr(*s, "every") || strstr(*s, "micro") || strstr(*s, "momentum"))
            again[count++] = *s;
    ck_assert_done(train_with(SMALL_MODEL, in_folder("run"), false, NULL, c->settings, &r));
    ck_assert_msg(r.diverged && !r.stopped, "case %d", _i);
    ck_assert_msg(strstr(r.cause, c->cause) != NULL, "case %d: %s", _i, r.cause);
    ck_assert(*r.cause);
    ck_assert(isnan(r.history[r.rows - 1].train_loss) && r.history[r.rows - 1].step == r.step);
    assert_all_good(in_folder("run"), r.step);
    free_result(&r);
    ck_assert_done(train_with(SMALL_MODEL, in_folder("run"), true, NULL, again, &r));
    ck_assert_msg(!r.diverged && r.step == 12, "case %d: step %llu: %s", _i, (unsigned long long)r.step, r.cause);
    ck_assert(isfinite(r.history[r.rows - 1].test_loss));
    free_result(&r);
}
END_TEST

/* ---- the layer to blame ---------------------------------------------------------------------- */

static nm_network *small_network(void)
{
    const char text[] = "input: {height: 1, width: 1, channels: 6}\nlayers:\n- {name: a, dense: {units: 5}}\n"
                        "- {name: n, batchnorm: {}}\n- {name: b, dense: {units: 3}}\nloss: softmax_ce\n";
    nm_yaml *document;
    nm_network *net;
    ck_assert_done(nm_yaml_parse(ctx, "model.yaml", text, strlen(text), &document));
    ck_assert_done(nm_network_open(ctx, document, &nm_train_section, &net));
    nm_network_initialise(net, 1);
    return net;
}

START_TEST(the_layer_to_blame)
{
    nm_network *net = small_network();
    real values[24], *state = net->states;
    const real *x = values;
    char culprit[NM_CULPRIT];
    nm_batch batch = {.n = 4, .x = &x};
    real *a = nm_param_values(net, &net->param[nm_network_find_param(net, "a/weight")]);
    real *b = nm_param_values(net, &net->param[nm_network_find_param(net, "b/bias")]);
    for (int i = 0; i < 24; i++)
        values[i] = (real)(1 + i * 7 % 11);
    real running = state[0], first = a[0];
    for (int mode = 0; mode < 2; mode++) {
        nm_mode how = mode ? NM_TRAIN : NM_EVAL;
        ck_assert(!nm_find_culprit(net, how, &batch, culprit) && *culprit == '\0');
        b[1] = INFINITY;
        ck_assert(nm_find_culprit(net, how, &batch, culprit));
        ck_assert_str_eq(culprit, "the output of dense 'b'");
        a[0] = (real)3e38;
        ck_assert(nm_find_culprit(net, how, &batch, culprit));
        ck_assert_str_eq(culprit, "the output of dense 'a'");
        values[13] = NAN;
        ck_assert(nm_find_culprit(net, how, &batch, culprit));
        ck_assert_str_eq(culprit, "input 'input'");
        values[13] = 1;
        a[0] = first;
        b[1] = 0;
    }
    ck_assert(state[0] == running); /* training moved it, and it was put back */
    state[1] = NAN;
    ck_assert(nm_find_culprit(net, NM_EVAL, &batch, culprit));
    ck_assert_str_eq(culprit, "the output of batchnorm 'n'");
    nm_network_free(net);
}
END_TEST

/* A rate that is finite in double only, memory that overflows while its gradient does not. */
START_TEST(found_in_the_same_step)
{
    static const int32_t labels[4] = {0, 1, 2, 1};
    static const char *const optimizers[] = {"sgd", "adam", "adamw"};
    for (int k = 0; k < 3; k++) {
        nm_network *net = small_network();
        nm_train_settings settings = *nm_settings_of(net);
        settings.optimizer.name = (char *)(uintptr_t)optimizers[k];
        nm_plan *plan;
        nm_optimization *optimization;
        nm_bad_number bad;
        real values[24];
        const real *x = values;
        nm_batch batch = {.n = 4, .x = &x, .targets = {.labels = labels}};
        for (int i = 0; i < 24; i++)
            values[i] = (real)(i * 7 % 11) / 11;
        nm_request request = {.mode = NM_TRAIN, .batch = 4, .threads = 1};
        ck_assert_done(nm_plan_new(net, &request, &plan));
        ck_assert_done(nm_optimization_new(ctx, &settings, net, 10, 5, &optimization));
        nm_training_step step = {.net = net, .plan = plan, .optimization = optimization, .watch_every = 1};
        nm_training_step_run(&step, &batch, 0, &bad);
        ck_assert(!bad.found);
        if (k > 0) { /* its square overflows */
            nm_plan_run(plan, &batch, NM_PHASE_ALL);
            nm_plan_gradients(plan)[net->param[0].offset] = (real)1e30;
            nm_training_step_update(&step, &batch, 1, &bad);
            ck_assert_msg(bad.found && strstr(bad.where, "v of a/weight"), "%s: %s", optimizers[k], bad.where);
        } else {
            nm_optimization_fix_rate(optimization, 1e300);
            nm_training_step_run(&step, &batch, 1, &bad);
            ck_assert_msg(bad.found && strstr(bad.where, "a/"), "%s", bad.where);
        }
        nm_optimization_free(optimization);
        nm_plan_free(plan);
        nm_network_free(net);
    }
}
END_TEST

static void set_up(TCase *tcase)
{
    with_folder(tcase);
    tcase_add_loop_test(tcase, a_smaller_rate_goes_on, 0, (int)(sizeof cases / sizeof *cases));
}

SUITE_WITH("divergence", set_up, the_layer_to_blame, found_in_the_same_step)
