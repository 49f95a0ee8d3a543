/* training.h without norma's optimizer: parameters and running statistics that the caller writes.
 */
#include "api_support.h"

#define MODEL                                                                                                          \
    "input: {height: 4, width: 3, channels: 2}\n"                                                                      \
    "layers: [{name: c, conv: {filters: 3, kernel: 3, pad: same}}, {name: n, batchnorm: {}}, relu,\n"                  \
    "  {name: d, dense: {units: 3}}]\n"                                                                                \
    "loss: softmax_ce\n"

enum { BATCH = 4, SIZE = 24 };

static nm_real x[BATCH * SIZE];
static int32_t labels[BATCH];

static nm_minibatch batch(void)
{
    return wave_batch(x, labels, BATCH, SIZE);
}

static nm_model *model_with(const char *train)
{
    nm_model *model;
    ck_assert_done(nm_model_parse(ctx, MODEL, &model));
    ck_assert_done(nm_model_set(ctx, model, "train", train));
    return model;
}

static nm_network *network(const char *train)
{
    return network_with(MODEL, (const char *const[][2]){{"train", train}, {NULL}});
}

static nm_trainer *trainer(nm_network *net, bool no_optimizer)
{
    nm_trainer *t;
    nm_trainer_options options = NM_TRAINER_OPTIONS_INIT;
    options.batch = BATCH;
    options.no_optimizer = no_optimizer;
    ck_assert_done(nm_trainer_new(ctx, net, &options, &t));
    return t;
}

/* Plain descent, by hand. */
static void descend(nm_trainer *t, const nm_network *net)
{
    for (int i = 0; i < nm_network_parameters(net); i++) {
        nm_parameter p = parameter_at(net, i);
        const nm_real *g = nm_trainer_gradient(t, i);
        for (size_t k = 0; p.trained && k < p.count; k++)
            p.values[k] -= (nm_real)0.25 * g[k];
    }
}

static void assert_near(const nm_network *a, const nm_network *b, double tolerance)
{
    for (int i = 0; i < nm_network_parameters(a); i++) {
        nm_parameter p = parameter_at(a, i), q = parameter_at(b, i);
        for (size_t k = 0; k < p.count; k++)
            ck_assert(fabs((double)p.values[k] - (double)q.values[k]) <= tolerance);
    }
}

START_TEST(own_descent_as_sgd)
{
    nm_network *ours = network("{}"), *theirs = network("{optimizer: {sgd: {lr: 0.25, momentum: 0}}}");
    nm_trainer *a = trainer(ours, true), *b = trainer(theirs, false);
    nm_minibatch given = batch();
    nm_step_result r = NM_STEP_RESULT_INIT, s = NM_STEP_RESULT_INIT;
    for (int step = 0; step < 3; step++) {
        ck_assert_done(nm_trainer_step(a, &given, &r));
        ck_assert_uint_eq(nm_trainer_steps(a), (unsigned)step); /* not yet */
        descend(a, ours);
        ck_assert_done(nm_trainer_update(a));
        ck_assert_done(nm_trainer_step(b, &given, &s));
        ck_assert_uint_eq(r.step, s.step);
        ck_assert_double_eq_tol(r.loss, s.loss, 1e-5);
        ck_assert_uint_eq(nm_trainer_steps(a), nm_trainer_steps(b));
    }
    assert_near(ours, theirs, sizeof(nm_real) == 8 ? 1e-14 : 1e-5);
    nm_trainer_free(a);
    nm_trainer_free(b);
    nm_network_free(ours);
    nm_network_free(theirs);
}
END_TEST

/* One backward that is kept, and a step, which adds its own before the update. */
static void step_from_kept(nm_trainer *t)
{
    nm_minibatch given = batch();
    ck_assert_done(nm_trainer_forward(t, &given));
    ck_assert_done(nm_trainer_loss(t, NULL));
    ck_assert_done(nm_trainer_backward(t));
    ck_assert_done(nm_trainer_accumulate(t));
    ck_assert_done(nm_trainer_step(t, &given, NULL));
}

START_TEST(kept_gradients_join_a_step)
{
    const char *sgd = "{optimizer: {sgd: {lr: 0.25, momentum: 0}}}";
    nm_network *ours = network(sgd), *theirs = network(sgd);
    nm_trainer *a = trainer(ours, true), *b = trainer(theirs, false);
    step_from_kept(a);
    descend(a, ours);
    step_from_kept(b);
    ck_assert_uint_eq(nm_trainer_steps(b), 1);
    assert_near(ours, theirs, sizeof(nm_real) == 8 ? 1e-14 : 1e-6);
    nm_trainer_free(a);
    nm_trainer_free(b);
    nm_network_free(ours);
    nm_network_free(theirs);
}
END_TEST

START_TEST(what_needs_an_optimizer)
{
    nm_network *net = network("{optimizer: adam}");
    nm_trainer *t = trainer(net, true);
    nm_minibatch given = batch();
    nm_parameter p = parameter_at(net, 0);
    nm_real before = p.values[0];
    nm_trainer_set_lr(t, 3);
    ck_assert(isnan(nm_trainer_lr(t)));
    ck_assert_int_eq(nm_trainer_update(t), NM_INVALID);
    ck_assert_done(nm_trainer_step(t, &given, NULL));
    ck_assert_done(nm_trainer_update(t));
    ck_assert_int_eq(nm_trainer_update(t), NM_INVALID);
    ck_assert(p.values[0] == before && nm_trainer_steps(t) == 1);
    nm_trainer_free(t);
    nm_network_free(net);
}
END_TEST

START_TEST(fit_needs_an_optimizer)
{
    nm_data *data;
    nm_arrays arrays = NM_ARRAYS_INIT;
    nm_trainer_options options = NM_TRAINER_OPTIONS_INIT;
    nm_network *net = network("{}");
    nm_trainer *t;
    static const float images[BATCH * SIZE];
    arrays.count = BATCH;
    arrays.height = 4;
    arrays.width = 3;
    arrays.channels = 2;
    arrays.images = images;
    arrays.images_type = NM_FLOAT32;
    arrays.targets = labels;
    ck_assert_done(nm_data_from_arrays(ctx, &arrays, NULL, 0, NULL, &data));
    options.data = data;
    options.no_optimizer = true;
    ck_assert_done(nm_trainer_new(ctx, net, &options, &t));
    ck_assert_int_eq(nm_trainer_fit(t, 1, NULL, NULL, NULL), NM_INVALID);
    assert_message(WORDS("options.no_optimizer"));
    nm_trainer_free(t);
    nm_network_free(net);
    nm_data_free(data);
}
END_TEST

START_TEST(own_updates_are_saved)
{
    nm_network *net = network("{}"), *other = network("{seed: 1}");
    nm_trainer *t = trainer(net, true), *u = trainer(other, true), *adam = trainer(other, false);
    nm_predictor *predictor;
    nm_minibatch given = batch();
    ck_assert_done(nm_trainer_step(t, &given, NULL));
    descend(t, net);
    ck_assert_done(nm_trainer_update(t));
    ck_assert_done(nm_trainer_save(t, in_folder("own.h5")));
    ck_assert_int_eq(nm_trainer_resume(adam, in_folder("own.h5")), NM_INVALID);
    ck_assert_done(nm_trainer_resume(u, in_folder("own.h5")));
    ck_assert_uint_eq(nm_trainer_steps(u), 1);
    assert_near(net, other, 0);
    ck_assert_done(nm_predictor_open(ctx, in_folder("own.h5"), &predictor));
    ck_assert_int_eq(nm_predictor_outputs(predictor), 3);
    nm_predictor_free(predictor);
    nm_trainer_free(t);
    nm_trainer_free(u);
    nm_trainer_free(adam);
    nm_network_free(net);
    nm_network_free(other);
}
END_TEST

/* Forward moves the statistics; they are parameters, which can be put back. */
START_TEST(statistics_can_be_put_back)
{
    nm_network *net = network("{freeze: [c/weight]}");
    nm_trainer *t = trainer(net, true);
    nm_minibatch given = batch();
    int mean = nm_network_parameter_index(net, "n/running_mean"), weight = nm_network_parameter_index(net, "c/weight");
    nm_parameter p = parameter_at(net, mean);
    nm_real before[3], after[3];
    ck_assert(!p.trained && p.count == 3 && !parameter_at(net, weight).trained);
    memcpy(before, p.values, sizeof before);
    ck_assert_done(nm_trainer_forward(t, &given));
    memcpy(after, p.values, sizeof after);
    ck_assert(memcmp(before, after, sizeof before) != 0);
    memcpy(p.values, before, sizeof before);
    ck_assert_done(nm_trainer_forward(t, &given));
    ck_assert(memcmp(p.values, after, sizeof after) == 0);
    nm_trainer_free(t);
    nm_network_free(net);
}
END_TEST

START_TEST(a_fresh_network)
{
    nm_network *net, *plain = network("{}");
    nm_model *model = model_with("{freeze: [c/weight], init_from: nothing.h5}");
    ck_assert_int_ne(nm_network_new(ctx, model, &net), NM_OK);
    ck_assert_ptr_null(net);
    ck_assert_done(nm_network_new_fresh(ctx, model, &net));
    ck_assert(parameter_at(net, nm_network_parameter_index(net, "c/weight")).trained);
    assert_near(net, plain, 0);
    nm_network_free(net);
    nm_network_free(plain);
    nm_model_free(model);
}
END_TEST

SUITE_WITH("own updates", with_folder, own_descent_as_sgd, kept_gradients_join_a_step, what_needs_an_optimizer,
           fit_needs_an_optimizer, own_updates_are_saved, statistics_can_be_put_back, a_fresh_network)
